"""How many passkeys there are of each relying party id, and what else their owners have: counted, never listed."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import BigInteger, ColumnElement, and_, bindparam, case, cast, func, or_, select
from sqlmodel import Session, col

from keystead.db.tables import Account, Passkey


@dataclass(frozen=True, slots=True)
class Tally:
    """Of one relying party id: passkeys in use, and the people who have them."""

    rp_id: str
    passkeys: int = 0
    people: int = 0
    moved: int = 0
    """People who have a passkey of the current id, too."""
    with_password: int = 0
    """Of the people who have not moved: those who can log in with a password."""
    with_address: int = 0
    """Of them: those with a verified address, which a way in can be sent to."""
    with_neither: int = 0
    last_used: datetime | None = None

    @property
    def not_moved(self) -> int:
        """People who have no passkey of the current id."""
        return self.people - self.moved

    def without_passwords(self) -> "Tally":
        """Return it for a connection on which passwords are off: there they help nobody."""
        return replace(self, with_password=0, with_neither=self.not_moved - self.with_address)

    def __add__(self, other: "Tally") -> "Tally":
        names = ("passkeys", "people", "moved", "with_password", "with_address", "with_neither")
        sums: dict[str, Any] = {name: getattr(self, name) + getattr(other, name) for name in names}
        used = [each.last_used for each in (self, other) if each.last_used is not None]
        return replace(self, **sums, last_used=max(used, default=None))


def _people(*conditions: ColumnElement[bool]) -> ColumnElement[int]:
    return func.count(case((and_(*conditions), 1)))


# A passkey in quarantine opens nothing, so that nobody has moved with one, and nobody loses one.
_HELD: Final = (
    select(
        col(Passkey.user_id),
        col(Passkey.rp_id),
        func.count().label("passkeys"),
        func.max(col(Passkey.last_used_at)).label("last_used"),
    )
    .where(col(Passkey.quarantined_at).is_(None))
    .group_by(col(Passkey.user_id), col(Passkey.rp_id))
    .cte("held")
)
_HERE: Final = select(_HELD.c.user_id).where(_HELD.c.rp_id == bindparam("current")).cte("here")
_MOVED: Final = _HERE.c.user_id.is_not(None)
_LEFT: Final = _HERE.c.user_id.is_(None)
_PASSWORD: Final = col(Account.password_hash).is_not(None)
_ADDRESS: Final = or_(
    and_(col(Account.email).is_not(None), col(Account.email_verified)),
    and_(col(Account.phone_number).is_not(None), col(Account.phone_verified)),
)
_BY_RP_ID: Final = (
    select(
        _HELD.c.rp_id,
        col(Account.connection_id),
        cast(func.sum(_HELD.c.passkeys), BigInteger).label("passkeys"),  # PostgreSQL sums to a decimal number
        func.count().label("people"),
        _people(_MOVED).label("moved"),
        _people(_LEFT, _PASSWORD).label("with_password"),
        _people(_LEFT, _ADDRESS).label("with_address"),
        _people(_LEFT, ~_PASSWORD, ~_ADDRESS).label("with_neither"),
        func.max(_HELD.c.last_used).label("last_used"),
    )
    .join(Account, col(Account.user_id) == _HELD.c.user_id)
    .outerjoin(_HERE, _HERE.c.user_id == _HELD.c.user_id)
    .group_by(_HELD.c.rp_id, col(Account.connection_id))
    .order_by(_HELD.c.rp_id, col(Account.connection_id))
)


def by_rp_id(session: Session, current: str) -> Iterator[tuple[str, Tally]]:
    """Give a connection and what is counted there, once for each id; ``current`` is the id that people move to."""
    for row in session.connection().execute(_BY_RP_ID, {"current": current}):
        values = dict(row._mapping)
        connection_id = values.pop("connection_id")
        yield connection_id, Tally(**values)
