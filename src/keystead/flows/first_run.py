"""The first start: what a new installation has before anybody configures it. Made once, whole or not at all."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

from sqlmodel import Session

from keystead.db import apis, clients, connections, keys, tenant, tickets
from keystead.db.apis import ApiRecord
from keystead.db.clients import ClientRecord
from keystead.db.connections import ConnectionRecord
from keystead.flows.administrator_setup import NEW_OWNER, PURPOSE
from keystead.flows.directory import DEFAULT_DIRECTORY, HOME_CLIENT
from keystead.flows.installation import add_missing
from keystead.ports import Entropy
from keystead.rules.administrators import SETUP_LIFETIME
from keystead.rules.apis import MANAGEMENT_PATH, MY_ACCOUNT_PATH
from keystead.rules.authority import MANAGEMENT_SCOPES, MY_ACCOUNT_SCOPES
from keystead.rules.clients import CLIENT_CREDENTIALS, CODE, PASSKEY, PASSWORD, PASSWORD_REALM, REFRESH, new_settings
from keystead.rules.connections import new_options
from keystead.rules.signing_keys import KeyRecord
from keystead.secrecy import fingerprint

DEFAULT_CONNECTION: Final = "Username-Password-Authentication"
ADMINISTRATORS: Final = "Administrators"


def first_run(
    session: Session,
    public_url: str,
    signing: Sequence[KeyRecord],
    entropy: Entropy,
    now: datetime,
    keep: Callable[[dict[str, Any]], None],
) -> dict[str, Any] | None:
    """Make what a new installation has, and return it; ``None`` where that was done before.

    ``keep`` writes the document down before the transaction commits: a crash in between leaves a file that the next
    start writes anew, never an installation whose secrets nobody saw.
    """
    if not tenant.put(session, "first_run", {"at": now.isoformat(), "public_url": public_url}):
        return None
    for key in signing:
        keys.add(session, key)
    secret, ticket = entropy.token(48), entropy.token(32)
    default, management = _clients(session, fingerprint(secret), entropy, now)
    _apis(session, management, entropy, now)
    people = _connection(DEFAULT_CONNECTION, _PEOPLE, entropy, now)
    connections.create(session, people)
    connections.enable(session, people.id, [default])
    connections.create(session, _connection(ADMINISTRATORS, _ADMINISTRATORS, entropy, now, for_administrators=True))
    add_missing(session, now)
    tickets.put(session, ticket, PURPOSE, {}, now + SETUP_LIFETIME, subject=NEW_OWNER)
    tenant.put(session, DEFAULT_DIRECTORY, DEFAULT_CONNECTION)
    tenant.put(session, HOME_CLIENT, default)
    document = {
        "issuer": f"{public_url}/",
        "public_url": public_url,
        "management_audience": f"{public_url}/api/v2/",
        "connection": {"id": people.id, "name": people.name},
        "clients": {
            "default": {"client_id": default},
            "management": {"client_id": management, "client_secret": secret},
        },
        "administrator_setup_url": f"{public_url}/u/setup?ticket={ticket}",
    }
    keep(document)
    return document


_PEOPLE: Final = {
    "authentication_methods": {"password": {"enabled": True}, "passkey": {"enabled": True}},
    "passkey_options": {
        "challenge_ui": "both",
        "progressive_enrollment_enabled": True,
        "local_enrollment_enabled": True,
    },
}
_ADMINISTRATORS: Final = _PEOPLE | {"disable_signup": True}


def _connection(
    name: str, options: dict[str, Any], entropy: Entropy, now: datetime, *, for_administrators: bool = False
) -> ConnectionRecord:
    return ConnectionRecord(
        id=entropy.id("con_"),
        name=name,
        strategy="auth0",
        display_name=None,
        is_domain_connection=False,
        show_as_button=None,
        active=True,
        connected_accounts={"active": False},
        about=None,
        options=new_options(options),
        for_administrators=for_administrators,
        created_at=now,
        realms=(name,),
    )


def _clients(session: Session, secret_hash: str, entropy: Entropy, now: datetime) -> tuple[str, str]:
    """Make the public client of browsers and native apps, and the one that scripts manage the server with."""
    default = new_settings(
        {
            "name": "Default App",
            "app_type": "spa",
            "grant_types": [CODE, REFRESH, PASSWORD, PASSWORD_REALM, PASSKEY],
            "callbacks": ["/"],  # ours, wherever we are published: the landing page is a client like any other
            "allowed_logout_urls": ["/"],
        }
    )
    management = new_settings(
        {"name": "Management Scripts", "app_type": "non_interactive", "grant_types": [CLIENT_CREDENTIALS]}
    )
    records = (
        ClientRecord(entropy.id("", 32), None, default, is_system=False, created_at=now),
        ClientRecord(entropy.id("", 32), secret_hash, management, is_system=False, created_at=now),
    )
    for record in records:
        clients.create(session, record)
    return records[0].client_id, records[1].client_id


def _apis(session: Session, management_client: str, entropy: Entropy, now: datetime) -> None:
    for name, path, scopes in (
        ("Keystead Management API", MANAGEMENT_PATH, MANAGEMENT_SCOPES),
        ("Keystead My Account API", MY_ACCOUNT_PATH, MY_ACCOUNT_SCOPES),
    ):
        api = ApiRecord(
            *(entropy.id("api_"), path, name, dict.fromkeys(scopes, ""), 86_400),
            allow_offline_access=path == MY_ACCOUNT_PATH,
            is_system=True,
            user_policy="deny_all" if path == MANAGEMENT_PATH else "allow_all",
            client_policy="deny_all" if path == MY_ACCOUNT_PATH else "require_client_grant",
        )
        apis.create(session, api, now)
        if scopes is MANAGEMENT_SCOPES:
            apis.grant(session, entropy.id("cgr_"), management_client, api.id, scopes)
