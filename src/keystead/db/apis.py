"""APIs (Auth0's resource servers), and what a client holds for one."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, and_, bindparam, delete, func, insert, or_, select, true, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlmodel import Session, col

from keystead.db.tables import Api, ClientGrant, Consent
from keystead.errors import ApiTaken
from keystead.rules.apis import ApiSettings, SubjectType, offered_scopes


@dataclass(frozen=True, slots=True)
class ApiRecord:
    """An API. Ours have an identifier that begins with ``/``, so that they move with the public URL."""

    id: str
    identifier: str
    name: str
    scopes: dict[str, str]
    """What may be asked for, in order, and what each of it means."""
    token_lifetime: int
    allow_offline_access: bool
    is_system: bool
    signing_alg: str = "RS256"
    user_policy: str = "allow_all"
    client_policy: str = "require_client_grant"
    settings: dict[str, Any] = field(default_factory=dict)
    """The members that few requests read."""

    @property
    def skips_consent(self) -> bool:
        """Whether first-party clients need nobody's consent for it."""
        return bool(self.settings.get("skip_consent_for_verifiable_first_party_clients", True))

    def as_settings(self) -> ApiSettings:
        """Return the API's settings."""
        subjects = {"user": {"policy": self.user_policy}, "client": {"policy": self.client_policy}}
        return ApiSettings.model_validate(
            {name: getattr(self, name) for name in _IN_COLUMNS}
            | {"scopes": [{"value": value, "description": text} for value, text in self.scopes.items()]}
            | {"subject_type_authorization": subjects}
            | self.settings
        )


@dataclass(frozen=True, slots=True)
class Held:
    """An API, and the scopes that a client was granted for it; ``None`` without a grant."""

    api: ApiRecord
    granted: tuple[str, ...] | None


_COLUMNS: Final = tuple(getattr(Api, name) for name in ApiRecord.__dataclass_fields__)
_BY_IDENTIFIER: Final = select(*_COLUMNS).where(col(Api.identifier) == bindparam("identifier"))
_HELD: Final = (
    select(*_COLUMNS, col(ClientGrant.scope), col(ClientGrant.allow_all_scopes))
    .outerjoin(
        ClientGrant,
        and_(
            col(ClientGrant.api_id) == col(Api.id),
            col(ClientGrant.client_id) == bindparam("client_id"),
            col(ClientGrant.subject_type) == bindparam("subject_type"),
        ),
    )
    .where(col(Api.identifier) == bindparam("identifier"))
)
_IN_COLUMNS: Final = ("name", "token_lifetime", "allow_offline_access", "signing_alg")


def record_of(api_id: str, identifier: str, settings: ApiSettings, *, is_system: bool = False) -> ApiRecord:
    """Return settings as they are stored: what tokens are made of in columns, the rest as a document."""
    apart = {*_IN_COLUMNS, "scopes", "subject_type_authorization"}
    subjects = settings.subject_type_authorization
    return ApiRecord(
        id=api_id,
        identifier=identifier,
        scopes={scope.value: scope.description for scope in settings.scopes},
        is_system=is_system,
        user_policy=subjects.user.policy,
        client_policy=subjects.client.policy,
        settings=settings.model_dump(mode="json", exclude_unset=True, exclude=apart),
        **{name: getattr(settings, name) for name in _IN_COLUMNS},
    )


def create(session: Session, record: ApiRecord, now: datetime) -> None:
    """Insert an API. Raises ``ApiTaken`` where another one has the identifier."""
    statement = upsert(Api).values(_stored(record) | {"created_at": now}).on_conflict_do_nothing()
    if session.connection().execute(statement).rowcount != 1:
        raise ApiTaken


def by_identifier(session: Session, identifier: str) -> ApiRecord | None:
    """Return the API with that identifier."""
    row = session.connection().execute(_BY_IDENTIFIER, {"identifier": identifier}).first()
    return _record(row) if row else None


