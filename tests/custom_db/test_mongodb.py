"""What the template of MongoDB does to a server that speaks its protocol, where somebody names one."""

import os

import pytest

from custom_db.legacy import ANN, BOB, LANGUAGES, Legacy
from keystead.custom_db.runner import Children

TAKEN = ("validation", "user_exists")
INDEX = """
async function index() {
  const { MongoClient } = require("mongodb");
  const client = new MongoClient(configuration.DB_URI);
  const database = client.db(configuration.DB_NAME);
  await database.dropDatabase();
  await database.collection("users").createIndex({ email: 1 }, { unique: true });
  await client.close();
  return true;
}
"""


@pytest.fixture(params=LANGUAGES)
async def legacy(request: pytest.FixtureRequest, runtime: Children) -> Legacy:
    """An empty collection behind the scripts of the template."""
    uri = os.environ.get("KEYSTEAD_TEST_MONGODB_URI")
    if not uri:
        # Not held against KEYSTEAD_TEST_REQUIRE_ALL: Debian has no such server, and no package brings one.
        pytest.skip("no server is named in KEYSTEAD_TEST_MONGODB_URI")
    configuration = {"DB_URI": uri, "DB_NAME": f"legacy_{os.getpid()}", "DB_TLS": "off", "BCRYPT_COST": "4"}
    made = Legacy(runtime, "index", "node", configuration, {"login": INDEX})
    assert await made("login") is True
    return Legacy(runtime, "mongodb", request.param, configuration)


async def test_a_life(legacy: Legacy) -> None:
    assert await legacy("get_user", ANN) is None
    assert await legacy.refused("login", ANN, "first password") == ("wrong_credentials", None)
    assert await legacy("create", {"email": "Ann@Example.com", "password": "first password"}) is None
    assert await legacy.refused("create", {"email": ANN, "password": "another"}) == TAKEN
    somebody = await legacy("login", "ANN@example.com", "first password")
    own = somebody["user_id"]
    assert somebody == {"user_id": own, "email": ANN, "email_verified": False}
    assert await legacy.refused("login", ANN, "wrong") == ("wrong_credentials", own)
    assert await legacy("verify", ANN) is True
    assert await legacy("verify", ANN) is True
    assert await legacy("verify", BOB) is False
    assert (await legacy("get_user", own, context={"identifierType": "user_id"}))["email_verified"] is True
    assert await legacy("get_user", own) is None
    assert await legacy("change_password", ANN, "Zweites Paßwort") is True
    assert await legacy("change_password", BOB, "another") is False
    assert (await legacy("login", ANN, "Zweites Paßwort"))["user_id"] == own
    await legacy("create", {"email": BOB, "password": "another"})
    # MongoDB numbers the error of an update like that of an insert; FerretDB 1 does not, and it ends as any other.
    assert await legacy.refused("change_email", BOB, ANN, True) in {TAKEN, ("error", None)}
    assert await legacy("change_email", ANN, "Anna@example.com", True) is True
    assert await legacy("change_email", ANN, "anna@example.com", True) is False
    for text in ('{"$ne": null}', "' || 'a' == 'a", "$where", "", "x" * 5000):
        assert await legacy("get_user", text) is None
        assert await legacy.refused("login", text, "another") == ("wrong_credentials", None)
        assert await legacy("delete", text) is None
    assert await legacy("delete", own) is None
    assert await legacy("get_user", "anna@example.com") is None
    assert (await legacy("get_user", BOB))["email"] == BOB
