"""auth0-python, ManagementClient: its models read answers strictly, and its pagers read on until a page is empty."""

import gzip
import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from authenticator import Authenticator
from browser.site import Json, Site
from clients.elsewhere import Elsewhere, RaisedThere, There
from clients.guest import Guest
from clients.robot import Key
from clients.sdk import calls_of
from contract import unnamed
from elsewhere_made import made_elsewhere
from tally import TALLY
from world import PASSKEY_GRANT, PASSWORD, PROMISES

pytestmark = pytest.mark.timeout(300)  # the clients' environment is made by whoever comes first

CALLBACK = "https://shop.example.com/callback"

OURS_ALONE = (
    "GET /api/v2/users/{}/decisions",
    "POST /api/v2/connections/{}/passkey-policy/preview",
    "POST /api/v2/connections/{}/scripts/test",
    "POST /api/v2/connections/{}/scripts/{}/try",
    "POST /api/v2/log-streams/{}/rotate-secret",
    "POST /api/v2/tickets/passkey-enrollment",
)
"""Routes that the SDK knows nothing of, beside those below ``/api/v2/keystead/``."""


def test_every_route_that_auth0_has_too_is_called(python: Path) -> None:
    """What is wanted here and called by no test of this file is said at the end of a run of the whole suite."""
    calls = calls_of(python)
    served = {
        f"{method.upper()} {unnamed(path)}"
        for path, methods in PROMISES.document["paths"].items()
        for method in methods
        if path.startswith("/api/v2/") and not path.startswith("/api/v2/keystead/")
    }
    assert sorted(served - set(calls)) == sorted(OURS_ALONE)
    for label in served & set(calls):
        TALLY.update(f"wanted {call}" for call in calls[label])


@pytest.fixture
def auth0(elsewhere: Elsewhere, domain: str, site: Site) -> There:
    """The SDK's client, which gets its token itself."""
    return elsewhere.make("auth0.management.ManagementClient", domain=domain, **site.first["clients"]["management"])


@pytest.fixture
def connection(site: Site) -> Json:
    """The default connection: its id and its name."""
    found: Json = site.first["connection"]
    return found


@pytest.fixture
def ann(auth0: There, connection: Json) -> Any:
    """Ann's account, as the SDK made it."""
    name = connection["name"]
    return auth0.users.create(connection=name, email="ann@example.com", password=PASSWORD, given_name="Ann")


@pytest.fixture
def shop(auth0: There) -> Any:
    """An application with a secret, as the SDK made it."""
    return auth0.clients.create(
        name="The Shop", app_type="regular_web", callbacks=[CALLBACK], description="Everything must go"
    )


@pytest.fixture
def logged_in(site: Site, shop: Any, ann: Any, guest: Guest) -> Any:
    """The tokens of a login of Ann's at the shop."""
    asked = {"response_type": "code", "redirect_uri": CALLBACK, "scope": "openid offline_access"}
    landed = guest.logs_in(f"{site.url}/authorize?{urlencode(asked | {'client_id': shop['client_id']})}")
    proof = {
        "grant_type": "authorization_code",
        "client_id": shop["client_id"],
        "client_secret": shop["client_secret"],
        "code": landed.answer["code"],
        "redirect_uri": CALLBACK,
    }
    return site.http.post("/oauth/token", data=proof).json()


def is_gone(call: There, *arguments: str) -> None:
    """See that something is not there any more."""
    with pytest.raises(RaisedThere) as refused:
        call(*arguments)
    assert (refused.value.kind, refused.value.status) == ("NotFoundError", 404)


def test_users(auth0: There, ann: Any, connection: Json) -> None:
    assert ann["identities"][0]["connection"] == connection["name"]
    others = [f"{each}@example.com" for each in ("bob", "carl")]
    for email in others:
        auth0.users.create(connection=connection["name"], email=email, password=PASSWORD)
    everybody = auth0.users.list(per_page=1, sort="created_at:1")
    assert [each["email"] for each in everybody] == ["ann@example.com", *others]
    changed = auth0.users.update(ann["user_id"], user_metadata={"colour": "blue"}, name="Ann Smith", blocked=True)
    assert (changed["user_metadata"], changed["blocked"]) == ({"colour": "blue"}, True)
    assert auth0.users.get(ann["user_id"])["name"] == "Ann Smith"
    auth0.users.delete(ann["user_id"])
    is_gone(auth0.users.get, ann["user_id"])


