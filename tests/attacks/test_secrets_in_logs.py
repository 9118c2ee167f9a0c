"""Secrets do not leave by the side door: not into a log line, a journal entry, an error or a column."""

import base64
import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import quote, unquote

import httpx
import pytest
import structlog
from sqlmodel import SQLModel

from account import SCOPE, MyAccount
from authenticator import LOGIN_FLAWS, REGISTRATION_FLAWS, Authenticator
from conftest import Stencil
from keystead.db import tables
from keystead.db.tables import JournalRow
from visitor import CALLBACK, VERIFIER, Visitor, exchange
from world import PASSKEY_GRANT, PUBLIC_URL, World, open_world

PASSWORD = "marked password 7f3a9c"
WRONG = "wrong marked password 1b2e"
TYPED_AS_NAME = "marked password in the wrong field"
WEAK = "m4rk3dw34k"


@dataclass
class Secrets:
    """What must be found nowhere, by name; and what every client was told."""

    known: dict[str, str] = field(default_factory=dict)
    refusals: list[httpx.Response] = field(default_factory=list)

    def keep(self, name: str, value: str) -> str:
        assert len(value) >= 10, name
        self.known[name] = value
        return value

    def refused(self, answer: httpx.Response) -> None:
        assert answer.status_code >= 400
        self.refusals.append(answer)

    def tokens(self, name: str, found: dict[str, Any]) -> dict[str, Any]:
        for kind in ("access_token", "id_token", "refresh_token"):
            if kind in found:
                self.keep(f"{name} {kind}", found[kind])
        return found

    def spellings(self) -> Iterator[tuple[str, str]]:
        """Give every secret in every spelling in which somebody might keep it by mistake."""
        for name, value in self.known.items():
            yield name, value
            yield f"{name}, in base64", base64.b64encode(value.encode()).decode()[:-4]
            yield f"{name}, in hex", value.encode().hex()
            if value.count(".") == 2 and value.startswith("ey"):
                yield f"{name}, its signature", value.rpartition(".")[2]
            if name.startswith("cookie"):
                yield f"{name}, its second half", value.partition(".")[2]

    def check(self, text: str, where: str) -> None:
        found = [name for name, spelling in self.spellings() if spelling in text]
        assert found == [], where


@contextmanager
def every_line() -> Iterator[list[dict[str, Any]]]:
    """Catch what is logged, at every level, with tracebacks spelled out."""
    lines: list[dict[str, Any]] = []

    def catch(logger: Any, name: str, event: Any) -> Any:
        lines.append({"level": name, **structlog.processors.format_exc_info(logger, name, event)})
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(processors=[catch])
    try:
        yield lines
    finally:
        structlog.configure(**before)


async def live(world: World, secrets: Secrets) -> None:
    """Do with marked secrets whatever one can do, well and badly."""
    await _passwords(world, secrets)
    await _clients(world, secrets)
    await _passkeys(world, secrets)
    await _browsers(world, secrets)
    await _administrators(world, secrets)
    await _letters(world, secrets)
    await _headers_and_queries(world, secrets)


