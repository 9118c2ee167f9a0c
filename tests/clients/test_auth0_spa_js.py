"""@auth0/auth0-spa-js in Chromium: login, silent renewal in both ways, a login in a window of its own, logout."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from browser import ON_SQLITE
from browser.conftest import SomebodyAt
from browser.people import Person
from browser.site import Site, listening, port_of, serving
from browser.tls import in_front_of
from clients.spa import App, Customer, open_app
from conftest import Stencil
from world import claims_of

pytestmark = [ON_SQLITE, pytest.mark.browser, pytest.mark.timeout(300)]  # the client is fetched by whoever comes first

HOST = "login.example.localhost"
RENEWING = {"useRefreshTokens": True}


@pytest.fixture
def site(installation: Stencil, ca: trustme.CA) -> Iterator[Site]:
    """A server on the same site as the app: another host below the same domain, with TLS too."""
    outside, inside = listening(), listening()
    url = f"https://{HOST}:{port_of(outside)}"
    with (
        serving(installation.settings, installation.document, bound=inside, public_url=url) as running,
        in_front_of(port_of(inside), bound=outside, names=(HOST,), ca=ca),
    ):
        yield running


@pytest.fixture
def app(site: Site, npm: Path, ca: trustme.CA) -> Iterator[App]:
    """The app."""
    with open_app(site, npm, ca) as opened:
        yield opened


@pytest.fixture
def ann(somebody: SomebodyAt) -> Person:
    """Ann, who has a passkey."""
    seated = somebody(ignore_https_errors=True)
    seated.has_passkey()
    return seated


@pytest.fixture
def customer(ann: Person, app: App) -> Customer:
    """Ann, a customer of the app."""
    return Customer(ann, app)


def logs_in(customer: Customer) -> None:
    """Log in with the passkey, by autofill."""
    customer.reads("Nobody is logged in")
    customer.person.presses("Log in")
    customer.reads("Hello ann@example.com")


def test_with_a_passkey(customer: Customer) -> None:
    customer.opens()
    logs_in(customer)
    assert claims_of(customer.gets_token()["id_token"])["amr"] == ["phr"]


def test_with_a_password(customer: Customer, somebody: SomebodyAt, app: App) -> None:
    bob = Customer(somebody("bob@example.com", ignore_https_errors=True), app)
    bob.person.has_password()
    bob.opens()
    bob.person.presses("Log in")
    bob.person.gives_password()
    bob.person.presses("Not now")
    bob.reads("Hello bob@example.com")
    assert claims_of(bob.gets_token()["id_token"])["amr"] == ["pwd"]


def test_renewal_in_a_frame(customer: Customer) -> None:
    """``prompt=none`` and ``response_mode=web_message``: a frame on the same site has the session cookie."""
    customer.opens()
    logs_in(customer)
    first = customer.gets_token()
    with customer.person.page.expect_request("**/authorize?*response_mode=web_message*"):
        second = customer.gets_token(cacheMode="off")
    assert second["access_token"] != first["access_token"]
    assert claims_of(second["id_token"])["sub"] == claims_of(first["id_token"])["sub"]


def test_renewal_by_refresh_token(customer: Customer) -> None:
    """Without cookies, so that no frame could have done it; each time with the token that the last time brought."""
    customer.opens(**RENEWING)
    logs_in(customer)
    customer.person.page.context.clear_cookies()
    found = [customer.gets_token(cacheMode="off")["access_token"] for _ in range(3)]
    assert len(set(found)) == 3


def test_renewal_by_refresh_token_after_a_reload(customer: Customer) -> None:
    customer.opens(**RENEWING, cacheLocation="localstorage")
    logs_in(customer)
    customer.person.page.reload()
    customer.reads("Hello ann@example.com")
    assert "access_token" in customer.gets_token(cacheMode="off")


def test_a_frame_where_the_refresh_token_is_not_taken(customer: Customer, site: Site) -> None:
    """``useRefreshTokensFallback``: the SDK finds the words "invalid refresh token" in the answer."""
    customer.opens(**RENEWING, useRefreshTokensFallback=True)
    logs_in(customer)
    user_id = site.account("ann@example.com")["user_id"]
    site.manage("DELETE", f"/users/{user_id}/refresh-tokens")
    with customer.person.page.expect_request("**/authorize?*response_mode=web_message*"):
        assert "access_token" in customer.gets_token(cacheMode="off")


def test_a_reload(customer: Customer) -> None:
    """``checkSession``: nothing is kept in the page, so the frame logs in again."""
    customer.opens()
    logs_in(customer)
    with customer.person.page.expect_request("**/authorize?*prompt=none*"):
        customer.person.page.reload()
    customer.reads("Hello ann@example.com")


def test_nobody_is_logged_in(customer: Customer) -> None:
    customer.opens()
    customer.reads("Nobody is logged in")
    assert customer.gets_token()["error"] == "login_required"


def test_in_a_window_of_its_own(customer: Customer) -> None:
    """The answer is a message to the window that opened it. Its passkeys are not those of the first tab."""
    customer.person.site.manage("DELETE", f"/users/{customer.person.site.account('ann@example.com')['user_id']}")
    customer.person.has_password()
    customer.opens()
    customer.reads("Nobody is logged in")
    with customer.person.page.context.expect_page() as opened:
        customer.person.presses("Log in in a window")
    window = replace(customer.person, page=opened.value)
    window.gives_password()
    window.presses("Not now")
    customer.reads("Hello ann@example.com")
    assert window.page.is_closed()


def test_logging_out(customer: Customer) -> None:
    customer.opens()
    logs_in(customer)
    with customer.person.page.expect_request("**/v2/logout?*"):
        customer.person.presses("Log out")
    customer.reads("Nobody is logged in")
    assert customer.gets_token()["error"] == "login_required"


def test_a_token_given_back(customer: Customer) -> None:
    customer.opens(**RENEWING)
    logs_in(customer)
    customer.person.page.evaluate("client.revokeRefreshToken()")
    assert customer.gets_token(cacheMode="off")["error"] == "missing_refresh_token"


def test_somebody_who_is_blocked(customer: Customer, site: Site) -> None:
    """It reads "user is blocked" in the answer, and forgets that anybody was logged in."""
    customer.opens(**RENEWING, useRefreshTokensFallback=True)
    logs_in(customer)
    site.manage("PATCH", f"/users/{site.account('ann@example.com')['user_id']}", {"blocked": True})
    assert customer.gets_token(cacheMode="off")["error"] == "invalid_grant"
    assert customer.person.page.evaluate("client.isAuthenticated()") is False


def test_passkeys_in_a_screen_of_its_own(somebody: SomebodyAt, site: Site, npm: Path, ca: trustme.CA) -> None:
    """The page is on a host below the server's, so it may ask for the server's passkeys."""
    carl = somebody("carl@example.com", ignore_https_errors=True)
    with open_app(site, npm, ca, host=f"shop.{HOST}") as app:
        customer = Customer(carl, app)
        customer.opens()
        customer.reads("Nobody is logged in")
        made = carl.page.evaluate("client.passkey.signup({email: 'carl@example.com'})")
        assert claims_of(made["id_token"])["email"] == "carl@example.com"
        again = carl.page.evaluate("client.passkey.login()")
        assert claims_of(again["id_token"])["sub"] == claims_of(made["id_token"])["sub"]
        assert carl.page.evaluate("client.getUser()")["email"] == "carl@example.com"


MY_ACCOUNT = """async () => {
    const mine = client.myAccount;
    const begun = await mine.enrollmentChallenge({ type: "passkey", use_exclude_credentials: false });
    const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(begun.authn_params_public_key);
    const authn_response = (await navigator.credentials.create({ publicKey })).toJSON();
    const { location, auth_session } = begun;
    const made = await mine.enrollmentVerify({ location, type: "passkey", auth_session, authn_response });
    const renamed = await mine.updateAuthenticationMethod(made.id, { name: "Of the shop" });
    const shown = await mine.getAuthenticationMethod(made.id);
    const all = await mine.getAuthenticationMethods();
    const passkeys = await mine.getAuthenticationMethods("passkey");
    const factors = await mine.getFactors();
    await mine.deleteAuthenticationMethod(passkeys[0].id);
    const left = await mine.getAuthenticationMethods("passkey");
    const refused = await mine.deleteAuthenticationMethod(left[0].id).catch(({ status }) => ({ status }));
    return { begun, made, renamed, shown, all, passkeys, factors, left, refused };
}"""


def test_one_s_own_passkeys(somebody: SomebodyAt, site: Site, npm: Path, ca: trustme.CA) -> None:
    """Every call of its ``myAccount`` about authentication methods, with tokens that it gets in a frame."""
    ann = somebody(ignore_https_errors=True)
    ann.has_passkey()
    ann.watch.expects("status of 409")
    with open_app(site, npm, ca, host=f"shop.{HOST}") as app:
        customer = Customer(ann, app)
        customer.opens()
        logs_in(customer)
        found = ann.page.evaluate(MY_ACCOUNT)
    assert found["begun"]["id"] == "passkey|new"
    assert found["made"]["id"].startswith("passkey|dev_")
    assert found["renamed"] == found["shown"] == found["made"] | {"name": "Of the shop"}
    assert found["all"] == found["passkeys"], "she has no password"
    assert len(found["passkeys"]) == 2
    assert found["factors"] == [{"type": kind, "usage": ["primary"]} for kind in ("password", "passkey")]
    assert found["left"] == [found["renamed"]]
    assert found["refused"]["status"] == 409
    assert len(site.passkeys("ann@example.com")) == 1
