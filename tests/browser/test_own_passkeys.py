"""People look after their passkeys at ``/u/account/passkeys``: add, name, remove, and never lock themselves out."""

import re

import pytest
from playwright.sync_api import Locator, expect

from browser import ON_SQLITE
from browser.conftest import SomebodyAt
from browser.people import BUTTON, Person

pytestmark = pytest.mark.browser

PAGE = "/u/account/passkeys"


@pytest.fixture
def ann(ann: Person) -> Person:
    """Ann, who has a password and no passkey."""
    ann.has_password()
    return ann


def opens_it(person: Person) -> None:
    """Come to the page by a login with a password, without the offer of a passkey."""
    person.opens(PAGE)
    person.gives_password()
    person.presses("Not now")
    person.is_at("Your passkeys")


def adds_one(person: Person) -> None:
    person.presses("Add a passkey")
    person.reads("The passkey was added.")


def card(person: Person, name: str) -> Locator:
    """The card of a passkey."""
    return person.page.get_by_role("listitem").filter(has=person.page.locator(".title", has_text=name))


def opens_on(person: Person, name: str, act: str) -> Locator:
    """Open what can be done about a passkey, and return its part of the card."""
    found = card(person, name).locator("details").filter(has_text=act)
    found.locator("summary").click()
    return found


def test_a_passkey_from_the_first_day_to_the_last(ann: Person) -> None:
    opens_it(ann)
    ann.reads("You have none yet.")
    adds_one(ann)
    expect(card(ann, "Chromium virtual authenticator")).to_contain_text("Synced")
    expect(card(ann, "Chromium virtual authenticator")).to_contain_text("Not used yet")
    assert len(ann.device.credentials) == 1

    renaming = opens_on(ann, "Chromium virtual authenticator", "Rename")
    renaming.get_by_label("Name").fill("Ann’s <blue> phone")  # noqa: RUF001 - as people write it
    renaming.get_by_role("button", name="Save").click()
    ann.reads("The passkey has its new name.")
    expect(card(ann, "Ann’s <blue> phone")).to_contain_text("Chromium virtual authenticator · Synced")  # noqa: RUF001

    ann.opens("/v2/logout")
    ann.opens(PAGE)
    expect(card(ann, "blue")).to_contain_text("Last used")

    removal = opens_on(ann, "blue", "Remove")
    expect(removal).to_contain_text("You will not be able to sign in with this passkey any more.")
    removal.get_by_role("button", name="Remove it").click()
    ann.reads("The passkey was removed, and your browser was told.")
    ann.reads("You have none yet.")
    ann.device.settles_at(0)


@ON_SQLITE
def test_a_second_device(ann: Person) -> None:
    """What is there is excluded, so that a device that has one says so."""
    opens_it(ann)
    adds_one(ann)
    ann.presses("Add a passkey")
    ann.is_told("This device already holds a passkey for this account.")
    ann.device.ignores()
    ann.device = ann.devices.add("usb")
    adds_one(ann)
    expect(card(ann, "Security key")).to_contain_text("On one device only")
    assert len(ann.device.credentials) == 1


@ON_SQLITE
def test_a_dialog_that_is_closed_changes_nothing(ann: Person) -> None:
    opens_it(ann)
    ann.device.refuses()
    ann.presses("Add a passkey")
    ann.reads("No passkey was used")
    ann.device.relents()
    adds_one(ann)


@ON_SQLITE
def test_the_last_way_in(somebody: SomebodyAt) -> None:
    ann = somebody()
    ann.has_passkey()
    ann.opens(PAGE)
    ann.is_at("Your passkeys")
    only = opens_on(ann, "Passkey", "Remove")
    expect(only).to_contain_text("This is your only way to sign in. Add another passkey first")
    expect(only.get_by_role("button")).to_have_count(0)
    ann.device.ignores()
    ann.device = ann.devices.add("usb")
    adds_one(ann)
    opens_on(ann, "Passkey", "Remove").get_by_role("button", name="Remove it").click()
    ann.reads("The passkey was removed")
    expect(opens_on(ann, "Security key", "Remove")).to_contain_text("your only way to sign in")


def test_a_login_that_is_too_old_and_back(ann: Person) -> None:
    """To add, and to remove: they sign in again and are where they were; what they wanted is not done by itself."""
    opens_it(ann)
    adds_one(ann)
    ann.device.ignores()
    ann.device = ann.devices.add("usb")
    ann.site.clock.advance(minutes=6)
    ann.watch.expects("status of 403")
    ann.presses("Add a passkey")
    ann.is_at("Sign in")
    expect(ann.page.locator("#username")).to_have_value(ann.email)
    ann.gives_password()
    ann.is_at("Your passkeys")
    expect(ann.page.get_by_role("listitem")).to_have_count(1)
    adds_one(ann)

    ann.site.clock.advance(minutes=6)
    ann.device.ignores()
    opens_on(ann, "Chromium virtual authenticator", "Remove").get_by_role("button", name="Remove it").click()
    ann.gives_password()
    ann.is_at("Your passkeys")
    again = ann.page.get_by_role("button", name="Remove it")
    expect(again).to_have_count(1)
    expect(again).to_be_focused()
    again.press("Enter")
    ann.reads("The passkey was removed")
    expect(card(ann, "Security key")).to_be_visible()


