"""People come back."""

import base64
import json
import re

import pytest
from playwright.sync_api import Request, Route, expect

from authenticator import b64url
from browser import ON_SQLITE
from browser.people import OPTIONS, Person, Seen

pytestmark = pytest.mark.browser


@pytest.fixture
def ann(ann: Person) -> Person:
    """Ann, who has a passkey and no password, and whose device does not answer yet."""
    ann.has_passkey()
    ann.device.ignores()
    return ann


def test_by_autofill(ann: Person) -> None:
    ann.device.answers()
    ann.goes_to_sign_in()
    assert ann.sees() == Seen("ann@example.com", "with a passkey", 1)
    assert ann.device.credentials[0]["signCount"] == 1


def test_by_button_while_autofill_is_pending(ann: Person) -> None:
    """A browser runs one request at a time: the pending one gives way, and its challenge is not the one answered."""
    asked: list[Request] = []
    ann.page.on("request", lambda request: asked.append(request) if "/passkey/options" in request.url else None)
    ann.goes_to_sign_in()
    ann.waits_for_autofill()
    ann.answers_when_asked_again()
    ann.presses("Sign in with a passkey")
    assert ann.sees() == Seen("ann@example.com", "with a passkey", 1)
    assert len(asked) == 2


@ON_SQLITE
def test_by_button_alone(ann: Person) -> None:
    ann.site.patch_options(passkey_options={"challenge_ui": "button"})
    ann.device.answers()
    ann.goes_to_sign_in()
    ann.is_at("Sign in")
    ann.presses("Sign in with a passkey")
    assert ann.sees() == Seen("ann@example.com", "with a passkey", 1)


@ON_SQLITE
def test_by_button_on_the_password_page(ann: Person) -> None:
    ann.goes_to_sign_in()
    ann.types(username=ann.email)
    ann.presses("Continue")
    ann.is_at("Enter your password")
    ann.waits_for_autofill()
    ann.answers_when_asked_again()
    ann.presses("Sign in with a passkey")
    assert ann.sees().method == "with a passkey"


def test_a_cancelled_dialog_is_no_error(ann: Person) -> None:
    ann.site.patch_options(passkey_options={"challenge_ui": "button"})
    ann.device.answers()
    ann.device.refuses()
    ann.goes_to_sign_in()
    ann.presses("Sign in with a passkey")
    expect(ann.passkeys_stand).to_have_attribute("data-state", "cancelled")
    ann.reads("No passkey was used: the window was closed or timed out. Try again whenever you like.")
    expect(ann.page.get_by_role("alert")).to_have_count(0)
    expect(ann.page.get_by_role("button", name="Sign in with a passkey")).to_be_focused()

    ann.device.relents()
    ann.presses("Sign in with a passkey")
    ann.is_signed_in()


@ON_SQLITE
def test_passkeys_are_suggested_again_after_a_cancelled_dialog(ann: Person) -> None:
    ann.goes_to_sign_in()
    ann.waits_for_autofill()
    asked = []

    def between(route: Route) -> None:
        """Let the device refuse the button's request alone, and not the one that suggests passkeys again."""
        asked.append(route)
        if len(asked) == 1:
            ann.device.refuses()
            ann.device.answers()
        else:
            ann.device.ignores()
            ann.device.relents()
        route.continue_()

    ann.page.route(OPTIONS, between)
    ann.presses("Sign in with a passkey")
    ann.reads("No passkey was used")
    ann.waits_for_autofill()


@ON_SQLITE
def test_a_request_that_nobody_answers_can_be_left_alone(ann: Person) -> None:
    """While the browser's window is open the page says so, and takes no second press for a second request."""
    ann.goes_to_sign_in()
    ann.waits_for_autofill()
    ann.presses("Sign in with a passkey")
    ann.reads("Continue in the window of your browser or device.")
    button = ann.page.get_by_role("button", name="Sign in with a passkey")
    expect(button).to_have_attribute("aria-disabled", "true")
    expect(button).to_be_focused()
    ann.page.reload()
    ann.waits_for_autofill()


def test_a_deleted_passkey_is_said_to_be_unknown_and_forgotten(ann: Person) -> None:
    ann.watch.expects("status of 403")
    ann.site.delete_passkeys(ann.email)
    ann.goes_to_sign_in()
    ann.waits_for_autofill()
    ann.answers_when_asked_again()
    stale = ann.device.credentials[0]["credentialId"]
    ann.presses("Sign in with a passkey")
    ann.is_told("This passkey is not known here any more")
    (told,) = json.loads(ann.page.locator("main").get_attribute("data-signals") or "")
    assert told["options"] == {"rpId": "localhost", "credentialId": b64url(base64.b64decode(stale))}
    ann.device.settles_at(0)


@ON_SQLITE
def test_a_lost_device_leaves_the_other_ways_in(ann: Person) -> None:
    ann.device.is_lost()
    ann.goes_to_sign_in()
    ann.is_at("Sign in")
    ann.presses("Sign in with a passkey")
    expect(ann.passkeys_stand).to_have_attribute("data-state", re.compile("waiting|cancelled"))
    ann.types(username=ann.email)
    ann.presses("Continue")
    ann.is_at("Enter your password")


def test_by_password_while_autofill_is_pending(ann: Person) -> None:
    """The request that waits for a passkey is in nobody's way, on either page."""
    ann.email = "bob@example.com"
    ann.has_password()
    ann.goes_to_sign_in()
    ann.waits_for_autofill()
    ann.types(username=ann.email)
    ann.presses("Continue")
    ann.waits_for_autofill()
    ann.types(password=ann.password)
    ann.presses("Sign in")
    ann.presses("Not now")
    assert ann.sees() == Seen("bob@example.com", "with a password", 0)


@ON_SQLITE
def test_a_wrong_password_can_be_typed_again(ann: Person) -> None:
    ann.watch.expects("status of 403")
    ann.email = "bob@example.com"
    ann.has_password()
    ann.goes_to_sign_in()
    ann.gives_password("not the password")
    ann.is_told("Wrong email address or password.")
    password = ann.page.locator("#password")
    expect(password).to_be_focused()
    expect(password).to_have_value("")
    expect(ann.page).to_have_title(re.compile("^Error: "))
    ann.types(password=ann.password)
    ann.presses("Sign in")
    ann.presses("Not now")
    ann.is_signed_in()


@ON_SQLITE
def test_nobody_learns_who_has_an_account(ann: Person) -> None:
    """Somebody, nobody, and somebody without a password: the pages are the same."""
    ann.watch.expects("status of 403")
    ann.site.has_account("bob@example.com")
    told = set()
    for email in ("ann@example.com", "bob@example.com", "nobody@example.com"):
        ann.email = email
        ann.goes_to_sign_in()
        ann.gives_password("not the password")
        ann.is_told("Wrong email address or password.")
        ann.can_press("Sign in with a passkey")
        expect(ann.page.locator("password-field button")).to_be_visible()
        told.add(ann.page.locator("main").inner_text())
    assert len(told) == 1


@ON_SQLITE
def test_the_session_signs_in_again_without_a_question(ann: Person) -> None:
    ann.device.answers()
    ann.goes_to_sign_in()
    ann.is_signed_in()
    ann.page.evaluate("sessionStorage.clear()")
    ann.device.ignores()
    ann.goes_to_sign_in()
    assert ann.sees().method == "with a passkey"
