"""Takes a picture of every page, in the words of the browser tests: a tour of the pages, once for each look."""

import logging
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import structlog
from playwright.sync_api import Browser, sync_playwright

from browser.devices import devices_of
from browser.people import Person, Watch
from browser.site import Site, listening, serving
from keystead.start import prepare
from recovery import ENTRY, PASSWORDLESS
from world import test_settings

LOOKS: dict[str, dict[str, Any]] = {
    "light-desktop": {"color_scheme": "light", "viewport": {"width": 1120, "height": 760}},
    "dark-desktop": {"color_scheme": "dark", "viewport": {"width": 1120, "height": 760}},
    "light-phone": {"color_scheme": "light", "viewport": {"width": 390, "height": 780}, "device_scale_factor": 2},
    "dark-phone": {"color_scheme": "dark", "viewport": {"width": 390, "height": 780}, "device_scale_factor": 2},
}
OTHERS = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Version/18.5 Safari/604.1",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0",
)
README = {"login-identifier-light-desktop": "login"}
PICTURES, KEPT = Path("screenshots"), Path("docs/images")


def tour(ann: Person) -> Iterator[str]:
    """Visit every page, and yield its name while it is there."""
    setup = str(ann.site.first["administrator_setup_url"]).partition("/u/")[2]
    ann.opens(f"/u/{setup}")
    yield "setup"
    ann.types(email="owner@example.com", password=ann.password)
    ann.presses("Create administrator")
    ann.is_at("The administrator is set up")
    yield "setup-done"
    ann.opens(f"/u/{setup}")
    yield "error"
    ann.opens()
    ann.can_press("Sign in")
    yield "welcome"
    yield from _sign_up(ann)
    yield from _login(ann)
    yield from _account(ann)
    yield from _messages(ann)
    yield from _own_sessions(ann)
    yield from _own_passkeys(ann)
    yield from _consent(ann)
    yield from _enrolment(ann)
    yield from _codes(ann)
    yield from _locked_out(ann)
    yield from _other_policies(ann)


def _sign_up(ann: Person) -> Iterator[str]:
    ann.goes_to_sign_up()
    yield "signup-identifier"
    ann.types(email=ann.email)
    ann.presses("Continue")
    ann.can_press("Create a passkey")
    yield "signup-passkey"
    ann.device.refuses()
    ann.presses("Create a passkey")
    ann.reads("No passkey was used")
    yield "signup-passkey-cancelled"
    ann.device.relents()
    ann.presses("Continue without a passkey")
    ann.is_at("Choose a password")
    yield "signup-password"
    ann.types(password="short")  # noqa: S106 - a refused one
    ann.sends_unchecked("Create account")
    ann.is_told("Password")
    yield "signup-password-refused"
    ann.types(password=ann.password)
    ann.presses("Create account")
    ann.signs_out()


def _login(ann: Person) -> Iterator[str]:
    ann.goes_to_sign_in()
    ann.can_press("Sign in with a passkey")
    yield "login-identifier"
    ann.types(username=ann.email)
    ann.presses("Continue")
    ann.is_at("Enter your password")
    ann.can_press("Sign in with a passkey")
    yield "login-password"
    ann.types(password="not the password")  # noqa: S106 - a wrong one
    ann.presses("Sign in")
    ann.is_told("Wrong email address or password.")
    yield "login-password-refused"
    ann.types(password=ann.password)
    ann.presses("Sign in")
    ann.is_at("Skip the password next time")
    ann.can_press("Create a passkey")
    yield "enrolment-progressive"
    ann.presses("Create a passkey")
    ann.is_signed_in()


def _account(ann: Person) -> Iterator[str]:
    yield "account"
    ann.presses("Remove Passkey")
    yield "account-removal"
    ann.presses("Keep it")
    ann.device.is_lost()
    ann.device = ann.devices.add("usb")
    ann.presses("Add a passkey")
    ann.reads("The passkey was added.")
    yield "account-two-passkeys"
    ann.signs_out()
    ann.goes_to_sign_in()
    ann.presses("Sign in with a passkey")
    ann.is_at("Use this device next time")
    ann.can_press("Create a passkey")
    yield "enrolment-local"
    ann.opens("/v2/logout")
    yield "signed-out"


