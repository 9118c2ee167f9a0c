"""People who have an account are offered a passkey, or need one by a day, or get one by an administrator's link."""

from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import expect

from browser import ON_SQLITE
from browser.conftest import SomebodyAt
from browser.people import BUTTON, Person, Seen
from browser.shop import Shop

pytestmark = pytest.mark.browser

PROGRESSIVE = "Skip the password next time"
LOCAL = "Use this device next time"


@pytest.fixture
def ann(ann: Person) -> Person:
    """Ann, who has a password and no passkey."""
    ann.has_password()
    return ann


def test_a_passkey_after_a_password(ann: Person) -> None:
    ann.signs_in_with_password()
    ann.is_at(PROGRESSIVE)
    ann.reads("You are signed in as ann@example.com")
    ann.presses("Create a passkey")
    assert ann.sees() == Seen("ann@example.com", "with a password", 1)

    ann.signs_out()
    ann.goes_to_sign_in()
    assert ann.sees() == Seen("ann@example.com", "with a passkey", 1)


@ON_SQLITE
def test_not_now_is_asked_again_next_time(ann: Person) -> None:
    for _ in range(2):
        ann.signs_in_with_password()
        ann.is_at(PROGRESSIVE)
        ann.presses("Not now")
        assert ann.sees().passkeys == 0
        ann.signs_out()


def test_dont_ask_again_lasts_thirty_days(ann: Person) -> None:
    ann.signs_in_with_password()
    ann.ticks("ask again for 30 days")
    ann.presses("Not now")
    ann.is_signed_in()
    ann.signs_out()

    ann.site.clock.advance(days=29)
    ann.signs_in_with_password()
    ann.is_signed_in()
    ann.signs_out()

    ann.site.clock.advance(days=1, minutes=1)
    ann.signs_in_with_password()
    ann.is_at(PROGRESSIVE)


@ON_SQLITE
def test_nobody_with_a_passkey_is_asked(ann: Person) -> None:
    ann.signs_in_with_password()
    ann.presses("Create a passkey")
    ann.is_signed_in()
    ann.device.ignores()
    ann.signs_out()
    ann.signs_in_with_password()
    assert ann.sees() == Seen("ann@example.com", "with a password", 1)


@ON_SQLITE
def test_a_cancelled_dialog_leaves_the_offer_standing(ann: Person) -> None:
    ann.device.refuses()
    ann.signs_in_with_password()
    ann.presses("Create a passkey")
    ann.reads("No passkey was used")
    ann.presses("Not now")
    assert ann.sees().passkeys == 0


def test_a_passkey_here_after_one_of_another_device(somebody: SomebodyAt) -> None:
    ann = somebody(transport="usb")
    ann.has_passkey()
    ann.goes_to_sign_in()
    ann.presses("Sign in with a passkey")
    ann.is_at(LOCAL)

    ann.device.ignores()
    here = ann.devices.add("internal")
    ann.presses("Create a passkey")
    assert ann.sees() == Seen("ann@example.com", "with a passkey", 2)
    assert len(here.credentials) == 1

    ann.signs_out()
    ann.goes_to_sign_in()
    assert ann.sees().method == "with a passkey"


@ON_SQLITE
def test_the_other_device_may_stay_the_only_one(somebody: SomebodyAt) -> None:
    ann = somebody(transport="hybrid")
    ann.has_passkey()
    ann.goes_to_sign_in()
    ann.presses("Sign in with a passkey")
    ann.is_at(LOCAL)
    ann.ticks("ask again for 30 days")
    ann.presses("Not now")
    assert ann.sees().passkeys == 1

    ann.signs_out()
    ann.goes_to_sign_in()
    ann.presses("Sign in with a passkey")
    ann.is_signed_in()


@ON_SQLITE
def test_a_device_that_holds_one_already_says_so(somebody: SomebodyAt) -> None:
    """What the server excludes the device refuses, and the page says why."""
    ann = somebody(transport="usb")
    ann.has_passkey()
    ann.goes_to_sign_in()
    ann.presses("Sign in with a passkey")
    ann.is_at(LOCAL)
    ann.presses("Create a passkey")
    ann.is_told("This device already holds a passkey for this account.")
    assert len(ann.device.credentials) == 1


@ON_SQLITE
def test_nobody_is_asked_where_it_is_off(ann: Person) -> None:
    ann.site.patch_options(passkey_policy={"enrollment": "off"})
    ann.signs_in_with_password()
    assert ann.sees() == Seen("ann@example.com", "with a password", 0)


# --- required by a date --------------------------------------------------------------------------------------------


def required_in(person: Person, days: int) -> str:
    """Have the connection require passkeys from the day that begins in so many days; return it as people read it."""
    day = person.site.clock().date() + timedelta(days=days)
    policy = {"enrollment": "required", "required_after": day.isoformat()}
    person.site.patch_options(passkey_policy=policy)
    return f"{day.day} {day:%B %Y}"


