"""Passwords need no script: a whole sign-up and login in a browser that runs none, for an application elsewhere.

That the browser arrives there also shows that the pages' ``form-action`` lets the form's redirects through.
"""

import pytest
from playwright.sync_api import expect

from browser import ON_SQLITE
from browser.conftest import SomebodyAt
from browser.people import BUTTON, Person
from browser.shop import Shop

pytestmark = pytest.mark.browser


@pytest.fixture
def ann(somebody: SomebodyAt) -> Person:
    """Ann, whose browser runs no scripts."""
    return somebody(java_script_enabled=False)


def _says(person: Person, text: str) -> None:
    """See what is for browsers that run no scripts."""
    expect(person.page.locator("noscript p").get_by_text(text)).to_be_visible()


def test_sign_up_and_login(ann: Person, shop: Shop) -> None:
    ann.opens(shop.login_url(screen_hint="signup"))
    ann.reads("to continue to The Shop")
    ann.types(email=ann.email)
    ann.presses("Continue")
    ann.is_at("Create a passkey")
    _says(ann, "Creating a passkey needs JavaScript, which is off in this browser.")
    expect(ann.page.locator(BUTTON)).to_be_hidden()
    ann.presses("Continue without a passkey")
    ann.types(password=ann.password)
    ann.presses("Create account")
    ann.page.wait_for_url(f"{shop.callback}?*")
    claims = shop.redeem(ann.page.url)
    assert (claims["email"], claims["amr"]) == (ann.email, ["pwd"])

    ann.watch.expects("status of 403")
    ann.opens(shop.login_url(prompt="login"))
    expect(ann.page.locator(BUTTON)).to_be_hidden()
    ann.gives_password("not the password")
    ann.is_told("Wrong email address or password.")
    ann.types(password=ann.password)
    ann.presses("Sign in")
    ann.is_at("Skip the password next time")
    ann.presses("Not now")
    ann.page.wait_for_url(f"{shop.callback}?*")
    claims = shop.redeem(ann.page.url)
    assert (claims["email"], claims["amr"]) == (ann.email, ["pwd"])


@ON_SQLITE
def test_the_landing_page_says_what_it_needs(ann: Person) -> None:
    ann.opens()
    _says(ann, "This page is a small browser application and needs JavaScript. The sign-in pages do not.")


@ON_SQLITE
def test_where_only_passkeys_are_used(ann: Person, shop: Shop) -> None:
    ann.site.patch_options(
        authentication_methods={
            "password": {"enabled": False, "api_behavior": "optional"},
            "passkey": {"enabled": True},
        }
    )
    ann.opens(shop.login_url())
    _says(ann, "Signing in here needs a passkey, and so JavaScript, which is off in this browser.")
    expect(ann.page.get_by_role("button")).to_have_count(0)