def _messages(ann: Person) -> Iterator[str]:
    ann.opens(ann.newest_link("/u/email-verification"))
    ann.is_at("Confirm your address")
    yield "email-verification"
    ann.page.context.clear_cookies()
    ann.page.reload()
    ann.can_press("This was not me")
    yield "email-verification-elsewhere"
    ann.presses("This was not me")
    ann.is_at("Thank you for telling us")
    yield "email-verification-taken"
    ann.opens("/u/change-password")
    yield "reset-password-request"
    ann.types(username=ann.email)
    ann.presses("Send the message")
    ann.reads("message with a link")
    yield "reset-password-sent"
    ann.opens(ann.newest_link("/u/reset-password?"))
    ann.is_at("Choose a new password")
    yield "reset-password"
    ann.types(password=ann.password)
    ann.presses("Set the password")
    ann.is_at("Your password is changed")
    yield "reset-password-done"
    ann.opens("/dev/outbox")
    yield "outbox"


def _own_sessions(ann: Person) -> Iterator[str]:
    _signs_in_for_its_own_page(ann)
    yield "own-sessions-alone"
    for user_agent in OTHERS:
        page = ann.in_another_browser(user_agent=user_agent)
        _signs_in_for_its_own_page(page)
    _has_applications(ann)
    ann.opens("/u/account")
    yield "own-sessions"
    client_id = ann.site.first["clients"]["default"]["client_id"]
    ann.opens(f"/oidc/logout?client_id={client_id}")
    yield "logout"
    ann.presses("Sign out")
    ann.is_at("You are signed out")


def _own_passkeys(ann: Person) -> Iterator[str]:
    ann.opens("/u/account/passkeys")
    ann.gives_password()
    ann.presses("Not now")
    ann.reads("You have none yet.")
    yield "own-passkeys-none"
    for transport in ("usb", "internal"):
        ann.device.is_lost()
        ann.device = ann.devices.add(transport)
        ann.presses("Add a passkey")
        ann.reads("The passkey was added.")
    ann.page.locator("summary").first.click()
    yield "own-passkeys-renaming"
    ann.page.locator("[name=name]").first.fill("The telephone of Ann in the kitchen")
    ann.presses("Save")
    ann.reads("The passkey has its new name.")
    yield "own-passkeys"
    ann.page.locator("summary").nth(1).click()
    yield "own-passkeys-removal"
    ann.site.patch_options(**PASSWORDLESS)
    ann.page.reload()
    ann.page.get_by_text("Remove my password").click()
    yield "own-passkeys-password"
    ann.site.patch_options(passkey_policy=None)
    ann.site.delete_passkeys(ann.email)
    ann.device.is_lost()  # or it would offer what nobody knows any more, and sign in by itself
    ann.device = ann.devices.add("internal")


def _signs_in_for_its_own_page(person: Person) -> None:
    person.opens("/u/account")
    person.gives_password()
    person.presses("Not now")
    person.is_at("Where you are signed in")


def _has_applications(ann: Person) -> None:
    """Give two clients refresh tokens of hers."""
    names = ("Photo Album", "Grüße & Küsse: the application with the very long name that somebody wanted")
    for name, scope in zip(names, ("openid profile email offline_access", "openid offline_access"), strict=True):
        settings = {"name": name, "app_type": "native", "grant_types": ["password", "refresh_token"]}
        client_id = ann.site.manage("POST", "/clients", settings)["client_id"]
        allowed = [{"client_id": client_id, "status": True}]
        ann.site.manage("PATCH", f"/connections/{ann.site.connection_id}/clients", allowed)
        body = {"grant_type": "password", "client_id": client_id, "username": ann.email, "password": ann.password}
        ann.site.http.post("/oauth/token", json=body | {"scope": scope}).raise_for_status()


