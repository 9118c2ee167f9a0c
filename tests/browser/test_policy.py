"""The pages obey what an administrator's script says, from the next request on."""

from typing import Any

import pytest
from playwright.sync_api import expect

from browser import ON_SQLITE
from browser.people import Person
from browser.shop import Shop
from browser.site import Site

pytestmark = [pytest.mark.browser, ON_SQLITE]

PASSWORDS = {"password": {"enabled": True}, "passkey": {"enabled": False}}
PASSKEYS = {"password": {"enabled": False, "api_behavior": "optional"}, "passkey": {"enabled": True}}
BOTH = {"password": {"enabled": True}, "passkey": {"enabled": True}}


@pytest.fixture
def members(site: Site, shop: Shop) -> str:
    """A connection of the shop's own, with usernames and addresses, and telephones where people like; by its id."""
    attributes: dict[str, Any] = {
        "username": {"signup": {"status": "required"}},
        "email": {"signup": {"status": "required"}},
        "phone_number": {"signup": {"status": "optional"}},
    }
    made = site.manage(
        "POST",
        "/connections",
        {
            "name": "Members-of-the-Shop",
            "strategy": "auth0",
            "options": {"attributes": attributes, "authentication_methods": BOTH},
            "enabled_clients": [shop.client_id],
        },
    )
    return str(made["id"])


def _at_the_shop(person: Person, shop: Shop) -> dict[str, Any]:
    person.page.wait_for_url(f"{shop.callback}?*")
    return shop.redeem(person.page.url)


def test_another_connection_with_other_identifiers(ann: Person, shop: Shop, members: str) -> None:
    by_name = {"connection": "Members-of-the-Shop"}
    ann.watch.expects("status of 403")
    ann.opens(shop.login_url(screen_hint="signup", **by_name))
    expect(ann.page.get_by_label("Username")).to_have_attribute("required", "")
    expect(ann.page.get_by_label("Phone number (optional)")).not_to_have_attribute("required", "")
    ann.types(username="ann.of.shop", email=ann.email)
    ann.presses("Continue")
    ann.presses("Continue without a passkey")
    ann.types(password=ann.password)
    ann.presses("Create account")
    subject = _at_the_shop(ann, shop)["sub"]

    for typed in ("ann.of.shop", ann.email):
        ann.opens(shop.login_url(prompt="login", **by_name))
        expect(ann.page.get_by_label("Email address, phone number or username")).to_be_focused()
        ann.types(username=typed)
        ann.presses("Continue")
        if typed == ann.email:
            ann.types(password="not the password")
            ann.presses("Sign in")
            ann.is_told("Wrong email address, phone number, username or password.")
        ann.types(password=ann.password)
        ann.presses("Sign in")
        ann.presses("Not now")
        assert _at_the_shop(ann, shop)["sub"] == subject

    ann.opens(shop.login_url(prompt="login"))
    ann.gives_password()
    ann.is_told("Wrong email address or password.")


def test_what_a_sign_up_must_say_is_said_in_words(ann: Person, shop: Shop, members: str) -> None:
    ann.watch.expects("status of 400")
    ann.opens(shop.login_url(screen_hint="signup", connection="Members-of-the-Shop"))
    ann.types(email=ann.email, username="ann", phone_number="12345")
    ann.presses("Continue")
    ann.is_told("The phone number must be in international form")
    expect(ann.page.locator("#phone_number")).to_be_focused()
    expect(ann.page.locator("#username")).to_have_value("ann")
    ann.types(phone_number="")
    ann.types(username="")
    ann.sends_unchecked("Continue")
    ann.is_told("Username is required")


def test_button_only(ann: Person) -> None:
    ann.site.patch_options(passkey_options={"challenge_ui": "button"})
    ann.goes_to_sign_in()
    expect(ann.page.locator("#username")).to_have_attribute("autocomplete", "username")
    ann.can_press("Sign in with a passkey")


def test_autofill_only(ann: Person) -> None:
    ann.site.patch_options(passkey_options={"challenge_ui": "autofill"})
    ann.has_passkey()
    ann.device.ignores()
    ann.goes_to_sign_in()
    ann.waits_for_autofill()
    expect(ann.page.locator("#username")).to_have_attribute("autocomplete", "username webauthn")
    ann.cannot_press("Sign in with a passkey")
    ann.answers_when_asked_again()
    ann.page.reload()
    assert ann.sees().method == "with a passkey"


def test_without_passkeys(ann: Person) -> None:
    ann.site.patch_options(authentication_methods=PASSWORDS)
    ann.goes_to_sign_in()
    expect(ann.page.locator("#username")).to_have_attribute("autocomplete", "username")
    expect(ann.page.locator("passkey-sign-in")).to_have_count(0)
    ann.presses("Create an account")
    ann.types(email=ann.email)
    ann.presses("Continue")
    ann.is_at("Choose a password")
    ann.types(password=ann.password)
    ann.presses("Create account")
    ann.signs_out()
    ann.signs_in_with_password()
    ann.is_signed_in()


