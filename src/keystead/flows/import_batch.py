"""A few rows of an import, written in one transaction with how far the job is: whole, or not at all.

Decided by what the database holds, and decided anew where somebody was faster; the primary keys have the last word. A
rehearsal writes the same, and takes it back before it notes what it found.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from sqlmodel import Session

from keystead.db import accounts, census, connections, import_jobs, imported_users, job_rows, jobs, journal, passkeys
from keystead.db.jobs import Claimed
from keystead.flows.import_canaries import settled
from keystead.flows.import_decisions import Conditions, Decided, Decision, There, account_mark, digest
from keystead.flows.passkey_enrolment import PasskeyEnrolment
from keystead.flows.revocation import Revocation
from keystead.flows.row_reading import ReadRow, RowReading
from keystead.ports import Clock, Entropy, Sealer
from keystead.rules import revocation
from keystead.rules.events import Caller
from keystead.rules.identifiers import KINDS, Identifier
from keystead.rules.import_jobs import HashCount, Import
from keystead.rules.import_rows import Terms
from keystead.rules.passkey_policy import policy_of
from keystead.rules.profiles import Profile
from keystead.rules.row_complaints import RowError

_MOST_FORMATS: Final = 50
_GONE: Final = RowError("CONNECTION_NOT_FOUND", "The connection does not exist.")


class Overtaken(Exception):
    """Another worker has the job by now, or it is further than this: nothing of this was kept."""


@dataclass(frozen=True)
class ImportBatch:
    """Writes rows."""

    reading: RowReading
    enrolment: PasskeyEnrolment
    sealer: Sealer
    revocation: Revocation
    clock: Clock
    entropy: Entropy

    def store(
        self,
        session: Session,
        job: Claimed,
        state: Import,
        terms: Terms | None,
        rows: Sequence[ReadRow],
        *,
        hopeful: bool = False,
    ) -> Import:
        """Write rows, and return how far the job is then. Raises ``Overtaken``, ``imported_users.Clashed``.

        The options of the connection are read here, while nobody can change what passwords and passkeys depend on.
        ``hopeful`` rows are taken for new users, and are not looked up first: the keys tell.
        """
        _check_place(session, job, state)
        census.join(session)
        conditions, rows = self._conditions(session, state, terms, rows)
        is_new = hopeful and not (state.upsert or state.dry_run)
        there = There() if is_new else self._look(session, job.id, state, rows)
        judged = partial(self.enrolment.models.judged, session)
        decided = Decision(conditions, there, self.sealer, self.entropy, judged).of(rows)
        self._apply(session, state, decided)
        if not state.dry_run:
            self._tell(session, job, state, decided)
        job_rows.add(session, job.id, _noted(state, decided))
        kept = decided.known_by if state.upsert or state.dry_run else {}
        import_jobs.claim(session, job.id, {digest(mark): number for mark, number in kept.items()})
        after = settled(_further(state, rows, decided), decided)
        if not jobs.keep(session, job, self.clock(), after.stored()):
            raise Overtaken
        return after

    def skip(self, session: Session, job: Claimed, state: Import, row: ReadRow, why: RowError) -> Import:
        """Pass over a row that nothing can be done with. Raises ``Overtaken``."""
        _check_place(session, job, state)
        refused = ReadRow(row.number, row.raw, errors=(why,))
        decided = Decision(None, There(), self.sealer, self.entropy).of([refused])
        job_rows.add(session, job.id, decided.found)
        after = settled(_further(state, [row], decided), decided)
        if not jobs.keep(session, job, self.clock(), after.stored()):
            raise Overtaken
        return after

    def _conditions(
        self, session: Session, state: Import, terms: Terms | None, rows: Sequence[ReadRow]
    ) -> tuple[Conditions | None, Sequence[ReadRow]]:
        """Return by what rows are decided, and the rows by the terms of now."""
        connection = connections.get(session, state.connection_id)
        if connection is None:
            return None, [ReadRow(each.number, each.raw, errors=(_GONE,)) for each in rows]
        options = connection.policy()
        now_terms = Terms.of(options)
        if now_terms != terms:
            rows = [self.reading.read(each.number, each.raw, now_terms) for each in rows]
        rp_ids = self.enrolment.ceremonies.relying_party(session).ids
        return Conditions(state, policy_of(options), rp_ids, self.clock()), rows

    def _apply(self, session: Session, state: Import, decided: Decided) -> None:
        """Write what was decided, or in a rehearsal write it and take it back."""
        rehearsed = session.connection().begin_nested() if state.dry_run else None
        imported_users.add(session, decided.addition)
        for profile, values in decided.changes:
            for event in _ending(values):
                self.revocation.apply(session, event, revocation.Subject(profile.user_id), self.clock())
            accounts.change(session, profile.user_id, values)
        if rehearsed is not None:
            rehearsed.rollback()

    def _tell(self, session: Session, job: Claimed, state: Import, decided: Decided) -> None:
        """Say of each way in that an account was given what is said of one that was given by itself."""
        caller = Caller(actor=state.actor)

        def note(owner: Profile, description: str, **about: Any) -> None:
            about |= {"user_id": owner.user_id, "connection_id": owner.connection_id, "job_id": job.id}
            about |= {"client_id": state.client_id or None, "description": description}
            journal.add(session, self.enrolment.journal.event("sapi", caller, **about))

        for owner, values in decided.changes:
            if "password_hash" in values:
                note(owner, "Update a user", changed=["password"])
        for owner, passkey_id in decided.enrolled:
            stored = passkeys.get(session, owner.user_id, passkey_id)
            if stored is not None:
                note(owner, "Create an authentication method", authentication_method_id=passkey_id)
                self.enrolment.notices.send(session, "passkey_added", owner, stored, caller)

    def _look(self, session: Session, job_id: str, state: Import, rows: Sequence[ReadRow]) -> There:
        """Look up what rows may clash with."""
        keys = [key for each in rows for key in each.keys]

        def of(kind: str) -> set[Any]:
            return {key.value for key in keys if key.of == kind}

        handles, credentials = of("user_handle"), of("passkeys")
        wanted: set[Identifier] = set().union(*(of(kind) for kind in KINDS))
        holders = imported_users.holders(session, state.connection_id, wanted)
        ids = {*holders.values(), *of("user_id")}
        marks = {digest(mark): mark for mark in (*(key.mark for key in keys), *map(account_mark, ids))}
        return There(
            holders=holders,
            accounts=imported_users.known(session, ids, lock=state.upsert),
            handles=imported_users.handles(session, handles),
            credentials=imported_users.credentials(session, credentials),
            passkey_counts=imported_users.passkey_counts(session, ids if credentials else ()),
            rows={marks[known]: number for known, number in import_jobs.claimed(session, job_id, marks).items()},
        )


def _ending(values: Mapping[str, Any]) -> Iterator[revocation.Event]:
    """Give what ends with columns that change, as where an administrator changes them one by one."""
    if values.get("email_verified") is False:
        yield revocation.Event.EMAIL_CHANGED
    if "password_hash" in values:
        yield revocation.Event.PASSWORD_RESET


def _check_place(session: Session, job: Claimed, state: Import) -> None:
    """Raise ``Overtaken`` unless the job is where these rows begin.

    Whose commit arrives and whose answer is lost is run again (``db/threads.py``), and would find its own users there.
    """
    about = jobs.held(session, job)
    if about is None or about.get("done", 0) != state.done:
        raise Overtaken


def _noted(state: Import, decided: Decided) -> dict[int, dict[str, Any]]:
    """Return what is kept of rows: of a rehearsal all of them, else what went wrong."""
    return {at: found for at, found in decided.found.items() if state.dry_run or found["verdict"] == "error"}


def _further(state: Import, rows: Sequence[ReadRow], decided: Decided) -> Import:
    """Return how far a job is behind some rows."""
    hashes = dict(state.hashes)
    for (name, milliseconds), count in Counter(decided.hashes).items():
        if name in hashes or len(hashes) < _MOST_FORMATS:
            before = hashes.get(name, HashCount())
            hashes[name] = HashCount(rows=before.rows + count, most_ms=max(before.most_ms, milliseconds))
    return state.having(
        at=rows[-1].raw.end,
        done=rows[-1].number + 1,
        inserted=state.inserted + decided.count("insert"),
        updated=state.updated + decided.count("update") + decided.count("skip"),
        skipped=state.skipped + decided.count("skip"),
        failed=state.failed + decided.count("error"),
        lost_passkeys=state.lost_passkeys + decided.lost_passkeys,
        hashes=hashes,
        stuck=0,
    )