async def _passwords(world: World, secrets: Secrets) -> None:
    secrets.keep("password", PASSWORD)
    secrets.keep("wrong password", WRONG)
    secrets.keep("password typed as a name", TYPED_AS_NAME)
    secrets.keep("weak password", WEAK)
    assert (await world.signup(password=PASSWORD)).status_code == 200
    secrets.refused(await world.signup(password=PASSWORD))
    secrets.refused(await world.signup("bob@example.com", WEAK))
    secrets.refused(await world.signup("bob", PASSWORD))
    secrets.refused(await world.signup("bob@example.com", PASSWORD, picture="no address"))
    secrets.refused(await world.login(password=WRONG))
    secrets.refused(await world.login(TYPED_AS_NAME, PASSWORD))
    secrets.refused(await world.login("ann@example.com", PASSWORD, realm="nowhere"))
    secrets.refused(await world.login("ann@example.com", PASSWORD, audience="nowhere"))
    secrets.refused(await world.login("ann@example.com", PASSWORD, scope='"'))
    for _ in range(11):
        last = await world.login("nobody@example.com", WRONG)
    secrets.refused(last)
    found = secrets.tokens("password", await world.tokens(password=PASSWORD, scope="openid offline_access"))
    secrets.tokens("refreshed", (await world.token("refresh_token", refresh_token=found["refresh_token"])).json())
    secrets.refused(await world.token("refresh_token", refresh_token=found["refresh_token"], scope="more"))
    secrets.refused(await world.token("refresh_token", refresh_token=secrets.keep("no token", "kr_" + "m4rk" * 10)))
    await world.token(found["refresh_token"])  # in the wrong field: said back to the sender, and to nobody else
    secrets.refused(await world.userinfo(found["id_token"]))
    secrets.refused(await world.userinfo(found["access_token"][:-5]))
    malformed = json.dumps({"password": PASSWORD, "client_secret": WRONG})[:-1]
    as_json = {"content-type": "application/json"}
    secrets.refused(await world.client.post("/oauth/token", content=malformed, headers=as_json))
    twice = {"grant_type": "password", "client_id": world.client_id, "username": "x", "password": [PASSWORD, WRONG]}
    secrets.refused(await world.client.post("/oauth/token", data=twice))
    secrets.refused(await world.client.post("/oauth/token", json=twice))


async def _clients(world: World, secrets: Secrets) -> None:
    secret = secrets.keep("the first client's secret", world.first["clients"]["management"]["client_secret"])
    client_id = world.first["clients"]["management"]["client_id"]
    secrets.keep("a management token", await world.management_token())
    client = await world.new_client(app_type="regular_web", grant_types=["password"])
    secrets.keep("another client's secret", client["client_secret"])
    secrets.refused(await world.token("password", auth=(client["client_id"], secret)))
    secrets.refused(await world.token("password", client_id=client["client_id"], client_secret=secret))
    secrets.refused(await world.token("client_credentials", auth=(client_id, secret), audience="nowhere"))
    secrets.refused(await world.token("client_credentials", auth=(secret, client_id)))
    body = {"connection": world.connection, "email": "no address", "password": PASSWORD}
    secrets.refused(await world.manage("POST", "/users", body))
    secrets.refused(await world.manage("POST", "/users", body | {"email": "eve@example.com", "password": WEAK}))
    assert (await world.manage("POST", "/users", body | {"email": "eve@example.com"})).status_code == 201
    secrets.refused(await world.manage("PATCH", "/users/nobody", {"password": PASSWORD}))


async def _passkeys(world: World, secrets: Secrets) -> None:
    device = Authenticator()
    for name in ("bad signature", "another origin", "NaN", "empty response"):
        for flaws, begin, make in (
            (REGISTRATION_FLAWS, world.begin_register, device.create),
            (LOGIN_FLAWS, world.begin_challenge, device.get),
        ):
            if name not in flaws or (make == device.get and not device.credentials):
                continue
            begun = (await begin(**({"email": "passkey@example.com"} if begin == world.begin_register else {}))).json()
            secrets.keep(f"auth_session of {name}", begun["auth_session"])
            response = make(begun["authn_params_public_key"], origin=PUBLIC_URL, flaw=flaws[name])
            secrets.refused(await world.exchange(begun["auth_session"], response))
            secrets.refused(await world.exchange(begun["auth_session"], response))
    open_session = (await world.begin_register("later@example.com")).json()["auth_session"]
    secrets.keep("auth_session under way", open_session)
    secrets.refused(await world.token(PASSKEY_GRANT, auth_session=open_session, authn_response="{"))
    device = Authenticator()
    secrets.tokens("passkey", await world.register(device, "passkey@example.com"))
    found = (await world.passkey_login(device, audience=f"{PUBLIC_URL}/me/", scope=f"{SCOPE} openid")).json()
    account = MyAccount(world, secrets.tokens("my account", found)["access_token"])
    begun = await account.begin()
    secrets.keep("auth_session of the account page", begun["auth_session"])
    secrets.refused(await account.verify(begun, {}))
    secrets.refused(await account.verify(begun, {}))