def test_without_passwords(ann: Person) -> None:
    ann.watch.expects("status of 400")
    ann.site.patch_options(authentication_methods=PASSKEYS)
    ann.device.ignores()
    ann.goes_to_sign_in()
    ann.cannot_press("Continue")
    ann.types(username=ann.email)
    ann.page.keyboard.press("Enter")
    ann.is_told("Passwords are not used here. Sign in with your passkey.")
    ann.device.answers()
    ann.presses("Create an account")
    ann.types(email=ann.email)
    ann.presses("Continue")
    ann.is_at("Create a passkey")
    ann.cannot_press("Continue without a passkey")
    ann.presses("Create a passkey")
    ann.is_signed_in()
    ann.signs_out()
    ann.goes_to_sign_in()
    assert ann.sees().method == "with a passkey"


def test_without_sign_up(ann: Person, shop: Shop) -> None:
    ann.site.patch_options(disable_signup=True)
    ann.opens(shop.login_url(screen_hint="signup"))
    ann.is_at("Sign in")
    ann.cannot_press("Create an account")
    ann.opens(ann.page.url.replace("login/identifier", "signup/identifier").removeprefix(ann.site.url))
    ann.is_at("Sign in")


def test_without_offers(ann: Person) -> None:
    """Neither after a password, nor after another device's passkey."""
    ann.site.patch_options(passkey_options={"progressive_enrollment_enabled": False, "local_enrollment_enabled": False})
    ann.has_password()
    ann.signs_in_with_password()
    ann.is_signed_in()
    ann.signs_out()

    ann.email = "bob@example.com"
    ann.device.is_lost()
    ann.device = ann.devices.add("usb")
    ann.has_passkey()
    ann.goes_to_sign_in()
    ann.presses("Sign in with a passkey")
    ann.is_signed_in()


def test_the_button_is_switched_off_while_people_log_in(ann: Person) -> None:
    ann.has_password()
    ann.goes_to_sign_in()
    ann.can_press("Sign in with a passkey")
    ann.site.patch_options(passkey_options={"challenge_ui": "autofill"})
    ann.types(username=ann.email)
    ann.presses("Continue")
    ann.is_at("Enter your password")
    ann.cannot_press("Sign in with a passkey")


def test_passkeys_are_switched_off_while_people_log_in(ann: Person) -> None:
    """Who has the page open is told; who has proved themselves is not asked any more."""
    ann.watch.expects("status of 400")
    ann.has_password()
    ann.goes_to_sign_in()
    ann.site.patch_options(authentication_methods=PASSWORDS)
    ann.presses("Sign in with a passkey")
    ann.is_told("Passkeys are not enabled for the connection.")
    ann.gives_password()
    ann.is_signed_in()


def test_passkeys_are_switched_off_while_one_is_being_offered(ann: Person) -> None:
    ann.watch.expects("status of 400")
    ann.has_password()
    ann.signs_in_with_password()
    ann.is_at("Skip the password next time")
    ann.site.patch_options(authentication_methods=PASSWORDS)
    ann.presses("Create a passkey")
    ann.is_told("Passkeys are not enabled for the connection.")
    ann.presses("Not now")
    assert ann.sees().passkeys == 0


def test_passwords_are_switched_off_while_people_log_in(ann: Person) -> None:
    ann.has_password()
    ann.device.ignores()
    ann.goes_to_sign_in()
    ann.types(username=ann.email)
    ann.presses("Continue")
    ann.is_at("Enter your password")
    ann.site.patch_options(authentication_methods=PASSKEYS)
    ann.types(password=ann.password)
    ann.presses("Sign in")
    ann.is_at("Sign in")
    ann.cannot_press("Continue")


def test_sign_up_is_switched_off_while_people_sign_up(ann: Person) -> None:
    ann.watch.expects("status of 400")
    ann.goes_to_sign_up()
    ann.types(email=ann.email)
    ann.presses("Continue")
    ann.presses("Continue without a passkey")
    ann.site.patch_options(disable_signup=True)
    ann.types(password=ann.password)
    ann.presses("Create account")
    ann.is_told("New accounts cannot be created here.")
    assert ann.site.manage("GET", "/users") == []


def test_another_identifier_is_asked_for_while_people_sign_up(ann: Person) -> None:
    ann.watch.expects("status of 400")
    ann.goes_to_sign_up()
    ann.types(email=ann.email)
    ann.presses("Continue")
    ann.presses("Continue without a passkey")
    ann.site.patch_options(attributes={"email": {}, "phone_number": {"signup": {"status": "required"}}})
    ann.types(password=ann.password)
    ann.presses("Create account")
    ann.is_told("Phone number is required")
    ann.presses("Change account")
    ann.types(phone_number="+14155552671")
    ann.presses("Continue")
    ann.presses("Continue without a passkey")
    ann.types(password=ann.password)
    ann.presses("Create account")
    ann.is_signed_in()
    assert ann.site.account(ann.email)["phone_number"] == "+14155552671"