def test_a_user_twice(auth0: There, ann: Any, connection: Json) -> None:
    """The SDK repeats a 409 twice before it raises."""
    with pytest.raises(RaisedThere) as refused:
        auth0.users.create(connection=connection["name"], email="ann@example.com", password=PASSWORD)
    assert (refused.value.kind, refused.value.status) == ("ConflictError", 409)


def test_authentication_methods(auth0: There, site: Site) -> None:
    site.has_passkey("ann@example.com")
    user_id = site.account("ann@example.com")["user_id"]
    methods = auth0.users.authentication_methods
    (passkey,) = [each for each in methods.list(user_id) if each["type"] == "passkey"]
    assert methods.get(user_id, passkey["id"])["key_id"] == passkey["key_id"]
    assert methods.update(user_id, passkey["id"], name="Her phone")["name"] == "Her phone"
    assert methods.get(user_id, passkey["id"])["name"] == "Her phone"
    with pytest.raises(RaisedThere) as refused:
        methods.delete_all(user_id)
    assert (refused.value.kind, refused.value.status) == ("ForbiddenError", 403)
    methods.delete(user_id, passkey["id"])
    is_gone(methods.get, user_id, passkey["id"])
    assert methods.set(user_id, request=[]) == []
    methods.delete_all(user_id)


def test_importing_a_passkey(auth0: There, ann: Any, site: Site) -> None:
    device, methods = Authenticator(), auth0.users.authentication_methods
    body = made_elsewhere(device, name="From the old portal")
    made = methods.create(ann["user_id"], **body)
    assert (made["type"], made["key_id"], made["name"]) == ("passkey", body["key_id"], "From the old portal")
    with pytest.raises(RaisedThere) as refused:
        methods.create(ann["user_id"], **body)
    assert (refused.value.kind, refused.value.status) == ("ConflictError", 409)
    client_id = site.first["clients"]["default"]["client_id"]
    begun = site.http.post("/passkey/challenge", json={"client_id": client_id}).json()
    proof = {
        "grant_type": PASSKEY_GRANT,
        "client_id": client_id,
        "auth_session": begun["auth_session"],
        "authn_response": device.get(begun["authn_params_public_key"], origin=site.url),
    }
    assert site.http.post("/oauth/token", json=proof).status_code == 200


def test_connections(auth0: There, shop: Any) -> None:
    made = auth0.connections.create(name="staff", strategy="auth0", options={"disable_signup": True})
    assert auth0.connections.get(made["id"])["options"]["disable_signup"] is True
    assert {each["name"] for each in auth0.connections.list(strategy=["auth0"], take=1)} > {"staff"}
    options = auth0.connections.get(made["id"])["options"] | {"disable_signup": False}
    assert auth0.connections.update(made["id"], options=options)["options"]["disable_signup"] is False
    auth0.connections.clients.update(made["id"], request=[{"client_id": shop["client_id"], "status": True}])
    assert [each["client_id"] for each in auth0.connections.clients.get(made["id"])] == [shop["client_id"]]
    assert auth0.connections.check_status(made["id"]) is None
    auth0.connections.delete(made["id"])
    is_gone(auth0.connections.check_status, made["id"])
    is_gone(auth0.connections.get, made["id"])


def test_clients(auth0: There, shop: Any) -> None:
    client_id = shop["client_id"]
    assert client_id in [each["client_id"] for each in auth0.clients.list(per_page=1)]
    changed = auth0.clients.update(
        client_id,
        refresh_token={"rotation_type": "rotating", "expiration_type": "expiring", "leeway": 5},
        web_origins=["https://shop.example.com"],
        oidc_logout={"backchannel_logout_urls": ["https://shop.example.com/logout"]},
    )
    assert changed["refresh_token"]["rotation_type"] == "rotating"
    assert changed["oidc_logout"]["backchannel_logout_urls"] == ["https://shop.example.com/logout"]
    fresh = auth0.clients.rotate_secret(client_id)["client_secret"]
    assert fresh not in ("", shop["client_secret"])
    assert auth0.clients.get(client_id)["description"] == "Everything must go"
    auth0.clients.delete(client_id)
    is_gone(auth0.clients.get, client_id)


