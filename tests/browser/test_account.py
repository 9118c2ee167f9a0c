"""Somebody looks where they are signed in, does not know one of the browsers, and signs it out."""

from urllib.parse import urlencode

import pytest
from playwright.sync_api import expect

from browser import ON_SQLITE
from browser.conftest import SomebodyAt
from browser.people import Person

pytestmark = pytest.mark.browser

PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.5 Mobile/15E148 Safari/604.1"
)


def _signs_in(person: Person) -> None:
    """Come to the page of the account by way of a login without scripts or passkeys."""
    person.opens("/u/account")
    person.gives_password()
    person.is_at("Skip the password next time")
    person.presses("Not now")
    person.is_at("Where you are signed in")


def test_a_session_that_somebody_does_not_know(somebody: SomebodyAt) -> None:
    """In a browser that runs no scripts: the pages are forms, and their policy lets the forms through."""
    phone = somebody(user_agent=PHONE, java_script_enabled=False)
    phone.has_password()
    _signs_in(phone)
    ann = somebody(alone=True, java_script_enabled=False)
    _signs_in(ann)
    ann.reads("This browser")
    ann.reads("Chrome on Linux")
    unknown = ann.page.get_by_role("listitem").filter(has_text="Safari on iPhone")
    unknown.get_by_role("button").click()
    ann.reads("You are signed in nowhere else.")
    phone.opens("/u/account")
    phone.is_at("Sign in")


@ON_SQLITE
def test_signing_out_of_it_all(ann: Person) -> None:
    """And a client that asks for a logout without a hint has the person asked first."""
    ann.has_password()
    _signs_in(ann)
    client_id = ann.site.first["clients"]["default"]["client_id"]
    asked = urlencode({"client_id": client_id, "post_logout_redirect_uri": f"{ann.site.url}/"})
    ann.opens(f"/oidc/logout?{asked}")
    ann.is_at("Sign out?")
    ann.reads(ann.email)
    ann.opens("/u/account")
    ann.is_at("Where you are signed in")
    ann.page.go_back()
    ann.presses("Sign out")
    expect(ann.page.locator("#welcome")).to_be_visible()
    ann.opens("/u/account")
    ann.is_at("Sign in")


@ON_SQLITE
def test_an_image_of_the_logout_logs_nobody_out(ann: Person) -> None:
    """Not even one on a page of ours, to which the browser would send every cookie."""
    ann.watch.expects("403")
    ann.has_password()
    _signs_in(ann)
    with ann.page.expect_response("**/v2/logout") as answered:
        ann.page.evaluate("() => { document.body.append(Object.assign(new Image(), { src: '/v2/logout' })) }")
    assert answered.value.status == 403
    ann.opens("/u/account")
    ann.is_at("Where you are signed in")