def _consent(ann: Person) -> Iterator[str]:
    callback = "https://photos.example/callback"
    settings = {"name": "Photo Album", "app_type": "regular_web", "callbacks": [callback], "is_first_party": False}
    client_id = ann.site.manage("POST", "/clients", settings)["client_id"]
    allowed = [{"client_id": client_id, "status": True}]
    ann.site.manage("PATCH", f"/connections/{ann.site.connection_id}/clients", allowed)
    scope = "openid profile email offline_access"
    asked = {"client_id": client_id, "redirect_uri": callback, "response_type": "code", "scope": scope}
    ann.opens(f"/authorize?{urlencode(asked)}")
    ann.gives_password()
    ann.presses("Not now")
    ann.is_at("Allow access?")
    yield "consent"
    ann.opens("/v2/logout")


def _enrolment(ann: Person) -> Iterator[str]:
    ben = replace(ann, email="ben@example.com")
    ben.has_password()
    day = (ann.site.clock() + timedelta(days=12)).date().isoformat()
    ann.site.patch_options(passkey_policy={"enrollment": "required", "required_after": day})
    ben.signs_in_with_password()
    ben.reads("12 days left.")
    ben.can_press("Create a passkey")
    yield "enrolment-countdown"
    ann.site.patch_options(passkey_policy={"enrollment": "required"})
    ben.page.reload()
    ben.is_at("Create your passkey")
    ben.can_press("Create a passkey")
    yield "enrolment-required"
    ben.opens("/v2/logout")
    ann.site.patch_options(passkey_policy={"automatic_upgrade": True})
    ben.signs_in_unhurried()
    ben.is_at("One moment…")
    yield "passkey-upgrade"
    ben.presses("Continue")
    ben.presses("Not now")
    ben.signs_out()
    other = ben.in_another_browser()
    other.page.context.credentials.install()
    other.signs_in_unhurried()
    other.is_signed_in()
    ben.opens(ben.newest_link("/u/passkey-upgrade/undo"))
    ben.is_at("Remove this passkey?")
    yield "passkey-upgrade-undo"
    ben.presses("Remove the passkey")
    ben.is_at("The passkey is removed")
    yield "passkey-upgrade-undone"
    ann.site.patch_options(passkey_policy=None)
    body = {"user_id": ben.site.account(ben.email)["user_id"]}
    ben.opens(ben.site.manage("POST", "/tickets/passkey-enrollment", body)["ticket"])
    ben.is_at("Create your passkey")
    ben.can_press("Create a passkey")
    yield "passkey-ticket"
    ben.presses("Create a passkey")
    ben.is_at("Your passkey is ready")
    yield "passkey-ticket-done"


def _codes(ann: Person) -> Iterator[str]:
    ann.device.ignores()  # a passkey that was made by now would sign in by itself
    asked = {"status": "required", "verification": {"active": True}}
    ann.site.patch_options(attributes={"email": {"verification_method": "code", "signup": asked}})
    ann.goes_to_sign_up()
    ann.types(email="new@example.com")
    ann.presses("Continue")
    ann.is_at("Enter the code")
    yield "identifier-challenge"
    ann.presses("Send another code")
    ann.reads("another code")
    ann.types(code="000000")
    ann.presses("Continue")
    ann.is_told("The code is wrong")
    yield "identifier-challenge-refused"
    ann.goes_to_sign_in()
    ann.types(username=ann.email)
    ann.presses("Continue")
    ann.presses("Forgot your password?")
    ann.presses("Send the message")
    ann.is_at("Enter the code")
    yield "reset-password-code"
    ann.site.patch_options(attributes={"email": {"signup": asked}})
    ann.goes_to_sign_up()
    ann.types(email="other@example.com")
    ann.presses("Continue")
    ann.presses("Continue without a passkey")
    ann.types(password=ann.password)
    ann.presses("Create account")
    ann.is_at("Check your messages")
    yield "verification-pending"


def _locked_out(ann: Person) -> Iterator[str]:
    cy = replace(ann, email="cy@example.com")
    cy.has_password()
    cy.site.is_guessed_at(cy.email)
    cy.signs_in_with_password()
    cy.is_told("Sign-in is blocked from here")
    yield "login-blocked"
    link = cy.newest_link("/u/unblock")
    cy.opens(link)
    cy.is_at("Unblock your account?")
    yield "unblock"
    cy.presses("Unblock my account")
    cy.is_at("Your account is unblocked")
    yield "unblock-done"
    cy.opens(link)
    cy.is_at("This link does not work any more")
    yield "unblock-late"


