"""What the templates of databases do to a real PostgreSQL and a real MariaDB, in both languages."""

import asyncio
from collections import Counter
from itertools import product

import bcrypt
import pytest
import trustme

from custom_db.legacy import ANN, BOB, LANGUAGES, Legacy, calls
from custom_db.postgres_tls import postgres_behind_tls
from keystead.custom_db.runner import Children
from keystead.rules.action_scripts import ScriptLanguage
from mariadb_server import USER, MariaDbServer
from refilled import database_of, execute

TAKEN = ("validation", "user_exists")
HOSTILE = [
    "' OR '1'='1",
    "' OR '1'='1' -- ",
    "ann@example.com' -- ",
    '" OR ""="',
    "\\' OR 1=1 -- ",
    "'; DROP TABLE users; --",
    "') OR lower('a') = lower('a",
    "ann@example.com\\",
    "%",
    "_nn@example.com",
    "$1",
    "%s",
    "%(email)s",
    "?",
    "{{email}}",
    "ann@example.com ",
    "ann@example.com\u0000",
    "änn@example.com",
    "\uff41nn@example.com",  # which collations may take for an a
    "1",
    "",
    "0 OR 1=1",
    "x" * 5000,
]
"""What a stranger may type. None of it is anybody's."""


@pytest.fixture(params=list(product(("postgresql", "mysql"), LANGUAGES)), ids="-".join)
def legacy(request: pytest.FixtureRequest, runtime: Children) -> Legacy:
    """An empty database behind the scripts of a template."""
    template, language = request.param
    return Legacy(runtime, template, language, request.getfixturevalue(f"{template}_configuration"))


@pytest.fixture
def sql(legacy: Legacy, request: pytest.FixtureRequest) -> "Sql":
    """The database, past the scripts."""
    return Sql(legacy, request)


class Sql:
    """Runs statements as the owner of the database."""

    def __init__(self, legacy: Legacy, request: pytest.FixtureRequest) -> None:
        self._legacy, self._request = legacy, request

    def __call__(self, statement: str) -> str:
        """Return the first value, where there is one, as text."""
        name = self._legacy.configuration["DB_NAME"]
        if self._legacy.template == "postgresql":
            return execute(database_of(self._request.getfixturevalue("postgres_url"), name), statement)
        server: MariaDbServer = self._request.getfixturevalue("mariadb")
        rows = server.execute(statement, name)
        return str(rows[0][0]) if rows else ""


async def test_a_life(legacy: Legacy, sql: Sql) -> None:
    """Sign-up, login, verification, another password, another address, and the end."""
    assert await legacy("get_user", ANN) is None
    assert await legacy.refused("login", ANN, "first password") == ("wrong_credentials", None)
    assert await legacy("create", {"email": "Ann@Example.com", "password": "first password", "tenant": "t"}) is None
    somebody = await legacy("login", ANN, "first password")
    own = somebody.pop("user_id")
    assert isinstance(own, str)
    assert own.isdigit()
    assert somebody == {"email": ANN, "email_verified": False}
    assert sql("SELECT password_hash FROM users").startswith("$2b$04$")

    assert await legacy("verify", "ANN@example.com") is True
    assert await legacy("verify", ANN) is True
    assert await legacy("get_user", "aNN@example.com") == {"user_id": own, "email": ANN, "email_verified": True}
    assert await legacy("get_user", own, context={"identifierType": "user_id"}) == await legacy("get_user", ANN)
    assert await legacy("get_user", own) is None
    assert await legacy("get_user", ANN, context={"identifierType": "user_id"}) is None

    assert await legacy("change_password", ANN, "Zweites Paßwort") is True
    assert await legacy.refused("login", ANN, "first password") == ("wrong_credentials", own)
    assert (await legacy("login", ANN, "Zweites Paßwort"))["user_id"] == own

    sql("UPDATE users SET nickname = 'Annie'")
    assert await legacy("change_email", ANN, "Anna@example.com", False) is True
    assert await legacy.refused("login", ANN, "Zweites Paßwort") == ("wrong_credentials", None)
    renamed = {"user_id": own, "email": "anna@example.com", "email_verified": False, "nickname": "Annie"}
    assert await legacy("login", "anna@example.com", "Zweites Paßwort") == renamed

    assert await legacy("delete", own) is None
    assert await legacy("delete", own) is None
    assert await legacy("get_user", "anna@example.com") is None


async def test_whoever_signs_up_with_a_passkey(legacy: Legacy, sql: Sql) -> None:
    """There is no password then; nothing is stored for one, until they choose one."""
    assert await legacy("create", {"email": ANN}) is None
    own = (await legacy("get_user", ANN))["user_id"]
    assert sql("SELECT count(*) FROM users WHERE password_hash IS NULL") == "1"
    for guess in ("", "undefined", "null", "None"):
        assert await legacy.refused("login", ANN, guess) == ("wrong_credentials", own)
    assert await legacy("change_password", ANN, "a password") is True
    assert (await legacy("login", ANN, "a password"))["user_id"] == own


async def test_what_is_not_there_is_not_changed(legacy: Legacy) -> None:
    assert await legacy("verify", ANN) is False
    assert await legacy("change_password", ANN, "a password") is False
    assert await legacy("change_email", ANN, BOB, True) is False