async def _browsers(world: World, secrets: Secrets) -> None:
    visitor = Visitor.of(world)
    landed = await visitor.authorize(scope="openid offline_access")
    secrets.keep("login state", landed.response.url.params["state"])
    landed = await visitor.send(landed.form("/login/identifier"), username="ann@example.com")
    secrets.refused((await visitor.send(landed.form("/login/password"), password=WRONG)).response)
    landed = await visitor.decline(await visitor.send(landed.form("/login/password"), password=PASSWORD))
    for cookie in visitor.client.cookies.jar:
        secrets.keep(f"cookie {cookie.name}", str(cookie.value))
    code = secrets.keep("code", landed.answer["code"])
    secrets.keep("verifier", VERIFIER)
    secrets.tokens("code", (await exchange(world, code)).json())
    secrets.refused(await exchange(world, code))
    other = (await visitor.authorize()).answer["code"]
    secrets.refused(await exchange(world, secrets.keep("another code", other), redirect_uri=CALLBACK + code))
    secrets.refused((await Visitor.of(world).open(f"/u/login?state={secrets.known['login state']}")).response)
    await visitor.open("/v2/logout")
    setup = world.first["administrator_setup_url"]
    ticket = secrets.keep("set-up ticket", setup.partition("ticket=")[2])
    page = await visitor.open(setup.removeprefix(PUBLIC_URL))
    secrets.refused((await visitor.send(page.form(), email="owner@example.com", password=WEAK)).response)
    assert (await visitor.send(page.form(), email="owner@example.com", password=PASSWORD)).response.status_code == 200
    secrets.refused((await visitor.open(f"/u/setup?ticket={ticket}")).response)


async def _administrators(world: World, secrets: Secrets) -> None:
    """Through the doors of the Management API; what is refused is refused for another reason than the secret."""
    marked = partial(_marked, secrets)
    connection = f"/connections/{world.connection_id}"
    options = (await world.manage("GET", connection)).json()["options"]
    kept = {"options": options | {"configuration": {"API_KEY": marked("a value of the configuration")}}}
    assert (await world.manage("PATCH", connection, kept)).status_code == 200
    script = {"customScripts": {"login": f"const key = '{marked('a script')}'"}, "import_mode": True}
    secrets.refused(await world.manage("PATCH", connection, {"options": options | script}))
    server = {"smtp_host": "mail.example.com", "smtp_user": "ann", "smtp_pass": marked("a provider's password")}
    provider = {"name": "smtp", "default_from_address": "no-reply@example.com", "credentials": server}
    assert (await world.manage("POST", "/emails/provider", provider)).status_code == 201
    for change in ({"smtp_pass": marked("another password of the provider")}, {"smtp_port": "x"}):
        await world.manage("PATCH", "/emails/provider", {"credentials": server | change})
    assert (await world.manage("DELETE", "/emails/provider")).status_code == 204
    client = await world.new_client(app_type="regular_web")
    secrets.keep("a client's first secret", client["client_secret"])
    rotated = await world.manage("POST", f"/clients/{client['client_id']}/rotate-secret")
    secrets.keep("a client's second secret", rotated.json()["client_secret"])
    secrets.refused(await world.manage("PATCH", f"/clients/{client['client_id']}", {"client_secret": marked("chosen")}))
    user = f"/users/{quote(await world.person('managed@example.com', PASSWORD))}"
    assert (await world.manage("PATCH", user, {"password": marked("a password that was set")})).status_code == 200
    secrets.refused(await world.manage("PATCH", user, {"password": WEAK}))
    secrets.refused(await world.manage("PATCH", user, {"password": marked("no door for two"), "username": "x"}))
    user_id = unquote(user.removeprefix("/users/"))
    for path in ("/tickets/password-change", "/tickets/email-verification", "/tickets/passkey-enrollment"):
        ticket = (await world.manage("POST", path, {"user_id": user_id})).json().get("ticket", "")
        if "ticket=" in ticket:
            secrets.keep(f"a ticket of {path}", ticket.partition("ticket=")[2].rstrip("#"))
    secrets.refused(await world.manage("POST", "/tickets/password-change", {"user_id": marked("no user")[:5] + "x"}))


