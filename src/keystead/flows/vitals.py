"""What is looked up when somebody reads the metrics: it is in the database, and the same for every process."""

from dataclasses import dataclass

from sqlmodel import Session

from keystead.db import health, jobs, keys
from keystead.db.session import Database
from keystead.errors import DatabaseUnavailable
from keystead.ports import Clock, Exposition
from keystead.rules.telemetry import BUILD, DATABASE_UP, JOBS, KEY_AGE, OLDEST_JOB, UNSEALED, Reading

MOST_UNSEALED = 10_000
"""How far entries without a seal are counted: a metric must not read a whole journal."""


@dataclass(frozen=True)
class Vitals:
    """Metrics, as text."""

    db: Database
    clock: Clock
    build: tuple[str, str]
    """The version of this program, and Python's."""
    exposition: Exposition | None

    async def text(self) -> tuple[bytes, str] | None:
        """Return the metrics of all processes and their media type; ``None`` where nothing is measured."""
        if self.exposition is None:
            return None
        readings: list[Reading] = [(BUILD, self.build, 1)]
        try:
            readings += await self.db.read(self._read)
        except DatabaseUnavailable:
            readings.append((DATABASE_UP, (), 0))
        return self.exposition.text(readings), self.exposition.media

    async def sample(self) -> None:
        """Note how much this process uses, for whichever process is asked next."""
        if self.exposition is not None:
            self.exposition.sample()

    def _read(self, session: Session) -> list[Reading]:
        now = self.clock()
        found: list[Reading] = [(DATABASE_UP, (), 1), (UNSEALED, (), health.unsealed(session, MOST_UNSEALED))]
        for type_, status, count, oldest in jobs.standing(session, now):
            found += [(JOBS, (type_, status), count)]
            found += [(OLDEST_JOB, (type_,), oldest)] if status == "pending" else []
        for key in keys.known(session):
            if key.state == "current" and key.current_since:
                found.append((KEY_AGE, (key.algorithm,), (now - key.current_since).total_seconds()))
        return found
