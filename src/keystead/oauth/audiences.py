"""What tokens are for: the APIs, and the scope that a client may have for one."""

from dataclasses import dataclass

from sqlmodel import Session

from keystead.db import administrators, apis
from keystead.db.apis import ApiRecord, Held
from keystead.db.clients import ClientRecord
from keystead.db.session import Database
from keystead.errors import AudienceNotAllowed, ConsentMissing, InvalidScope
from keystead.rules.apis import MANAGEMENT_PATH, MY_ACCOUNT_PATH, SubjectType, stored_identifier
from keystead.rules.authority import CURRENT_USER_SCOPES, scopes_of
from keystead.rules.oauth import absolute, granted


@dataclass(frozen=True, slots=True)
class Permitted:
    """What a client may have on a person's behalf, and whether its API wants consent for first-party clients too."""

    scope: tuple[str, ...]
    asks_consent: bool = False


@dataclass(frozen=True)
class Audiences:
    """Knows every audience. Nothing is remembered: what an administrator takes away is gone from the next token."""

    db: Database
    public_url: str

    def identifier_of(self, api: ApiRecord) -> str:
        """Return the identifier of an API as the wire shows it: ours in full."""
        return absolute(api.identifier, self.public_url)

    async def api(self, audience: str) -> ApiRecord | None:
        """Return the API of an audience; ``None`` for no audience. Raises ``AudienceNotAllowed``."""
        if not audience:
            return None
        found = await self.db.read(apis.by_identifier, stored_identifier(audience, self.public_url))
        if found is None:
            raise AudienceNotAllowed(f"Service not found: {audience}")
        return found

    async def scope_for(self, client: ClientRecord, requested: tuple[str, ...], audience: str) -> tuple[str, ...]:
        """Return the scope of a token where the client shows us the person's secret itself (LG-3).

        Raises ``AudienceNotAllowed``, and ``ConsentMissing`` for an API that wants consent: nobody is asked here.
        """
        found = await self.permitted_for(client, requested, audience, default_all=True)
        if found.asks_consent:
            raise ConsentMissing("The API wants people's consent, for which they must log in with the browser.")
        return found.scope

    async def permitted_for(
        self, client: ClientRecord, requested: tuple[str, ...], audience: str, *, default_all: bool = False
    ) -> Permitted:
        """Return what ``permitted`` does, in a unit of work of its own."""
        if not audience and not client.is_system:
            return Permitted(granted(requested, (), default_all=default_all))
        return await self.db.read(self.permitted, client, requested, audience, default_all=default_all)

    def permitted(
        self,
        session: Session,
        client: ClientRecord,
        requested: tuple[str, ...],
        audience: str,
        *,
        default_all: bool = False,
        user_id: str = "",
    ) -> Permitted:
        """Return what a client may have on a person's behalf for an audience, today. Raises ``AudienceNotAllowed``.

        Asked again with what was given before, it says what is left of that; ``user_id`` is whose it is, once somebody
        is there to whom it is given.
        """
        if client.is_system:
            return Permitted(self._of_administrator(session, client, requested, audience, user_id))
        if not audience:
            return Permitted(granted(requested, (), default_all=default_all))
        held = self._held(session, client, audience, "user")
        scope = granted(requested, _offered(held, audience), default_all=default_all)
        if not held.api.allow_offline_access:
            scope = tuple(each for each in scope if each != "offline_access")
        return Permitted(scope, not held.api.skips_consent)

    async def scope_of_client(
        self, client: ClientRecord, requested: tuple[str, ...], audience: str
    ) -> tuple[ApiRecord, tuple[str, ...]]:
        """Return the API and the scope of a client's token in its own name: what it asks for, or all that it holds.

        Raises ``AudienceNotAllowed``, ``InvalidScope``.
        """
        held = await self.db.read(self._held, client, audience, "client")
        if held.granted is None or held.api.client_policy == "deny_all":
            raise _not_authorized(audience)
        if not set(requested) <= set(held.granted):
            raise InvalidScope
        return held.api, requested or held.granted

    def _held(self, session: Session, client: ClientRecord, audience: str, subject_type: SubjectType) -> Held:
        identifier = stored_identifier(audience, self.public_url)
        found = apis.held(session, identifier, client.client_id, subject_type)
        if found is None:
            raise AudienceNotAllowed(f"Service not found: {audience}")
        return found

    def _of_administrator(
        self, session: Session, client: ClientRecord, requested: tuple[str, ...], audience: str, user_id: str
    ) -> tuple[str, ...]:
        """Return what an administrator may have by a client of ours: of our own APIs, as far as the role goes.

        All of it where nothing is asked for, and never offline access. Raises ``AudienceNotAllowed`` for other APIs,
        whose people administrators are not.
        """
        api = None
        if audience:
            api = self._held(session, client, audience, "user").api
            if api.identifier not in (MANAGEMENT_PATH, MY_ACCOUNT_PATH):
                raise _not_authorized(audience)
        offered = tuple(api.scopes) if api else ()
        if api and api.identifier == MANAGEMENT_PATH and user_id:
            role = administrators.standing(session, user_id).role
            offered = tuple(each for each in offered if role and each in scopes_of(role))
        scope = granted(requested, offered, default_all=True)
        return tuple(each for each in scope if each != "offline_access")


def _offered(held: Held, audience: str) -> tuple[str, ...]:
    """Return the scopes of an API that a client may ask for on people's behalf.

    The Management API is for clients and administrators: other people may have what concerns themselves.
    """
    if held.api.identifier == MANAGEMENT_PATH:
        return CURRENT_USER_SCOPES
    if held.api.user_policy == "allow_all":
        return tuple(held.api.scopes)
    if held.api.user_policy == "deny_all" or held.granted is None:
        raise _not_authorized(audience)
    return held.granted


def _not_authorized(audience: str) -> AudienceNotAllowed:
    return AudienceNotAllowed(f'Client is not authorized to access "{audience}".')