async def _letters(world: World, secrets: Secrets) -> None:
    body = {"client_id": world.client_id, "connection": world.connection, "email": "managed@example.com"}
    assert (await world.client.post("/dbconnections/change_password", json=body)).status_code == 200
    link = await world.link("managed@example.com", "/u/reset-password")
    secrets.keep("the ticket of a letter", link.partition("ticket=")[2].rstrip("#"))
    visitor = Visitor.of(world)
    page = await visitor.open(link.rstrip("#"))
    await visitor.send(
        page.form("/reset-password"), password=secrets.keep("a password by a letter", "by a m4rked letter")
    )
    assert (await visitor.open(link.rstrip("#"))).response.status_code == 400


async def _headers_and_queries(world: World, secrets: Secrets) -> None:
    marked = partial(_marked, secrets)
    headers = {"authorization": f"Bearer {marked('a bearer token')}", "x-api-key": marked("a header")}
    secrets.refused(await world.client.get("/api/v2/logs", headers=headers))
    secrets.refused(await world.client.get("/userinfo", headers=headers))
    secrets.refused(await world.client.get("/api/v2/logs", params={"access_token": marked("a token in a query")}))
    secrets.refused(await world.manage("GET", "/logs", params={"q": f'password:"{marked("a word in a query")}"'}))


def _marked(secrets: Secrets, name: str) -> str:
    return secrets.keep(name, f"m4rked-{hashlib.sha256(name.encode()).hexdigest()[:24]}")


async def _told(world: World) -> Iterator[str]:
    """Return whatever is told of the journal: entries, exports, why somebody was refused, and the chain."""
    world.clock.advance(seconds=3)
    await world.app.state.flows.management.chain.seal()
    paths = ["/keystead/journal/export", "/keystead/journal/export?format=ocsf", "/keystead/journal/verification"]
    paths += ["/logs?take=100", *(f"/logs?per_page=100&page={page}" for page in range(5))]
    paths += [f"/keystead/decisions/{row['id']}" for row in await world.rows(tables.Decision)]
    answers = [await world.manage("GET", path) for path in paths]
    # Of administrators nothing is explained, but there is a row.
    assert {each.status_code for each in answers} <= {200, 404}
    return iter([each.text for each in answers])


async def contents(world: World, *, but: Sequence[str] = ()) -> dict[str, str]:
    """Return every table as text; octets as text, hex and base64."""
    tables_by_name = {mapper.class_.__tablename__: mapper.class_ for mapper in SQLModel._sa_registry.mappers}
    found = {}
    for name, table in tables_by_name.items():
        if name not in but:
            rows = await world.rows(table)
            octets = [value for row in rows for value in row.values() if isinstance(value, bytes)]
            spelled = [value.decode("latin-1") + base64.b64encode(value).decode() for value in octets]
            found[str(name)] = json.dumps(rows, default=str, ensure_ascii=False) + "".join(spelled)
    return found


async def test_secrets_are_nowhere(world: World) -> None:
    secrets = Secrets()
    with every_line() as lines:
        await live(world, secrets)
    assert len(secrets.known) > 30
    assert len(secrets.refusals) > 35
    assert len(lines) > 80
    for line in lines:
        secrets.check(json.dumps(line, default=repr, ensure_ascii=False), f"a log line: {line.get('path')}")
    for row in await world.rows(JournalRow):
        secrets.check(json.dumps(row, default=str, ensure_ascii=False), f"the journal: {row['type']}")
    for name, text in (await contents(world, but=["outbox"])).items():  # which has letters, for a developer to read
        secrets.check(text, f"the table {name}")
    for text in await _told(world):
        secrets.check(text, "what is told of the journal")
    for answer in secrets.refusals:
        _said_back(secrets, answer)


