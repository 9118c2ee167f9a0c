"""Browsers that know less than today's Chromium, and pages that are open for long."""

import pytest
from playwright.sync_api import Request, expect

from browser import ON_SQLITE
from browser.conftest import SomebodyAt
from browser.people import BUTTON, Person, Seen

pytestmark = [pytest.mark.browser, ON_SQLITE]

NO_JSON = """
    delete PublicKeyCredential.parseCreationOptionsFromJSON;
    delete PublicKeyCredential.parseRequestOptionsFromJSON;
    delete PublicKeyCredential.prototype.toJSON;
    delete PublicKeyCredential.signalUnknownCredential;
"""
NO_AUTOFILL = "delete PublicKeyCredential.isConditionalMediationAvailable;"
NO_PASSKEYS = "delete window.PublicKeyCredential;"


def _without(somebody: SomebodyAt, script: str) -> Person:
    person = somebody(alone=True)  # a script cannot be taken back
    person.page.add_init_script(script)
    return person


def test_a_browser_that_does_not_speak_json(somebody: SomebodyAt) -> None:
    """Both ceremonies, and the exclusion of what the device holds, go through the small shim."""
    ann = _without(somebody, NO_JSON)
    ann.signs_up_with_passkey()
    ann.presses("Add a passkey")
    ann.is_told("This device already holds a passkey for this account.")
    ann.signs_out()
    ann.goes_to_sign_in()
    assert ann.sees() == Seen("ann@example.com", "with a passkey", 1)


def test_a_browser_without_autofill(somebody: SomebodyAt) -> None:
    ann = _without(somebody, NO_AUTOFILL)
    ann.has_passkey()
    ann.goes_to_sign_in()
    ann.is_at("Sign in")
    ann.presses("Sign in with a passkey")
    ann.is_signed_in()


def test_a_browser_without_passkeys(somebody: SomebodyAt) -> None:
    """Nothing about passkeys where they are beside the point, and the truth where they are the point."""
    ann = _without(somebody, NO_PASSKEYS)
    ann.goes_to_sign_in()
    ann.cannot_press("Sign in with a passkey")
    ann.presses("Create an account")
    ann.types(email=ann.email)
    ann.presses("Continue")
    ann.reads("This browser does not support passkeys.")
    expect(ann.page.locator(BUTTON)).to_be_hidden()
    ann.presses("Continue without a passkey")
    ann.types(password=ann.password)
    ann.presses("Create account")
    ann.is_signed_in()
    ann.reads("This browser does not support passkeys.")


def test_a_browser_without_passkeys_where_there_is_no_other_way(somebody: SomebodyAt) -> None:
    ann = _without(somebody, NO_PASSKEYS)
    methods = {"password": {"enabled": False, "api_behavior": "optional"}, "passkey": {"enabled": True}}
    ann.site.patch_options(authentication_methods=methods)
    ann.goes_to_sign_in()
    ann.reads("This browser does not support passkeys.")
    ann.cannot_press("Sign in with a passkey")


def test_autofill_outlives_its_ceremony(somebody: SomebodyAt) -> None:
    """A ceremony lives five minutes; a page that is open for longer has asked for the next one by then."""
    ann = somebody(alone=True)  # nor can the clock of a tab
    ann.has_passkey()
    ann.device.ignores()
    ann.page.clock.install()
    asked: list[Request] = []
    ann.page.on("request", lambda request: asked.append(request) if "/passkey/options" in request.url else None)
    ann.goes_to_sign_in()
    ann.waits_for_autofill()
    ann.site.clock.advance(minutes=6)
    ann.answers_when_asked_again()
    ann.page.clock.fast_forward("04:01")
    assert ann.sees().method == "with a passkey"
    assert len(asked) == 2