def _newest_code(ann: Person, text: str) -> str:
    """Wait for a message, and return the code in it."""
    while True:
        ann.opens("/dev/outbox")
        letter = ann.page.locator("article, li").filter(has_text=text).first
        found = re.search(r"\b[0-9]{6}\b", letter.inner_text()) if letter.count() else None
        if found:
            return found[0]
        ann.page.wait_for_timeout(200)


def _other_policies(ann: Person) -> Iterator[str]:
    identifiers = {"email": {}, "phone_number": {"signup": {"status": "optional"}}, "username": {}}
    ann.site.patch_options(attributes=identifiers)
    ann.goes_to_sign_in()
    ann.can_press("Sign in with a passkey")
    yield "login-identifier-many"
    ann.presses("Create an account")
    ann.is_at("Create your account")
    yield "signup-identifier-many"
    methods = {"password": {"enabled": False, "api_behavior": "optional"}, "passkey": {"enabled": True}}
    ann.site.patch_options(authentication_methods=methods)
    ann.goes_to_sign_in()
    ann.can_press("Sign in with a passkey")
    yield "login-passkeys-only"
    yield from _recovery(ann)


def _recovery(ann: Person) -> Iterator[str]:
    """On a connection without passwords, and where there are some beside."""
    email = "lost@example.com"
    ann.site.patch_options(attributes={"email": {}})
    ann.site.has_passkey(email)
    user_id = ann.site.account(email)["user_id"]
    ann.site.manage("PATCH", f"/users/{user_id}", {"email_verified": True})
    ann.goes_to_sign_in()
    ann.presses(ENTRY)
    yield "recovery-request"
    ann.types(username=email)
    ann.presses("Send the code")
    ann.is_at("Enter the code")
    yield "recovery-code"
    ann.types(code="000000")
    ann.presses("Continue")
    ann.is_told("The code is wrong")
    yield "recovery-code-refused"
    address = ann.page.url
    code = _newest_code(ann, "create a new passkey")
    ann.opens(address)
    ann.types(code=code)
    ann.presses("Continue")
    ann.is_at("Create a new passkey")
    ann.can_press("Create a passkey")
    yield "recovery-passkey"
    ann.site.patch_options(passkey_policy={"max_per_user": 1})
    ann.page.reload()
    ann.can_press("Create a passkey")
    yield "recovery-passkey-full"
    ann.device.answers()
    ann.presses("Create a passkey")
    ann.is_at("Your new passkey is ready")
    yield "recovery-done"
    ann.device.ignores()
    methods = {"password": {"enabled": True}, "passkey": {"enabled": True}}
    ann.site.patch_options(authentication_methods=methods, **PASSWORDLESS)
    ann.goes_to_sign_in()
    ann.types(username=email)
    ann.presses("Continue")
    ann.is_at("Enter your password")
    ann.can_press("Sign in with a passkey")
    yield "login-password-or-recovery"
    ann.presses(ENTRY)
    yield "recovery-request-either"


def main() -> None:
    """Take the tour in every look."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    shutil.rmtree(PICTURES, ignore_errors=True)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), chromium_sandbox=False)
        for look, options in LOOKS.items():
            with tempfile.TemporaryDirectory() as directory:
                settings, first = prepare(test_settings(Path(directory)))
                assert first is not None
                with serving(settings, first, bound=listening()) as site:
                    _take(chromium, site, look, options)
        chromium.close()
    KEPT.mkdir(parents=True, exist_ok=True)
    for picture, name in README.items():
        shutil.copy(PICTURES / f"{picture}.png", KEPT / f"{name}.png")


def _take(chromium: Browser, site: Site, look: str, options: dict[str, Any]) -> None:
    context = chromium.new_context(locale="en-GB", **options)
    page = context.new_page()
    with devices_of(page) as devices:
        ann = Person(page, site, Watch(), devices, devices.add(), "ann@example.com")
        for name in tour(ann):
            page.screenshot(path=PICTURES / f"{name}-{look}.png", animations="disabled")
    context.close()


main()
