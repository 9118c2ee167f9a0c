"""Behind a proxy that ends TLS, with nothing but the public URL to tell the server so."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from browser.conftest import SomebodyAt
from browser.people import Person, Seen
from browser.shop import Shop
from browser.site import Site, listening, port_of, serving
from browser.tls import in_front_of
from conftest import Stencil

pytestmark = pytest.mark.browser


@pytest.fixture
def site(installation: Stencil) -> Iterator[Site]:
    """A server at https://localhost."""
    outside, inside = listening(), listening()
    url = f"https://localhost:{port_of(outside)}"
    with (
        serving(installation.settings, installation.document, bound=inside, public_url=url) as running,
        in_front_of(port_of(inside), bound=outside),
    ):
        yield running


@pytest.fixture
def ann(somebody: SomebodyAt) -> Person:
    """Ann, whose browser takes the proxy's certificate."""
    return somebody(ignore_https_errors=True)


def test_a_passkey_and_cookies_of_this_host_alone(ann: Person, shop: Shop) -> None:
    ann.signs_up_with_passkey()
    assert ann.sees() == Seen("ann@example.com", "with a passkey", 1)
    cookies = {each["name"]: each for each in ann.page.context.cookies()}
    assert set(cookies) == {"__Host-keystead-browser", "__Host-keystead-session", "__Host-keystead-device"}
    for each in cookies.values():
        assert each["secure"]
        assert each["httpOnly"]
        assert (each["path"], each["sameSite"], each["domain"]) == ("/", "Lax", "localhost")

    ann.signs_out()
    ann.goes_to_sign_in()
    assert ann.sees().method == "with a passkey"
    ann.opens(shop.login_url())
    ann.page.wait_for_url(f"{shop.callback}?*")
    assert shop.redeem(ann.page.url)["iss"] == f"{ann.site.url}/"


def test_a_password_and_the_offer_of_a_passkey(ann: Person) -> None:
    ann.has_password()
    ann.signs_in_with_password()
    ann.presses("Create a passkey")
    assert ann.sees() == Seen("ann@example.com", "with a password", 1)
    expect(ann.page).to_have_url(f"{ann.site.url}/")
