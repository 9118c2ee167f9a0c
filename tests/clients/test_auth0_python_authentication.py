"""auth0-python, authentication: people and machines get tokens, by every way that the SDK has and we do."""

from typing import Any
from urllib.parse import urlencode

import pytest

from browser.site import Json, Site
from clients.elsewhere import Elsewhere, RaisedThere, There
from clients.guest import Guest
from clients.robot import signing_robot
from visitor import CHALLENGE, VERIFIER
from world import PASSWORD, claims_of

pytestmark = pytest.mark.timeout(300)  # the clients' environment is made by whoever comes first

CALLBACK = "https://shop.example.com/callback"
SCOPE = "openid profile email offline_access"
APP = {
    "name": "The Shop",
    "app_type": "regular_web",
    "callbacks": [CALLBACK],
    "grant_types": [
        "authorization_code",
        "refresh_token",
        "password",
        "http://auth0.com/oauth/grant-type/password-realm",
    ],
}


@pytest.fixture
def realm(site: Site) -> str:
    """The name of the default connection, where Ann has an account."""
    site.has_account("ann@example.com")
    return str(site.first["connection"]["name"])


@pytest.fixture
def app(site: Site) -> Json:
    """A client with a secret."""
    made: Json = site.manage("POST", "/clients", APP)
    return made


@pytest.fixture
def sdk(elsewhere: Elsewhere, domain: str, app: Json) -> "Sdk":
    """The classes of ``auth0.authentication``, for that client."""
    return Sdk(elsewhere, {"domain": domain, "client_id": app["client_id"], "client_secret": app["client_secret"]})


class Sdk:
    """Makes objects of ``auth0.authentication``."""

    def __init__(self, elsewhere: Elsewhere, about: dict[str, str]) -> None:
        self.elsewhere, self.about = elsewhere, about

    def make(self, name: str, **instead: str | None) -> There:
        """Make an object that authenticates as the client."""
        return self.elsewhere.make(f"auth0.authentication.{name}", **self.about | instead)

    def of_domain(self, name: str) -> There:
        """Make an object that wants to know the domain alone."""
        return self.elsewhere.make(f"auth0.authentication.{name}", self.about["domain"])

    def verified(self, id_token: str, **more: Any) -> Any:
        """Have the SDK verify an ID token, by our published keys, and return its claims."""
        domain = self.about["domain"]
        keys = self.elsewhere.make(
            "auth0.authentication.token_verifier.AsymmetricSignatureVerifier",
            f"https://{domain}/.well-known/jwks.json",
        )
        verifier = self.elsewhere.make(
            "auth0.authentication.token_verifier.TokenVerifier",
            signature_verifier=keys.as_argument(),
            issuer=f"https://{domain}/",
            audience=self.about["client_id"],
        )
        return verifier.verify(id_token, **more)


def authorize_url(sdk: Sdk, **more: str) -> str:
    """Return what the shop sends browsers to."""
    asked = {"client_id": sdk.about["client_id"], "redirect_uri": CALLBACK, "response_type": "code", "scope": SCOPE}
    return f"https://{sdk.about['domain']}/authorize?{urlencode(asked | more)}"


def test_a_password_login_refreshed_and_revoked(sdk: Sdk, realm: str) -> None:
    tokens = sdk.make("GetToken").login("ann@example.com", PASSWORD, scope=SCOPE, realm=realm)
    assert tokens["token_type"] == "Bearer"
    assert isinstance(tokens["expires_in"], int)
    claims = sdk.verified(tokens["id_token"])
    about = sdk.of_domain("Users").userinfo(tokens["access_token"])
    assert about["sub"] == claims["sub"]
    assert about["email"] == claims["email"] == "ann@example.com"

    fresh = sdk.make("GetToken").refresh_token(tokens["refresh_token"])
    assert sdk.verified(fresh["id_token"])["sub"] == claims["sub"]
    assert sdk.make("RevokeToken").revoke_refresh_token(tokens["refresh_token"]) == ""
    with pytest.raises(RaisedThere, match="Unknown or invalid refresh token") as refused:
        sdk.make("GetToken").refresh_token(tokens["refresh_token"])
    assert (refused.value.kind, refused.value.about["error_code"]) == ("Auth0Error", "invalid_grant")


def test_refusals(sdk: Sdk, realm: str) -> None:
    with pytest.raises(RaisedThere, match="Wrong email or password") as refused:
        sdk.make("GetToken").login("ann@example.com", "wrong", realm=realm)
    assert (refused.value.status, refused.value.about["error_code"]) == (403, "invalid_grant")
    with pytest.raises(RaisedThere) as refused:
        sdk.make("GetToken", client_secret="wrong").login("ann@example.com", PASSWORD, realm=realm)
    assert (refused.value.status, refused.value.about["error_code"]) == (401, "access_denied")
    with pytest.raises(RaisedThere) as refused:
        sdk.of_domain("Users").userinfo("no token")
    assert refused.value.status == 401