def test_keys_of_a_client(auth0: There, shop: Any) -> None:
    credentials, client_id = auth0.clients.credentials, shop["client_id"]
    made = credentials.create(client_id, credential_type="public_key", name="A key", pem=Key().public, alg="RS256")
    assert [each["id"] for each in credentials.list(client_id)] == [made["id"]]
    credentials.update(client_id, made["id"], expires_at="2030-01-01T00:00:00Z")
    assert credentials.get(client_id, made["id"])["expires_at"].startswith("2030-01-01T00:00:00")
    credentials.delete(client_id, made["id"])
    is_gone(credentials.get, client_id, made["id"])


def test_apis_and_grants(auth0: There, shop: Any) -> None:
    scopes = [{"value": "read:orders", "description": "See orders"}, {"value": "place:orders"}]
    api = auth0.resource_servers.create(identifier="https://orders.example.com", name="Orders", scopes=scopes)
    assert api["identifier"] in [each["identifier"] for each in auth0.resource_servers.list(per_page=1)]
    changed = auth0.resource_servers.update(api["id"], token_lifetime=600, allow_offline_access=True)
    assert (changed["token_lifetime"], changed["allow_offline_access"]) == (600, True)
    assert auth0.resource_servers.get(api["identifier"])["id"] == api["id"]

    asked = {"client_id": shop["client_id"], "audience": api["identifier"], "scope": ["read:orders"]}
    grant = auth0.client_grants.create(**asked)
    assert [each["id"] for each in auth0.client_grants.list(client_id=shop["client_id"], take=1)] == [grant["id"]]
    assert auth0.client_grants.update(grant["id"], scope=["place:orders"])["scope"] == ["place:orders"]
    assert auth0.client_grants.get(grant["id"])["audience"] == api["identifier"]
    auth0.client_grants.delete(grant["id"])
    auth0.resource_servers.delete(api["id"])
    is_gone(auth0.client_grants.get, grant["id"])
    is_gone(auth0.resource_servers.get, api["id"])


def test_sessions(auth0: There, ann: Any, shop: Any, logged_in: Any) -> None:
    (session,) = auth0.users.sessions.list(ann["user_id"], take=1)
    assert session["user_id"] == ann["user_id"]
    assert [each["client_id"] for each in session["clients"]] == [shop["client_id"]]
    found = auth0.sessions.get(session["id"])
    assert found["authentication"]["methods"][0]["name"] == "pwd"
    assert auth0.sessions.update(session["id"], session_metadata={"desk": "4"})["session_metadata"] == {"desk": "4"}
    auth0.sessions.revoke(session["id"])
    assert auth0.users.sessions.list(ann["user_id"]) == []


@pytest.mark.parametrize("all_of_them", [False, True])
def test_deleting_sessions(all_of_them: bool, auth0: There, ann: Any, logged_in: Any) -> None:
    if all_of_them:
        auth0.users.sessions.delete(ann["user_id"])
    else:
        (session,) = auth0.users.sessions.list(ann["user_id"])
        auth0.sessions.delete(session["id"])
    assert auth0.users.sessions.list(ann["user_id"]) == []


def test_refresh_tokens(auth0: There, ann: Any, shop: Any, logged_in: Any) -> None:
    (token,) = auth0.users.refresh_token.list(ann["user_id"], take=1)
    assert (token["user_id"], token["client_id"]) == (ann["user_id"], shop["client_id"])
    assert [each["id"] for each in auth0.refresh_tokens.list(user_id=ann["user_id"], take=1)] == [token["id"]]
    assert auth0.refresh_tokens.get(token["id"])["rotating"] is False
    changed = auth0.refresh_tokens.update(token["id"], refresh_token_metadata={"desk": "4"})
    assert changed["refresh_token_metadata"] == {"desk": "4"}
    auth0.refresh_tokens.delete(token["id"])
    is_gone(auth0.refresh_tokens.get, token["id"])


@pytest.mark.parametrize("all_of_them", [False, True])
def test_ending_refresh_tokens(all_of_them: bool, auth0: There, ann: Any, logged_in: Any) -> None:
    if all_of_them:
        auth0.users.refresh_token.delete(ann["user_id"])
    else:
        auth0.refresh_tokens.revoke(user_id=ann["user_id"])
    assert auth0.users.refresh_token.list(ann["user_id"]) == []