def _said_back(secrets: Secrets, answer: httpx.Response) -> None:
    """A refusal says nothing back. A page carries its own state in its forms, and the browser its own cookies."""
    own = {"login state"} if "<form" in answer.text else set()
    own |= {"set-up ticket"} if "/u/setup" in str(answer.url) else set()
    said = [name for name, value in secrets.known.items() if value in answer.text and name not in own]
    assert said == [], answer.url


async def test_the_watch_sees(world: World) -> None:
    """What must be found is found: the test above can fail."""
    secrets = Secrets({"mark": "a marked value"})
    await world.signup("ann@example.com", PASSWORD, user_metadata={"x": "a marked value"})
    (account,) = [text for name, text in (await contents(world)).items() if name == "account"]
    with pytest.raises(AssertionError):
        secrets.check(account, "the accounts")
    with every_line() as lines:
        await world.client.get("/marked-path")
    with pytest.raises(AssertionError):
        Secrets({"mark": "/marked-path"}).check(json.dumps(lines, default=repr), "a log line")


async def test_what_is_kept_of_a_secret_is_its_hash(world: World) -> None:
    found = await _with_everything(world)
    hashes = {
        "RefreshToken": ("token_hash", found["refresh_token"]),
        "CeremonyRow": ("handle_hash", found["auth_session"]),
        "Transaction": ("state_hash", found["state"]),
        "LoginSession": ("secret_hash", found["cookie"].partition(".")[2]),
    }
    for name, (column, secret) in hashes.items():
        kept = {row[column] for row in await world.rows(getattr(tables, name))}
        assert hashlib.sha256(secret.encode()).hexdigest() in kept, name
    (account,) = await world.rows(tables.Account)
    assert account["password_hash"].startswith("$2b$04$")
    keys = await world.rows(tables.SigningKey)
    assert len(keys) == 3
    public = {"RSA": {"n", "e"}, "EC": {"crv", "x", "y"}, "OKP": {"crv", "x"}}
    for key in keys:
        assert b"PRIVATE" not in key["sealed_private"]
        members = {"kty", "kid", "use", "alg", "x5c", "x5t"} | public[key["public_jwk"]["kty"]]
        assert set(key["public_jwk"]) == members


async def _with_everything(world: World) -> dict[str, str]:
    await world.signup(password=PASSWORD)
    visitor = Visitor.of(world)
    await visitor.log_in(await visitor.authorize(), password=PASSWORD)
    return {
        "refresh_token": (await world.tokens(password=PASSWORD, scope="openid offline_access"))["refresh_token"],
        "auth_session": (await world.begin_challenge()).json()["auth_session"],
        "state": (await Visitor.of(world).authorize()).response.url.params["state"],
        "cookie": str(visitor.client.cookies["keystead-session"]),
    }


async def test_settings_and_their_traces_hide_what_is_secret(installation: Stencil) -> None:
    settings = installation.settings.model_copy(update={"database_url": installation.settings.database_url})
    key = settings.secret_keys[0].reveal()
    for text in (repr(settings), str(settings), f"{settings.secret_keys}", str(settings.model_dump())):
        assert key not in text
        assert settings.database_url.reveal() not in text


async def test_a_defect_is_logged_and_says_nothing(installation: Stencil) -> None:
    """A database without tables makes every request fail: the log has the traceback, the wire a sentence."""
    async with open_world(installation.settings, installation.document) as world:
        await world.db.write(lambda session: session.connection().exec_driver_sql("DROP TABLE journal"))
        with every_line() as lines:
            answer = await world.signup(password=PASSWORD)
    assert (answer.status_code, answer.json()["description"]) in (
        (500, "Something went wrong on our side."),
        (503, "The service is not available at the moment. Try again."),
    )
    assert "journal" not in answer.text
    text = json.dumps(lines, default=repr)
    assert "journal" in text
    assert PASSWORD not in text