def test_too_many_attempts_say_when_to_come_back(sdk: Sdk, realm: str) -> None:
    """The SDK reads ``x-ratelimit-reset`` as a whole number."""
    login = sdk.make("GetToken").login
    for number in range(10):  # the same password again would be no guess
        with pytest.raises(RaisedThere, match="Wrong email or password"):
            login("ann@example.com", f"wrong {number}", realm=realm)
    with pytest.raises(RaisedThere) as refused:
        login("ann@example.com", "wrong", realm=realm)
    assert (refused.value.kind, refused.value.about["error_code"]) == ("RateLimitError", "too_many_attempts")


def test_a_code(sdk: Sdk, realm: str, guest: Guest) -> None:
    landed = guest.logs_in(authorize_url(sdk, state="a state", nonce="a nonce", max_age="600"))
    assert landed.answer["state"] == "a state"
    tokens = sdk.make("GetToken").authorization_code(landed.answer["code"], CALLBACK)
    assert sdk.verified(tokens["id_token"], nonce="a nonce", max_age=600)["nonce"] == "a nonce"
    with pytest.raises(RaisedThere) as refused:
        sdk.make("GetToken").authorization_code(landed.answer["code"], CALLBACK)
    assert (refused.value.status, refused.value.about["error_code"]) == (403, "invalid_grant")


def test_a_code_of_a_public_client(sdk: Sdk, realm: str, guest: Guest, site: Site) -> None:
    public = site.manage("POST", "/clients", {"name": "Phone", "app_type": "native", "callbacks": [CALLBACK]})
    phone = Sdk(sdk.elsewhere, {"domain": sdk.about["domain"], "client_id": public["client_id"]})
    asked = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}
    code = guest.logs_in(authorize_url(phone, **asked)).answer["code"]
    tokens = phone.make("GetToken").authorization_code_pkce(VERIFIER, code, CALLBACK)
    assert phone.verified(tokens["id_token"])["aud"] == public["client_id"]


def test_a_request_that_is_pushed(sdk: Sdk, realm: str, guest: Guest) -> None:
    pushed = sdk.make("pushed_authorization_requests.PushedAuthorizationRequests").pushed_authorization_request(
        "code", CALLBACK, scope=SCOPE, state="a state", nonce="a nonce"
    )
    short = {"client_id": sdk.about["client_id"], "request_uri": pushed["request_uri"]}
    landed = guest.logs_in(f"https://{sdk.about['domain']}/authorize?{urlencode(short)}")
    tokens = sdk.make("GetToken").authorization_code(landed.answer["code"], CALLBACK)
    assert sdk.verified(tokens["id_token"], nonce="a nonce")["email"] == "ann@example.com"


def test_a_machine(sdk: Sdk, site: Site) -> None:
    audience = f"{site.url}/api/v2/"
    machine = sdk.make("GetToken", **site.first["clients"]["management"])
    assert claims_of(machine.client_credentials(audience)["access_token"])["aud"] == audience
    with pytest.raises(RaisedThere) as refused:
        machine.client_credentials("https://nobody.example.com")
    assert refused.value.about["error_code"] == "access_denied"


def test_a_machine_that_signs_for_itself(sdk: Sdk, site: Site, domain: str) -> None:
    """``private_key_jwt``: the SDK makes the assertion out for the issuer."""
    robot = signing_robot(site)
    signing = {"client_id": robot.client_id, "client_secret": None, "client_assertion_signing_key": robot.key.private}
    found = sdk.make("GetToken", **signing).client_credentials(f"{site.url}/api/v2/")
    assert claims_of(found["access_token"])["azp"] == robot.client_id


def test_signing_up_and_forgetting(sdk: Sdk, site: Site) -> None:
    realm = site.first["connection"]["name"]
    database = sdk.make("Database")
    made = database.signup("bob@example.com", PASSWORD, realm, user_metadata={"plan": "gold"}, given_name="Bob")
    assert made["email"] == "bob@example.com"
    assert not made["_id"].startswith("auth0|")
    assert "email" in database.change_password("bob@example.com", realm)
    assert database.change_password("nobody@example.com", realm) == database.change_password("bob@example.com", realm)
    with pytest.raises(RaisedThere) as refused:
        database.signup("bob@example.com", PASSWORD, realm)
    assert (refused.value.status, refused.value.about["error_code"]) == (400, "invalid_signup")
    with pytest.raises(RaisedThere) as refused:
        database.signup("carl@example.com", "short", realm)
    assert (refused.value.status, refused.value.about["error_code"]) == (400, "invalid_password")