def test_ending_all_that_somebody_has(auth0: There, ann: Any, logged_in: Any) -> None:
    auth0.users.revoke_access(ann["user_id"])
    assert auth0.users.sessions.list(ann["user_id"]) == []
    assert auth0.users.refresh_token.list(ann["user_id"]) == []


def test_grants_of_people(auth0: There, ann: Any, logged_in: Any) -> None:
    """There are none: the shop is first-party, so nobody was asked."""
    assert auth0.user_grants.list(user_id=ann["user_id"], per_page=1) == []
    auth0.user_grants.delete_by_user_id(user_id=ann["user_id"])
    auth0.user_grants.delete("cgr_0123456789abcdef")


def test_actions(auth0: There) -> None:
    """There are none."""
    assert auth0.actions.list() == []


def test_signing_keys(auth0: There) -> None:
    (current,) = [each for each in auth0.keys.signing.list() if each["current"]]
    assert auth0.keys.signing.get(current["kid"])["cert"].startswith("-----BEGIN CERTIFICATE-----")
    fresh = auth0.keys.signing.rotate()
    now = {each["kid"]: each for each in auth0.keys.signing.list()}
    assert now[fresh["kid"]]["current"]
    assert now[current["kid"]]["previous"]
    assert auth0.keys.signing.revoke(current["kid"])["kid"] == current["kid"]
    with pytest.raises(RaisedThere) as refused:
        auth0.users.list()
    assert refused.value.status == 401, "its own token was signed with that key"


def test_tickets_and_jobs(auth0: There, ann: Any, site: Site) -> None:
    ticket = auth0.tickets.change_password(user_id=ann["user_id"], ttl_sec=600)["ticket"]
    assert ticket.startswith(f"{site.url}/u/reset-password?")
    assert auth0.tickets.verify_email(user_id=ann["user_id"])["ticket"].startswith(f"{site.url}/u/email-verification?")
    job = auth0.jobs.verification_email.create(user_id=ann["user_id"])
    assert auth0.jobs.get(job["id"])["type"] == "verification_email"
    assert auth0.jobs.errors.get(job["id"]) is None


def completed(auth0: There, job: Json) -> Json:
    """Wait for a job as those do who use the SDK, and return what it came to."""
    until = time.monotonic() + 60
    while (found := auth0.jobs.get(job["id"]))["status"] in ("pending", "processing"):
        assert time.monotonic() < until, found
        time.sleep(0.2)
    assert found["status"] == "completed"
    return found  # type: ignore[no-any-return]


def test_importing_users(auth0: There, ann: Any, connection: Json) -> None:
    rows = [{"email": "bob@example.com", "email_verified": True}, {"email": "ann@example.com"}]
    begun = auth0.jobs.users_imports.create(users=json.dumps(rows), connection_id=connection["id"], external_id="move")
    assert (begun["type"], begun["external_id"]) == ("users_import", "move")
    assert completed(auth0, begun)["summary"] == {"failed": 1, "updated": 0, "inserted": 1, "total": 2}
    (failed,) = auth0.jobs.errors.get(begun["id"])
    assert (failed["user"]["email"], failed["errors"][0]["code"]) == ("ann@example.com", "DUPLICATED_USER")
    assert auth0.users.list_users_by_email(email="bob@example.com")[0]["email_verified"] is True


def test_exporting_users(auth0: There, ann: Any, connection: Json, site: Site) -> None:
    fields = [{"name": "email"}, {"name": "given_name", "export_as": "first"}]
    begun = auth0.jobs.users_exports.create(connection_id=connection["id"], format="json", fields=fields)
    link = urlsplit(completed(auth0, begun)["location"])
    file = site.http.get(f"{link.path}?{link.query}")
    assert [json.loads(line) for line in gzip.decompress(file.content).splitlines()] == [
        {"email": "ann@example.com", "first": "Ann"}
    ]


def guess(site: Site, password: str, username: str = "ann@example.com") -> int:
    """Try a password, and return the status."""
    body = {"grant_type": "password", "client_id": site.first["clients"]["default"]["client_id"], "username": username}
    answer = site.http.post("/oauth/token", data=body | {"password": password})
    return int(answer.status_code)