def test_a_countdown_until_nobody_goes_on_without_one(ann: Person) -> None:
    day = required_in(ann, 30)
    for passed, left in ((0, "30 days left."), (18, "12 days left."), (11, "1 day left.")):
        ann.site.clock.advance(days=passed)
        ann.signs_in_with_password()
        ann.is_at(PROGRESSIVE)
        ann.reads(f"From {day} you need a passkey to sign in here: {left}")
        ann.cannot_press("Sign in again")
        expect(ann.page.locator("[name=dont_ask]")).to_have_count(0)
        ann.presses("Not now")
        assert ann.sees().passkeys == 0
        ann.signs_out()

    ann.site.clock.advance(days=1)
    ann.signs_in_with_password()
    ann.is_at("Create your passkey")
    ann.reads("You need a passkey to sign in here.")
    ann.cannot_press("Not now")
    ann.opens()
    ann.page.go_back()
    ann.is_at("Create your passkey")
    ann.presses("Create a passkey")
    assert ann.sees() == Seen("ann@example.com", "with a password", 1)

    ann.signs_out()
    ann.goes_to_sign_in()
    assert ann.sees().method == "with a passkey"


@ON_SQLITE
def test_a_session_from_before_leads_to_the_same_page(ann: Person, shop: Shop) -> None:
    required_in(ann, 1)
    ann.signs_in_with_password()
    ann.presses("Not now")
    ann.is_signed_in()
    ann.site.clock.advance(days=1)
    ann.opens(shop.login_url())
    ann.gives_password()
    ann.is_at("Create your passkey")
    ann.presses("Create a passkey")
    ann.page.wait_for_url(f"{shop.callback}?*")
    assert shop.redeem(ann.page.url)["email"] == ann.email


@ON_SQLITE
def test_a_browser_without_passkeys_says_what_to_do(somebody: SomebodyAt) -> None:
    ann = somebody(alone=True)
    ann.has_password()
    required_in(ann, 0)
    ann.page.add_init_script("delete globalThis.PublicKeyCredential")
    ann.goes_to_sign_in()
    ann.gives_password()
    ann.is_at("Create your passkey")
    ann.reads("This browser does not support passkeys.")
    ann.reads("Sign in on a phone or computer with a screen lock, or plug in a security key.")
    ann.reads("ask whoever runs Default App for a link to create a passkey with")
    expect(ann.page.locator(BUTTON)).to_be_hidden()
    ann.presses("Sign in again")
    ann.is_at("Sign in")


@ON_SQLITE
def test_whoever_takes_too_long_signs_in_again(ann: Person) -> None:
    ann.watch.expects("status of 403")
    required_in(ann, 0)
    ann.signs_in_with_password()
    ann.is_at("Create your passkey")
    ann.site.clock.advance(minutes=6)
    ann.presses("Create a passkey")
    ann.is_told("Sign in again to make this change.")
    ann.presses("Sign in again")
    ann.gives_password()
    ann.is_at("Create your passkey")
    ann.presses("Create a passkey")
    ann.is_signed_in()


# --- by an administrator's link ------------------------------------------------------------------------------------


def ticket_for(person: Person, **more: Any) -> str:
    """Ask for a link as an administrator's program does."""
    body = {"user_id": person.site.account(person.email)["user_id"]} | more
    return str(person.site.manage("POST", "/tickets/passkey-enrollment", body)["ticket"])


def test_a_passkey_by_an_administrator_s_link(ann: Person) -> None:
    link = ticket_for(ann)
    ann.opens(link)
    ann.is_at("Create your passkey")
    ann.reads("for ann@example.com")
    ann.device.refuses()
    ann.presses("Create a passkey")
    ann.reads("No passkey was used")
    ann.device.relents()
    ann.presses("Create a passkey")
    ann.is_at("Your passkey is ready")
    assert [each["type"] for each in ann.site.passkeys(ann.email)] == ["passkey"]
    assert "keystead-session" not in {each.get("name") for each in ann.page.context.cookies()}

    ann.presses("Go to the start page")
    with ann.page.expect_navigation():
        ann.presses("Sign in")
    assert ann.sees() == Seen("ann@example.com", "with a passkey", 1)

    ann.watch.expects("400")
    ann.opens(link)
    ann.is_at("This link is not valid")


@ON_SQLITE
def test_back_to_where_the_administrator_wants_it(ann: Person, shop: Shop) -> None:
    """Out of our pages, whose ``form-action`` must let the redirect through."""
    ann.opens(ticket_for(ann, result_url=shop.callback))
    ann.presses("Create a passkey")
    ann.page.wait_for_url(f"{shop.callback}?*")
    assert "success=true" in ann.page.url
