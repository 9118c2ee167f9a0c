"""People who have an account are offered a passkey: after a password, and on this device after another's."""

import pytest

from browser import ON_SQLITE
from browser.conftest import SomebodyAt
from browser.people import Person, Seen

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