def test_blocks(auth0: There, ann: Any, connection: Json, site: Site) -> None:
    protection = auth0.attack_protection.brute_force_protection
    assert protection.update(max_attempts=2)["max_attempts"] == 2
    assert [guess(site, f"wrong {number}") for number in range(3)] == [403, 403, 429]
    (blocked,) = auth0.user_blocks.list(ann["user_id"])["blocked_for"]
    assert blocked == {"identifier": "ann@example.com", "ip": "127.0.0.1", "connection": connection["name"]}
    by_identifier = auth0.user_blocks.list_by_identifier
    assert by_identifier(identifier="ann@example.com")["blocked_for"] == [blocked]
    protection.update(shields=[])
    considered = by_identifier(identifier="ann@example.com", consider_brute_force_enablement=True)
    assert considered["blocked_for"] == []
    protection.update(shields=["block"])
    auth0.user_blocks.delete(ann["user_id"])
    assert auth0.user_blocks.list(ann["user_id"])["blocked_for"] == []
    assert [guess(site, f"wrong {number}") for number in range(3, 6)] == [403, 403, 429]
    auth0.user_blocks.delete_by_identifier(identifier="ann@example.com")
    assert guess(site, PASSWORD) == 200


def test_blocks_of_addresses(auth0: There, ann: Any, site: Site) -> None:
    few = {"max_attempts": 1, "rate": 86_400_000}
    throttling = auth0.attack_protection.suspicious_ip_throttling
    assert throttling.update(stage={"pre-login": few})["stage"]["pre-login"] == few
    is_gone(auth0.anomaly.blocks.check_ip, "127.0.0.1")
    assert [guess(site, "wrong", f"{name}@example.com") for name in ("ben", "carl")] == [403, 429]
    auth0.anomaly.blocks.check_ip("127.0.0.1")
    auth0.anomaly.blocks.unblock_ip("127.0.0.1")
    is_gone(auth0.anomaly.blocks.check_ip, "127.0.0.1")
    assert guess(site, PASSWORD) == 200


def test_settings(auth0: There) -> None:
    changed = auth0.tenants.settings.update(session_lifetime=24, idle_session_lifetime=2)
    assert (changed["session_lifetime"], changed["idle_session_lifetime"]) == (24, 2)
    assert auth0.tenants.settings.get()["session_lifetime"] == 24


def without_nulls(found: Json) -> Json:
    """Return what was on the wire: the SDK's models have a null for each member that was not."""
    inner = {name: without_nulls(value) if isinstance(value, dict) else value for name, value in found.items()}
    return {name: value for name, value in inner.items() if value is not None}


def test_settings_of_attack_protection(auth0: There) -> None:
    """What was got can be sent back, and its models miss nothing that they insist on."""
    for name, change in (
        ("breached_password_detection", {"shields": ["block"]}),
        ("brute_force_protection", {"mode": "count_per_identifier", "allowlist": ["10.0.0.0/8", "2001:db8::1"]}),
        ("suspicious_ip_throttling", {"shields": [], "allowlist": ["198.51.100.7"]}),
        ("bot_detection", {"bot_detection_level": "high", "challenge_password_policy": "when_risky"}),
        ("captcha", {"active_provider_id": "hcaptcha", "simple_captcha": {}}),
    ):
        kind = getattr(auth0.attack_protection, name)
        changed = kind.update(**change)
        assert {member: changed[member] for member in change} == change, name
        assert kind.get() == changed
        assert kind.update(**without_nulls(changed)) == changed
    captcha = auth0.attack_protection.captcha
    assert captcha.update(arkose={"site_key": "a", "secret": "b"})["arkose"]["site_key"] == "a"
    assert captcha.update(recaptcha_v_2={"site_key": "a", "secret": "b"})["recaptcha_v2"] == {"site_key": "a"}
    with pytest.raises(RaisedThere) as refused:
        auth0.attack_protection.brute_force_protection.update(max_attempts=101)
    assert (refused.value.kind, refused.value.status) == ("BadRequestError", 400)


