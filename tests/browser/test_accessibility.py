"""Without a mouse, and as a screen reader has it."""

import pytest
from playwright.sync_api import Page, expect

from browser import ON_SQLITE
from browser.people import Person
from browser.shop import Shop

pytestmark = [pytest.mark.browser, ON_SQLITE]


def _focused(page: Page) -> str:
    """Return the accessible name of what has the focus."""
    return str(page.evaluate("(document.activeElement.labels?.[0] ?? document.activeElement).textContent.trim()"))


def _tabs_through(page: Page, count: int) -> list[str]:
    found = [_focused(page)]
    for _ in range(count - 1):
        page.keyboard.press("Tab")
        found.append(_focused(page))
    return found


def test_the_login_page_as_it_is_read_aloud(ann: Person) -> None:
    ann.goes_to_sign_in()
    expect(ann.page.locator("body")).to_match_aria_snapshot(
        """
        - main:
          - heading "Sign in" [level=1]
          - paragraph: to continue to Default App
          - text: Email address
          - textbox "Email address"
          - button "Continue"
          - button "Sign in with a passkey"
          - status
          - paragraph:
            - text: New here?
            - link "Create an account"
        """
    )
    assert ann.page.title() == "Sign in – Default App"  # noqa: RUF001 - the dash of the page
    assert ann.page.locator("html").get_attribute("lang") == "en"


def test_the_keys_lead_through_the_login_page_in_order(ann: Person) -> None:
    ann.goes_to_sign_in()
    expect(ann.page.locator("#username")).to_be_focused()
    ann.can_press("Sign in with a passkey")
    assert _tabs_through(ann.page, 4) == ["Email address", "Continue", "Sign in with a passkey", "Create an account"]
    ann.page.keyboard.press("Enter")
    ann.is_at("Create your account")


def test_a_password_login_by_keyboard_alone(ann: Person) -> None:
    ann.watch.expects("status of 403")
    ann.has_password()
    ann.opens()
    ann.page.get_by_role("button", name="Sign in", exact=True).focus()
    keys = ann.page.keyboard
    keys.press("Enter")
    expect(ann.page.locator("#username")).to_be_focused()
    keys.type(ann.email)
    keys.press("Enter")
    expect(ann.page.locator("#password")).to_be_focused()
    keys.type("not the password")
    keys.press("Enter")
    ann.is_told("Wrong email address or password.")
    expect(ann.page.locator("#password")).to_be_focused()
    expect(ann.page.locator("#password")).to_have_accessible_description("Wrong email address or password.")
    keys.type(ann.password)
    keys.press("Enter")
    ann.is_at("Skip the password next time")
    ann.page.get_by_role("button", name="Create a passkey").focus()
    assert _tabs_through(ann.page, 3)[:2] == ["Create a passkey", "Not now"]
    ann.page.get_by_role("button", name="Not now").focus()
    keys.press("Space")
    ann.is_signed_in()


def test_the_password_can_be_shown_and_is_sent_hidden(ann: Person) -> None:
    ann.has_password()
    ann.goes_to_sign_in()
    ann.types(username=ann.email)
    ann.presses("Continue")
    password = ann.page.locator("#password")
    ann.types(password=ann.password)
    ann.presses("Show password")
    expect(password).to_have_attribute("type", "text")
    expect(password).to_have_value(ann.password)
    ann.presses("Hide password")
    expect(password).to_have_attribute("type", "password")
    ann.presses("Sign in")
    ann.presses("Not now")
    ann.is_signed_in()


def test_an_error_without_a_field_has_the_focus(ann: Person, shop: Shop) -> None:
    """Whoever cannot see the page is taken to what is new on it."""
    ann.watch.expects("status of 403")
    ann.has_passkey()
    ann.site.delete_passkeys(ann.email)
    ann.site.patch_options(passkey_options={"challenge_ui": "button"})
    ann.opens(shop.login_url())
    ann.presses("Sign in with a passkey")
    expect(ann.page.get_by_role("alert")).to_be_focused()


def test_a_long_name_of_a_client_and_no_sideways_scrolling(ann: Person, shop: Shop) -> None:
    """At 320 CSS pixels, which is 400 % zoom on a small laptop, nothing is cut off (WCAG 2.2, 1.4.10)."""
    ann.site.manage("PATCH", f"/clients/{shop.client_id}", {"name": "Vereinigte" * 19})
    ann.page.set_viewport_size({"width": 320, "height": 640})
    for address in (shop.login_url(), shop.login_url(screen_hint="signup"), "/"):
        ann.opens(address)
        expect(ann.page.get_by_role("heading", level=1)).to_be_visible()
        assert ann.page.evaluate("document.documentElement.scrollWidth") <= 320