async def test_one_address_is_one_user(legacy: Legacy, sql: Sql) -> None:
    """Also where two sign up at once, or somebody changes to an address that another has."""
    both = [{"email": email, "password": "a password"} for email in (ANN, "ANN@example.com")]
    answers = await asyncio.gather(*(legacy.answer("create", user) for user in both))
    kinds = Counter(answer.refusal.code if answer.refusal else "made" for answer in answers)
    assert kinds == {"made": 1, "user_exists": 1}
    assert await legacy.refused("create", both[0]) == TAKEN
    await legacy("create", {"email": BOB, "password": "another"})
    assert await legacy.refused("change_email", BOB, "Ann@example.com", True) == TAKEN
    assert sql("SELECT count(*) FROM users") == "2"
    assert (await legacy("login", BOB, "another"))["email"] == BOB


async def test_texts_of_attackers(legacy: Legacy, sql: Sql) -> None:
    """They find nobody and change nothing; one that no database can hold ends as an error."""
    await legacy("create", {"email": ANN, "password": "a password"})
    before = sql("SELECT password_hash FROM users")
    for text in HOSTILE:
        for name, arguments in calls(text, "owned@example.com", text if text != "1" else "1 OR 1=1"):
            if name == "create":
                continue
            answer = await legacy.answer(name, *arguments)
            assert not answer.value, (name, text, answer.value)
    assert await legacy.refused("login", ANN, "' OR '1'='1") == ("wrong_credentials", sql("SELECT id FROM users"))
    assert sql("SELECT password_hash FROM users") == before
    assert sql("SELECT email FROM users WHERE NOT email_verified AND email = 'ann@example.com'") == ANN
    hostile = "robert'); DROP TABLE users; --@example.com"
    await legacy("create", {"email": hostile, "password": "a password"})
    assert (await legacy("login", hostile, "a password"))["email"] == hostile.lower()


async def test_hashes_of_others(legacy: Legacy, sql: Sql) -> None:
    """What PHP writes is read; whoever has no password, or what is no hash, is not let in."""
    php = bcrypt.hashpw(b"a password", bcrypt.gensalt(4)).decode().replace("$2b$", "$2y$", 1)
    sql(f"INSERT INTO users (email, password_hash) VALUES ('{ANN}', '{php}'), ('{BOB}', NULL)")  # noqa: S608 - ours
    assert (await legacy("login", ANN, "a password"))["email"] == ANN
    bob = sql("SELECT id FROM users WHERE password_hash IS NULL")
    assert await legacy.refused("login", BOB, "") == ("wrong_credentials", bob)
    sql("UPDATE users SET password_hash = 'a password'")
    answer = await legacy.answer("login", ANN, "a password")
    assert answer.refusal is not None


async def test_a_database_that_is_not_there(legacy: Legacy) -> None:
    """Each script ends as an error, and neither hangs nor says that somebody is unknown."""
    gone = Legacy(legacy.runtime, legacy.template, legacy.language, {**legacy.configuration, "DB_NAME": "nowhere"})
    shut = Legacy(legacy.runtime, legacy.template, legacy.language, {**legacy.configuration, "DB_HOST": "127.0.0.9"})
    for elsewhere in (gone, shut):
        for name, arguments in calls():
            assert (await elsewhere.refused(name, *arguments))[0] == "error", name


@pytest.mark.parametrize("language", LANGUAGES)
async def test_mariadb_proves_who_it_is(
    runtime: Children,
    mysql_configuration: dict[str, str],
    mariadb: MariaDbServer,
    ca: trustme.CA,
    language: ScriptLanguage,
) -> None:
    """Unless somebody says otherwise no password travels without TLS, nor to whoever shows another certificate."""
    mariadb.execute(f"ALTER USER {USER} REQUIRE SSL")
    trusting = mysql_configuration | {"DB_TLS": "", "DB_HOST": "localhost", "DB_CA": ca.cert_pem.bytes().decode()}
    await trusts_only(Legacy(runtime, "mysql", language, trusting))
    mariadb.execute(f"ALTER USER {USER} REQUIRE NONE")


@pytest.mark.parametrize("language", LANGUAGES)
async def test_postgresql_proves_who_it_is(
    runtime: Children, postgresql_configuration: dict[str, str], ca: trustme.CA, language: ScriptLanguage
) -> None:
    host, port = postgresql_configuration["DB_HOST"], int(postgresql_configuration["DB_PORT"])
    with postgres_behind_tls(host, port, ca) as bound:
        there = {"DB_HOST": "localhost", "DB_PORT": str(bound), "DB_CA": ca.cert_pem.bytes().decode(), "DB_TLS": ""}
        await trusts_only(Legacy(runtime, "postgresql", language, postgresql_configuration | there))


async def trusts_only(legacy: Legacy) -> None:
    """Hold that a script reaches the server as it is configured, and in no other way."""
    assert await legacy("get_user", ANN) is None
    for changed in (
        {"DB_CA": ""},
        {"DB_CA": trustme.CA().cert_pem.bytes().decode()},
        {"DB_HOST": "127.0.0.1"},
        {"DB_TLS": "off"},
    ):
        other = Legacy(legacy.runtime, legacy.template, legacy.language, {**legacy.configuration, **changed})
        assert (await other.refused("get_user", ANN))[0] == "error", changed