def test_messages(auth0: There) -> None:
    mail = {"name": "smtp", "credentials": {"smtp_host": "mail.example.com", "smtp_port": 587}}
    assert auth0.emails.provider.create(**mail, default_from_address="keystead@example.com")["name"] == "smtp"
    assert auth0.emails.provider.get()["default_from_address"] == "keystead@example.com"
    assert auth0.emails.provider.update(enabled=False)["enabled"] is False
    auth0.emails.provider.delete()
    letter = {"template": "verify_email", "body": "<p>{{ url }}</p>", "from": "k@example.com", "subject": "Hello"}
    auth0.email_templates.create(
        **{"from_" if name == "from" else name: value for name, value in letter.items()}, syntax="liquid", enabled=True
    )
    assert auth0.email_templates.get("verify_email")["subject"] == "Hello"
    assert auth0.email_templates.update("verify_email", subject="Hi")["subject"] == "Hi"
    whole = {"template": "verify_email", "body": "{{ url }}", "from_": "k@example.com", "subject": "Once more"}
    replaced = auth0.email_templates.set("verify_email", **whole, syntax="liquid", enabled=True)
    assert replaced["subject"] == "Once more"


def test_journal(auth0: There, ann: Any, logged_in: Any) -> None:
    newest = auth0.logs.list(per_page=100)
    assert newest
    assert auth0.logs.get(newest[0]["log_id"])["log_id"] == newest[0]["log_id"]
    assert "s" in {each["type"] for each in auth0.users.logs.list(ann["user_id"], per_page=2)}


def test_numbers(auth0: There, logged_in: Any) -> None:
    assert auth0.stats.get_active_users_count() == 1
    assert sum(each["logins"] for each in auth0.stats.get_daily()) >= 1


def test_pages(auth0: There) -> None:
    colours = {"primary": "#0b3d2e", "page_background": "#ffffff"}
    assert auth0.branding.update(colors=colours)["colors"]["primary"] == "#0b3d2e"
    assert auth0.branding.get()["colors"]["primary"] == "#0b3d2e"
    prompts = auth0.prompts.get_settings()
    assert auth0.prompts.update_settings(identifier_first=True)["identifier_first"] is True
    assert set(auth0.prompts.get_settings()) == set(prompts)
    words = {"login-id": {"title": "Who are you?"}}
    auth0.prompts.custom_text.set("login-id", "en", request=words)
    assert auth0.prompts.custom_text.get("login-id", "en") == words


def test_finding_people(auth0: There, ann: Any, connection: Json) -> None:
    assert [each["user_id"] for each in auth0.users.list_users_by_email(email="ann@example.com")] == [ann["user_id"]]
    assert [each["user_id"] for each in auth0.users.list(q='email:"ann@example.com"', search_engine="v3")] == [
        ann["user_id"]
    ]
    auth0.connections.users.delete_by_email(connection["id"], email="ann@example.com")
    is_gone(auth0.users.get, ann["user_id"])


def test_connections_of_a_client(auth0: There, shop: Any, connection: Json) -> None:
    assert connection["id"] in [each["id"] for each in auth0.clients.connections.get(shop["client_id"], take=1)]


def test_an_error_names_what_is_wrong(auth0: There) -> None:
    with pytest.raises(RaisedThere) as refused:
        auth0.clients.create(name="<b>")
    assert (refused.value.kind, refused.value.status) == ("BadRequestError", 400)
    assert refused.value.about["body"]["errorCode"] == "invalid_body"


def test_who_knows_nothing_of_a_preview_can_read_why_a_change_is_refused(
    auth0: There, ann: Any, connection: Json
) -> None:
    options = auth0.connections.get(connection["id"])["options"]
    options["authentication_methods"]["password"] |= {"enabled": False, "api_behavior": "optional"}
    with pytest.raises(RaisedThere) as refused:
        auth0.connections.update(connection["id"], options=options)
    assert (refused.value.kind, refused.value.status) == ("BadRequestError", 400)
    message = refused.value.about["body"]["message"]
    assert message.startswith("1 person could not sign in any more (passwords_off: 1), so nothing was changed. ")
    assert message.endswith("?accept_stranded=1")


def test_log_streams(auth0: There) -> None:
    sink = {"httpEndpoint": "https://siem.example.com/keystead", "httpContentFormat": "JSONLINES"}
    made = auth0.log_streams.create(request={"name": "siem", "type": "http", "sink": sink})
    assert [each["id"] for each in auth0.log_streams.list()] == [made["id"]]
    assert auth0.log_streams.update(made["id"], status="paused")["status"] == "paused"
    assert auth0.log_streams.get(made["id"])["sink"]["httpEndpoint"] == sink["httpEndpoint"]
    auth0.log_streams.delete(made["id"])
    is_gone(auth0.log_streams.get, made["id"])
