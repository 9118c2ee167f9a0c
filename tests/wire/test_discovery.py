"""What clients find out by themselves: the discovery document and the keys."""

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers

from authenticator import unb64url
from world import World

URL = "http://localhost:8000"


async def test_the_discovery_document(world: World) -> None:
    answer = await world.client.get("/.well-known/openid-configuration")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    found = answer.json()
    assert found["issuer"] == f"{URL}/"
    assert found["authorization_endpoint"] == f"{URL}/authorize"
    assert found["token_endpoint"] == f"{URL}/oauth/token"
    assert found["userinfo_endpoint"] == f"{URL}/userinfo"
    assert found["jwks_uri"] == f"{URL}/.well-known/jwks.json"
    assert found["response_types_supported"] == ["code"]
    assert found["code_challenge_methods_supported"] == ["S256"]
    assert found["id_token_signing_alg_values_supported"] == ["RS256"]
    assert found["subject_types_supported"] == ["public"]
    assert found["authorization_response_iss_parameter_supported"] is True
    methods = {"client_secret_basic", "client_secret_post", "private_key_jwt", "none"}
    assert set(found["token_endpoint_auth_methods_supported"]) == methods
    assert "urn:okta:params:oauth:grant-type:webauthn" in found["grant_types_supported"]
    twin = await world.client.get("/.well-known/oauth-authorization-server")
    assert twin.json() == found


async def test_every_endpoint_that_is_named_is_there(world: World) -> None:
    found = (await world.client.get("/.well-known/openid-configuration")).json()
    for name, url in found.items():
        if name.endswith(("_endpoint", "_uri")):
            assert (await world.client.get(url)).status_code != 404, name


async def test_the_host_header_changes_nothing(world: World) -> None:
    for host in ("evil.example", "localhost:9999", "[::1]:8000"):
        answer = await world.client.get("/.well-known/openid-configuration", headers={"host": host})
        assert answer.json()["issuer"] == f"{URL}/"
        assert "evil" not in answer.text


async def test_the_keys_are_public_and_rsa(world: World) -> None:
    answer = await world.client.get("/.well-known/jwks.json")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "public, max-age=300"
    (key,) = answer.json()["keys"]
    assert sorted(key) == ["alg", "e", "kid", "kty", "n", "use", "x5c", "x5t"]
    assert (key["kty"], key["alg"], key["use"]) == ("RSA", "RS256", "sig")
    modulus = int.from_bytes(unb64url(key["n"]), "big")
    exponent = int.from_bytes(unb64url(key["e"]), "big")
    assert RSAPublicNumbers(exponent, modulus).public_key().key_size == 2048
