"""Keys of clients: ``/clients/{id}/credentials`` and ``client_authentication_methods`` over HTTP."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from keystead.db import tables
from signer import Signer, credential, pem_of, private_key, signer
from world import World

pytestmark = pytest.mark.anyio

METHODS = "client_authentication_methods"


def methods(*ids: str) -> dict[str, Any]:
    return {"private_key_jwt": {"credentials": [{"id": each} for each in ids]}}


def certificate(key: RSAPrivateKey, end: datetime) -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "shop")])
    built = x509.CertificateBuilder(name, name, key.public_key(), 7, end - timedelta(days=400), end)
    return built.sign(key, SHA256()).public_bytes(Encoding.PEM).decode()


async def test_a_credential_is_registered_shown_and_removed(world: World) -> None:
    client = await world.new_client(app_type="regular_web")
    path = f"/clients/{client['client_id']}/credentials"
    made = await world.manage("POST", path, credential(private_key("ES256"), "ES256", name="Laptop"))
    assert made.status_code == 201, made.text
    found = made.json()
    assert found["id"].startswith("cred_")
    assert found == {
        "id": found["id"],
        "name": "Laptop",
        "kid": found["kid"],
        "alg": "ES256",
        "credential_type": "public_key",
        "created_at": "2026-06-01T12:00:00.000Z",
        "updated_at": "2026-06-01T12:00:00.000Z",
    }
    assert len(found["kid"]) == 43
    assert (await world.manage("GET", path)).json() == [found]
    assert (await world.manage("GET", f"{path}/{found['id']}")).json() == found
    world.clock.advance(seconds=5)
    moved = await world.manage("PATCH", f"{path}/{found['id']}", {"expires_at": "2027-01-01T00:00:00+01:00"})
    assert moved.json() == found | {
        "updated_at": "2026-06-01T12:00:05.000Z",
        "expires_at": "2026-12-31T23:00:00.000Z",
    }
    without = (await world.manage("PATCH", f"{path}/{found['id']}", {"expires_at": None})).json()
    assert "expires_at" not in without
    for _ in range(2):
        assert (await world.manage("DELETE", f"{path}/{found['id']}")).status_code == 204
    for method, body in (("GET", None), ("PATCH", {"expires_at": None})):
        gone = await world.manage(method, f"{path}/{found['id']}", body)
        assert (gone.status_code, gone.json()["errorCode"]) == (404, "inexistent_credential")


async def test_credentials_are_their_client_s_own(world: World) -> None:
    mine, theirs = await signer(world), await world.new_client()
    path = f"/clients/{theirs['client_id']}/credentials/{mine.credential_id}"
    assert (await world.manage("GET", path)).status_code == 404
    assert (await world.manage("PATCH", path, {"expires_at": None})).status_code == 404
    assert (await world.manage("DELETE", path)).status_code == 204
    assert await mine.ask() == 403
    body = {METHODS: methods(mine.credential_id), "token_endpoint_auth_method": None}
    answer = await world.manage("PATCH", f"/clients/{theirs['client_id']}", body)
    assert answer.status_code == 400
    text = "'The client has no such credential' on property client_authentication_methods.private_key_jwt.credentials"
    assert answer.json()["message"] == f"Payload validation error: {text}."
    for path in ("/clients/nobody/credentials", f"/clients/nobody/credentials/{mine.credential_id}"):
        nobody = await world.manage("GET", path)
        assert (nobody.status_code, nobody.json()["errorCode"]) == (404, "inexistent_client")


@pytest.mark.parametrize(
    ("body", "text", "path"),
    [
        ({"credential_type": None}, "Missing required property: credential_type", ""),
        ({"credential_type": "x509_cert"}, "No enum match for: x509_cert", "credential_type"),
        ({"pem": "hello"}, "must be a public key or an X.509 certificate in PEM", "pem"),
        ({"pem": "\u00e9"}, "must be a public key or an X.509 certificate in PEM", "pem"),
        ({"pem": "x" * 4097}, "String is too long (4097 chars), maximum 4096", "pem"),
        ({"alg": "HS256"}, "No enum match for: HS256", "alg"),
        ({"alg": "none"}, "No enum match for: none", "alg"),
        ({"alg": "ES256"}, "This key is none that signs ES256 (alg is RS256 unless given)", "pem"),
        ({"kid": "short"}, "String does not match pattern ^[0-9a-zA-Z_-]{10,64}$: short", "kid"),
        ({"expires_at": "tomorrow"}, "must be a time in ISO 8601 with its zone", "expires_at"),
        ({"expires_at": "2027-01-01T00:00:00"}, "must be a time in ISO 8601 with its zone", "expires_at"),
        ({"expires_at": "2026-06-01T12:00:00Z"}, "must be in the future", "expires_at"),
        ({"parse_expiry_from_cert": True}, "must be a certificate that has not expired", "pem"),
        ({"private": True}, "Additional properties not allowed: private", ""),
    ],
    ids=str,
)
async def test_what_is_no_credential(shared_world: World, body: dict[str, Any], text: str, path: str) -> None:
    client = await shared_world.new_client()
    shown = credential(private_key()) | body
    answer = await shared_world.manage("POST", f"/clients/{client['client_id']}/credentials", shown)
    assert answer.status_code == 400
    at = f" on property {path}" if path else ""
    assert answer.json()["message"] == f"Payload validation error: '{text}'{at}."


async def test_a_certificate_says_when_its_key_ends(world: World) -> None:
    client, key = await world.new_client(), private_key()
    assert isinstance(key, RSAPrivateKey)
    path = f"/clients/{client['client_id']}/credentials"
    end = datetime(2026, 7, 1, tzinfo=UTC)
    body = {"credential_type": "public_key", "pem": certificate(key, end), "parse_expiry_from_cert": True}
    made = await world.manage("POST", path, body)
    assert (made.status_code, made.json()["expires_at"]) == (201, "2026-07-01T00:00:00.000Z")
    client |= {METHODS: methods(made.json()["id"])}
    await world.patch_client(client["client_id"], token_endpoint_auth_method=None, **{METHODS: client[METHODS]})
    holder = Signer(world, client, key=key)
    assert await holder.ask() == 403
    late = certificate(key, datetime(2026, 5, 1, tzinfo=UTC))
    assert (await world.manage("POST", path, body | {"pem": late, "kid": "a-second-one"})).status_code == 400
    both = await world.manage("POST", path, body | {"expires_at": "2027-01-01T00:00:00Z"})
    assert both.status_code == 400
    world.clock.now = end
    assert await holder.ask() == 401


async def test_a_key_is_registered_once(world: World) -> None:
    client = await world.new_client()
    path = f"/clients/{client['client_id']}/credentials"
    assert (await world.manage("POST", path, credential(private_key()))).status_code == 201
    again = await world.manage("POST", path, credential(private_key()))
    assert (again.status_code, again.json()["message"]) == (409, "A credential with the same kid already exists")
    other = await world.manage("POST", path, credential(private_key(), kid="another-name"))
    assert (other.status_code, other.json()["kid"]) == (201, "another-name")
    for number in range(18):
        made = await world.manage("POST", path, credential(private_key(), kid=f"key-number-{number}"))
        assert made.status_code == 201
    full = await world.manage("POST", path, credential(private_key(), kid="one-too-many"))
    assert (full.status_code, full.json()["errorCode"]) == (400, "invalid_body")


async def test_a_client_is_made_with_its_keys(world: World) -> None:
    client = await signer(world)
    assert "client_secret" not in client.client
    assert "token_endpoint_auth_method" not in client.client
    assert client.client[METHODS] == methods(client.credential_id)
    (stored,) = (await world.manage("GET", f"/clients/{client.client_id}/credentials")).json()
    assert stored["id"] == client.credential_id
    assert await client.ask() == 403
    two = {"private_key_jwt": {"credentials": [credential(private_key("ES256"), "ES256")] * 2}}
    before = await world.count(tables.Client)
    refused = await world.manage("POST", "/clients", {"name": "App", METHODS: two})
    assert refused.status_code == 409
    assert await world.count(tables.Client) == before


@pytest.mark.parametrize(
    "chosen",
    [
        {},
        {"private_key_jwt": {}, "tls_client_auth": {"credentials": []}},
        {"tls_client_auth": {"credentials": []}},
        {"private_key_jwt": {"credentials": [{"id": "cred_of_nobody"}]}},
        {"private_key_jwt": {"credentials": ["x"]}},
        {"private_key_jwt": {"credentials": [{"credential_type": "public_key", "pem": "x"}]}},
        {"private_key_jwt": {"credentials": [{"id": "x"}] * 21}},
        [],
        "x",
    ],
    ids=str,
)
async def test_what_is_no_way_of_authentication(shared_world: World, chosen: object) -> None:
    answer = await shared_world.manage("POST", "/clients", {"name": "App", METHODS: chosen})
    assert (answer.status_code, answer.json()["errorCode"]) == (400, "invalid_body")


async def test_either_secrets_or_keys(world: World) -> None:
    client = await world.new_client(app_type="regular_web")
    path = f"/clients/{client['client_id']}"
    made = (await world.manage("POST", f"{path}/credentials", credential(private_key()))).json()
    both = {METHODS: methods(made["id"]), "token_endpoint_auth_method": "client_secret_post"}
    refused = await world.manage("PATCH", path, both)
    assert refused.status_code == 400
    assert refused.json()["message"].startswith("Payload validation error: 'A client has either token_endpoint_auth")
    keyed = (await world.manage("PATCH", path, both | {"token_endpoint_auth_method": None})).json()
    assert keyed[METHODS] == methods(made["id"])
    assert "token_endpoint_auth_method" not in keyed
    assert (await world.manage("PATCH", path, {"name": "Renamed"})).json()[METHODS] == methods(made["id"])
    # What was read may be sent back whole.
    read = (await world.manage("GET", path)).json()
    assert (await world.manage("PATCH", path, read)).json() == read
    back = {METHODS: None, "token_endpoint_auth_method": "client_secret_basic"}
    plain = (await world.manage("PATCH", path, back)).json()
    assert plain["token_endpoint_auth_method"] == "client_secret_basic"
    assert METHODS not in plain


async def test_a_client_that_gives_up_its_keys_gets_a_secret(world: World) -> None:
    client = await signer(world)
    back = {METHODS: None, "token_endpoint_auth_method": "client_secret_post"}
    path = f"/clients/{client.client_id}"
    assert (await world.manage("PATCH", path, back, scope="update:clients")).status_code == 403
    assert await client.ask() == 403
    plain = (await world.manage("PATCH", path, back)).json()
    assert len(plain["client_secret"]) == 64
    assert await client.ask() == 401
    public = (await world.manage("PATCH", path, {"token_endpoint_auth_method": "none", "grant_types": []})).json()
    assert public["token_endpoint_auth_method"] == "none"
    assert await client.ask() == 401


async def test_a_deleted_client_takes_its_keys_along(world: World) -> None:
    client = await signer(world)
    assertion = client.assertion()
    assert (await world.manage("DELETE", f"/clients/{client.client_id}")).status_code == 204
    assert await world.count(tables.ClientCredential) == 0
    assert await client.ask(assertion) == 401
    late = await world.manage("POST", f"/clients/{client.client_id}/credentials", credential(private_key()))
    assert late.status_code == 404


async def test_whoever_may_not_make_secrets_makes_no_keys(world: World) -> None:
    client = await world.new_client(app_type="regular_web")
    path = f"/clients/{client['client_id']}"
    refused = await world.manage("POST", f"{path}/credentials", credential(private_key()), scope="update:clients")
    assert refused.status_code == 403
    made = (await world.manage("POST", f"{path}/credentials", credential(private_key()))).json()
    body = {METHODS: methods(made["id"]), "token_endpoint_auth_method": None}
    answer = await world.manage("PATCH", path, body, scope="update:clients")
    text = "Insufficient scope, expected any of: update:client_credentials,update:client_keys"
    assert (answer.status_code, answer.json()["message"]) == (403, text)
    both = "update:clients update:client_credentials"
    assert (await world.manage("PATCH", path, body, scope=both)).status_code == 200


async def test_discovery_names_the_ways(world: World) -> None:
    found = (await world.client.get("/.well-known/openid-configuration")).json()
    assert set(found["token_endpoint_auth_methods_supported"]) == {
        *("client_secret_basic", "client_secret_post", "private_key_jwt", "none")
    }
    algorithms = found["token_endpoint_auth_signing_alg_values_supported"]
    assert algorithms == ["RS256", "RS384", "PS256", "ES256", "Ed25519"]


async def test_the_key_itself_is_never_private(world: World) -> None:
    client = await signer(world)
    rows = await world.rows(tables.ClientCredential)
    assert [set(row["public_jwk"]) for row in rows] == [{"kty", "n", "e"}]
    assert pem_of(client.key) not in str(await world.rows(tables.JournalRow))