def find(session: Session, name: str, identifier: str, *, lock: bool = False) -> ApiRecord | None:
    """Return the API with that id, or else with that identifier; locked, where it is about to change."""
    statement = select(*_COLUMNS).where(or_(col(Api.id) == name, col(Api.identifier) == identifier))
    # An identifier may read like somebody else's id, which comes first.
    rows = session.connection().execute(statement.with_for_update() if lock else statement).all()
    row = min(rows, key=lambda row: row.id != name, default=None)
    return _record(row) if row else None


def held(session: Session, identifier: str, client_id: str, subject_type: SubjectType) -> Held | None:
    """Return an API and what a client's grant for it is worth today, in one statement."""
    values = {"identifier": identifier, "client_id": client_id, "subject_type": subject_type}
    row = session.connection().execute(_HELD, values).first()
    if row is None:
        return None
    api = _record(row)
    if row.scope is None:
        return Held(api, None)
    return Held(api, offered_scopes(api.scopes, tuple(row.scope), all_scopes=row.allow_all_scopes))


def granted_for(session: Session, client_id: str, identifier: str) -> tuple[str, ...] | None:
    """Return the scopes that a client holds in its own name for an API; ``None`` where either is gone."""
    found = held(session, identifier, client_id, "client")
    return found.granted if found else None


def page(session: Session, offset: int, limit: int, identifiers: Sequence[str]) -> list[ApiRecord]:
    """Return APIs, oldest first; with ``identifiers``, only those."""
    statement = select(*_COLUMNS).where(_wanted(identifiers)).order_by(col(Api.created_at), col(Api.id))
    return [_record(row) for row in session.connection().execute(statement.offset(offset).limit(limit))]


def total(session: Session, identifiers: Sequence[str]) -> int:
    """Return how many APIs ``page`` would find in all."""
    statement = select(func.count(col(Api.id))).where(_wanted(identifiers))
    found: int = session.connection().execute(statement).scalar_one()
    return found


def save(session: Session, record: ApiRecord) -> None:
    """Store what has changed of an API. What it has no more, its grants lose: it would come back with the scope."""
    session.connection().execute(update(Api).where(col(Api.id) == record.id).values(_stored(record)))
    theirs = select(col(ClientGrant.id), col(ClientGrant.scope)).where(col(ClientGrant.api_id) == record.id)
    for grant in session.connection().execute(theirs).all():
        left = [scope for scope in grant.scope if scope in record.scopes]
        if len(left) < len(grant.scope):
            session.connection().execute(update(ClientGrant).where(col(ClientGrant.id) == grant.id).values(scope=left))


def remove(session: Session, record: ApiRecord) -> None:
    """Delete an API with its grants, and what people consented to: an API by the same name is another one."""
    session.connection().execute(delete(Api).where(col(Api.id) == record.id))
    session.connection().execute(delete(Consent).where(col(Consent.audience) == record.identifier))


def grant(session: Session, grant_id: str, client_id: str, api_id: str, scope: tuple[str, ...]) -> None:
    """Allow a client to get tokens for an API in its own name."""
    values = {"id": grant_id, "client_id": client_id, "api_id": api_id, "scope": list(scope)}
    session.connection().execute(insert(ClientGrant).values(values))


def _wanted(identifiers: Sequence[str]) -> ColumnElement[bool]:
    return col(Api.identifier).in_(identifiers) if identifiers else true()


def _stored(record: ApiRecord) -> dict[str, Any]:
    values = {name: getattr(record, name) for name in ApiRecord.__dataclass_fields__}
    described = [{"value": value, "description": text} for value, text in record.scopes.items()]
    return values | {"scopes": described}


def _record(row: Row[*tuple[Any, ...]]) -> ApiRecord:
    values = {name: getattr(row, name) for name in ApiRecord.__dataclass_fields__}
    return ApiRecord(**values | {"scopes": {each["value"]: each.get("description", "") for each in row.scopes}})