def test_without_scripts(somebody: SomebodyAt) -> None:
    """All but adding, which needs the browser's dialog."""
    ann = somebody(java_script_enabled=False)
    ann.has_password()
    opens_it(ann)
    expect(ann.page.locator("noscript p")).to_be_visible()
    expect(ann.page.locator(BUTTON)).to_be_hidden()

    other = somebody(alone=True)
    opens_it(other)
    adds_one(other)

    ann.opens(PAGE)
    renaming = opens_on(ann, "Chromium virtual authenticator", "Rename")
    renaming.get_by_label("Name").fill("Mine")
    renaming.get_by_role("button", name="Save").click()
    ann.reads("The passkey has its new name.")
    opens_on(ann, "Mine", "Remove").get_by_role("button", name="Remove it").click()
    ann.reads("You have none yet.")


@ON_SQLITE
def test_a_browser_without_passkeys(somebody: SomebodyAt) -> None:
    ann = somebody(alone=True)
    ann.page.add_init_script("delete window.PublicKeyCredential;")
    ann.has_password()
    opens_it(ann)
    ann.reads("This browser does not support passkeys.")
    expect(ann.page.locator(BUTTON)).to_be_hidden()


@ON_SQLITE
def test_a_session_that_ended_meanwhile(ann: Person) -> None:
    opens_it(ann)
    ann.watch.expects("status of 401")
    ann.in_another_tab().opens("/v2/logout")
    ann.presses("Add a passkey")
    ann.is_told("You are not signed in any more.")
    assert ann.site.passkeys(ann.email) == []


@ON_SQLITE
def test_from_one_page_of_the_account_to_the_other(ann: Person) -> None:
    opens_it(ann)
    ann.presses("Where you are signed in")
    ann.is_at("Where you are signed in")
    ann.presses("Your passkeys")
    ann.is_at("Your passkeys")


# --- for everybody -------------------------------------------------------------------------------------------------


@ON_SQLITE
def test_the_page_as_it_is_read_aloud(ann: Person) -> None:
    opens_it(ann)
    adds_one(ann)
    expect(ann.page.locator("body")).to_match_aria_snapshot(
        """
        - main:
          - heading "Your passkeys" [level=1]
          - paragraph: ann@example.com
          - status: The passkey was added. Next time you can sign in with it.
          - paragraph: /A passkey signs you in/
          - list:
            - listitem:
              - paragraph: Chromium virtual authenticator
              - paragraph: Synced
              - paragraph:
                - text: Created
                - time
              - paragraph: Not used yet
              - group: Rename Chromium virtual authenticator
              - group: Remove Chromium virtual authenticator
          - button "Add a passkey"
          - status
          - paragraph:
            - link "Where you are signed in"
            - text: ·
            - link "Back to the start"
        """
    )
    assert ann.page.title() == "Your passkeys"
    renaming = opens_on(ann, "Chromium virtual authenticator", "Rename")
    expect(renaming.get_by_role("textbox")).to_have_accessible_name("Name")


@ON_SQLITE
def test_by_keyboard_alone(ann: Person) -> None:
    opens_it(ann)
    adds_one(ann)
    ann.page.locator("summary").first.focus()
    keys = ann.page.keyboard
    keys.press("Enter")
    keys.press("Tab")
    expect(ann.page.get_by_label("Name")).to_be_focused()
    keys.press("ControlOrMeta+a")
    keys.type("Key of Ann")
    keys.press("Enter")
    ann.reads("The passkey has its new name.")
    expect(card(ann, "Key of Ann")).to_be_visible()


@ON_SQLITE
def test_a_long_name_and_no_sideways_scrolling(ann: Person) -> None:
    """At 320 CSS pixels nothing is cut off (WCAG 2.2, 1.4.10), and what can be pressed is large enough (2.5.8)."""
    ann.page.set_viewport_size({"width": 320, "height": 640})
    opens_it(ann)
    adds_one(ann)
    renaming = opens_on(ann, "Chromium virtual authenticator", "Rename")
    renaming.get_by_label("Name").fill("Vereinigte" * 10)
    renaming.get_by_role("button", name="Save").click()
    opens_on(ann, "Vereinigte", "Remove")
    assert ann.page.evaluate("document.documentElement.scrollWidth") <= 320
    for each in ann.page.locator("summary, button:visible").all():
        box = each.bounding_box()
        assert box is not None
        assert box["height"] >= 24, each


@ON_SQLITE
def test_an_error_has_the_focus(ann: Person) -> None:
    ann.watch.expects("status of 404")
    opens_it(ann)
    adds_one(ann)
    other = ann.in_another_tab()
    other.opens(PAGE)
    opens_on(other, "Chromium virtual authenticator", "Remove").get_by_role("button", name="Remove it").click()
    other.reads("You have none yet.")
    opens_on(ann, "Chromium virtual authenticator", "Remove").get_by_role("button", name="Remove it").click()
    expect(ann.page.get_by_role("alert")).to_be_focused()
    expect(ann.page.get_by_role("alert")).to_have_text(re.compile("could not be found"))


@ON_SQLITE
def test_a_password_is_given_up(ann: Person) -> None:
    """Once there is a passkey; from then on that is the last way in."""
    ann.site.patch_options(passkey_policy={"passwordless_accounts": True})
    opens_it(ann)
    expect(ann.page.get_by_text("Remove my password")).to_have_count(0)
    adds_one(ann)
    removal = ann.page.locator("details").filter(has_text="Remove my password")
    removal.locator("summary").click()
    expect(removal).to_contain_text("You will sign in with a passkey alone.")
    removal.get_by_role("button", name="Remove it").click()
    ann.reads("Your password was removed.")
    expect(opens_on(ann, "Chromium virtual authenticator", "Remove")).to_contain_text(
        "This is your only way to sign in."
    )
    ann.opens("/v2/logout")
    ann.opens(PAGE)
    ann.is_at("Your passkeys")
