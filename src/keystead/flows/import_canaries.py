"""Logins that are known to work, tried against the hashes of an import: before anybody is told that all is well."""

from collections.abc import Sequence
from dataclasses import dataclass

from keystead.flows.import_decisions import KEPT, Decided
from keystead.flows.row_reading import ReadRow
from keystead.ports import Hasher
from keystead.rules.identifiers import KINDS, Identifier, parse
from keystead.rules.import_jobs import Canary, Import, proved, unproved
from keystead.rules.import_rows import PREFIX, Terms
from keystead.rules.password_policy import as_typed, fit
from keystead.secrecy import Secret

_TYPED = (*KINDS, "user_id")


@dataclass(frozen=True)
class Canaries:
    """Compares passwords with hashes of the file alone: nobody's account is tried."""

    hasher: Hasher

    async def checked(
        self, state: Import, terms: Terms | None, rows: Sequence[ReadRow], passwords: Sequence[Secret[str]]
    ) -> Import:
        """Return an import whose canaries among these rows have been tried. Raises ``Busy``."""
        if not passwords or terms is None:
            return state
        found = list(state.canaries)
        for at, (canary, password) in enumerate(zip(state.canaries, passwords, strict=True)):
            row = next((row for row in rows if _is_of(row, canary.user, terms)), None) if canary.row is None else None
            if row is not None:
                found[at] = await self._tried(canary, row, password, terms)
        return state.having(canaries=found)

    async def _tried(self, canary: Canary, row: ReadRow, password: Secret[str], terms: Terms) -> Canary:
        number = row.number + 1
        if row.user is None:
            return unproved(canary, number, row.errors[0].message if row.errors else "its row is refused")
        if row.user.password is None:
            return unproved(canary, number, "its row has no hash")
        if row.user.values.get("blocked"):
            return unproved(canary, number, "the user is blocked")
        fitted, typed = fit(password, terms.complexity), as_typed(password)
        verdict = await self.hasher.verify(fitted, row.user.password.stored(), typed=typed)
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


def _is_of(row: ReadRow, user: str, terms: Terms) -> bool:
    """Whether a row is about whoever would type this at a login."""
    if row.user is None:
        return isinstance(row.raw.value, dict) and user in [row.raw.value.get(name) for name in _TYPED]
    read = parse(user, terms.stored, usernames=terms.usernames)
    readings: set[Identifier] = {read, *read.otherwise} if read else set()
    local_id = row.user.local_id
    return bool(readings & set(row.user.identifiers)) or (
        local_id is not None and user in (local_id, f"{PREFIX}{local_id}")
    )
