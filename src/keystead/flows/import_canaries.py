"""Logins that are known to work, tried against the hashes of an import: before anybody is told that all is well."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from keystead.errors import Unavailable
from keystead.flows.import_decisions import KEPT, Decided
from keystead.flows.row_reading import ReadRow
from keystead.ports import Hasher
from keystead.rules.identifiers import KINDS, Identifier, parse
from keystead.rules.import_jobs import Canary, Import, proved, unproved
from keystead.rules.import_rows import PREFIX, Terms
from keystead.rules.password_policy import as_typed, fit
from keystead.secrecy import Secret

_TYPED: Final = (*KINDS, "user_id")
_UNTRIED: Final = "its password could not be tried: {why}"


@dataclass(frozen=True)
class Sought:
    """The canaries of an import, and all by which the row of each may be known: what somebody types has readings."""

    passwords: Sequence[Secret[str]]
    terms: Terms
    known_by: Mapping[Identifier | str, Sequence[int]]
    """Which canaries, in their order, are of whoever has this."""

    @classmethod
    def of(cls, canaries: Sequence[Canary], passwords: Sequence[Secret[str]], terms: Terms) -> "Sought":
        """Return them by the terms of a connection."""
        known_by: dict[Identifier | str, list[int]] = {}
        for at, canary in enumerate(canaries):
            read = parse(canary.user, terms.stored, usernames=terms.usernames)
            names: list[Identifier | str] = [canary.user, *((read, *read.otherwise) if read else ())]
            for each in names:
                known_by.setdefault(each, []).append(at)
        return cls(passwords, terms, known_by)

    def among(self, rows: Sequence[ReadRow]) -> dict[int, ReadRow]:
        """Return which canaries have a row here, and which is the first of each."""
        found: dict[int, ReadRow] = {}
        for row in rows:
            for each in _known_by(row):
                for at in self.known_by.get(each, ()):
                    found.setdefault(at, row)
        return found


@dataclass(frozen=True)
class Canaries:
    """Compares passwords with hashes of the file alone: nobody's account is tried."""

    hasher: Hasher

    async def checked(self, state: Import, sought: Sought | None, rows: Sequence[ReadRow]) -> Import:
        """Return an import whose canaries among these rows have been tried."""
        if sought is None:
            return state
        canaries = list(state.canaries)
        # On a thread: rows are many, and logins wait for the event loop.
        for at, row in (await asyncio.to_thread(sought.among, rows)).items():
            if canaries[at].row is None:
                canaries[at] = await self._tried(canaries[at], row, sought.passwords[at], sought.terms)
        return state.having(canaries=canaries)

    async def _tried(self, canary: Canary, row: ReadRow, password: Secret[str], terms: Terms) -> Canary:
        number = row.number + 1
        if row.user is None or row.errors:
            return unproved(canary, number, row.errors[0].message if row.errors else "its row is refused")
        if row.user.password is None:
            return unproved(canary, number, "its row has no hash")
        if row.user.values.get("blocked"):
            return unproved(canary, number, "the user is blocked")
        fitted, typed = fit(password, terms.complexity), as_typed(password)
        try:
            verdict = await self.hasher.verify(fitted, row.user.password.stored(), typed=typed)
        except Unavailable as error:  # the others are tried all the same
            return unproved(canary, number, _UNTRIED.format(why=error.detail or error.code))
        return proved(canary, number, works=verdict.ok)


def settled(state: Import, decided: Decided) -> Import:
    """Return an import whose canaries know what became of their rows."""
    if not state.canaries:
        return state
    return state.having(canaries=[_settled(each, decided) for each in state.canaries])


def _settled(canary: Canary, decided: Decided) -> Canary:
    found = decided.found.get(canary.row - 1) if canary.row is not None else None
    if canary.row is None or found is None:
        return canary
    if found["verdict"] == "error":
        return unproved(canary, canary.row, str(found["errors"][0]["message"]))
    return unproved(canary, canary.row, KEPT) if KEPT in found.get("notes", ()) else canary


def _known_by(row: ReadRow) -> Iterator[Identifier | str]:
    """Give what whoever a row is about would type at a login."""
    if row.user is not None:
        yield from row.user.identifiers
        if row.user.local_id is not None:
            yield from (row.user.local_id, f"{PREFIX}{row.user.local_id}")
    elif isinstance(row.raw.value, dict):
        given = (row.raw.value.get(name) for name in _TYPED)
        yield from (each for each in given if isinstance(each, str))
