"""Who sits at the browser: the vocabulary of these tests."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from playwright.sync_api import BrowserContext, ConsoleMessage, Locator, Page, Route, WebError, expect

from browser.devices import Device, Devices
from browser.site import Site
from world import PASSWORD

BUTTON = "#passkey-button"
OPTIONS = "**/options?*"


@dataclass
class Watch:
    """Notices whatever the browser complains about: script errors, policy violations, failed requests."""

    complaints: list[str] = field(default_factory=list)
    announced: list[str] = field(default_factory=list)

    @contextmanager
    def over(self, context: BrowserContext) -> Iterator[None]:
        """Watch every page of a browser."""
        context.on("console", self._console)
        context.on("weberror", self._error)
        yield
        context.remove_listener("console", self._console)
        context.remove_listener("weberror", self._error)

    def expects(self, text: str) -> None:
        """Announce complaints that contain ``text``: the test is about what they are about."""
        self.announced.append(text)

    def check(self) -> None:
        """Fail for complaints that nobody announced, and for announced ones that never came."""
        unannounced = [each for each in self.complaints if not any(text in each for text in self.announced)]
        assert not unannounced
        silent = [text for text in self.announced if not any(text in each for each in self.complaints)]
        assert not silent, "announced, and never seen"

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text} ({message.location['url']})")

    def _error(self, error: WebError) -> None:
        self.complaints.append(f"uncaught: {error.error}")


@dataclass(frozen=True)
class Seen:
    """What the landing page says about who is signed in."""

    name: str
    method: str
    passkeys: int


@dataclass
class Person:
    """Somebody at a browser, with a device that keeps passkeys."""

    page: Page
    site: Site
    watch: Watch
    devices: Devices
    device: Device
    email: str
    password: str = PASSWORD

    # --- where they are --------------------------------------------------------------------------------------------

    def opens(self, path: str = "/") -> None:
        """Go to an address of the site."""
        self.page.goto(path if "://" in path else self.site.url + path)

    def in_another_tab(self) -> "Person":
        """The same person in a second tab of the same browser, which their device does not see."""
        page = self.page.context.new_page()
        devices = Devices(page.context.new_cdp_session(page))
        return replace(self, page=page, devices=devices, device=devices.add())

    def in_another_browser(self, **options: Any) -> "Person":
        """The same person at another browser, without their device."""
        browser = self.page.context.browser
        assert browser is not None
        page = browser.new_context(**options).new_page()
        devices = Devices(page.context.new_cdp_session(page))
        return replace(self, page=page, devices=devices, device=devices.add())

    def is_at(self, heading: str) -> None:
        """See that the page has a heading."""
        expect(self.page.get_by_role("heading", level=1)).to_have_text(heading)

    def reads(self, text: str | re.Pattern[str]) -> None:
        """See that the page says something."""
        expect(self.page.locator("main")).to_contain_text(text)

    def is_told(self, text: str) -> None:
        """See a refusal, where screen readers announce it and the caret can find it."""
        expect(self.page.get_by_role("alert").filter(has_text=text)).to_be_visible()

    def presses(self, name: str) -> None:
        """Press a button or follow a link."""
        self._to_press(name).click()

    def can_press(self, name: str) -> None:
        """See a button or a link."""
        expect(self._to_press(name)).to_be_visible()

    def cannot_press(self, name: str) -> None:
        """See that there is no such button or link, once the page has found out what the browser can do."""
        expect(
            self.page.locator("passkey-sign-in:not([data-state]), passkey-enrolment:not([data-state])")
        ).to_have_count(0)
        expect(self._to_press(name)).to_be_hidden()

    def _to_press(self, name: str) -> Locator:
        page = self.page
        return page.get_by_role("button", name=name, exact=True).or_(page.get_by_role("link", name=name, exact=True))

    def types(self, **fields: str) -> None:
        """Fill in fields, by their names."""
        for name, text in fields.items():
            self.page.locator(f"#{name}").fill(text)

    def ticks(self, label: str) -> None:
        """Tick the box whose label contains a text."""
        self.page.get_by_label(label).check()

    def sends_unchecked(self, name: str) -> None:
        """Press a button of a form without the browser's own checks, to meet the server's."""
        self.page.locator("form").first.evaluate("form => { form.noValidate = true }")
        self.presses(name)

    @property
    def passkeys_stand(self) -> Locator:
        """The element that signs in with passkeys, or creates them."""
        return self.page.locator("passkey-sign-in, passkey-enrolment")

    def waits_for_autofill(self) -> None:
        """Wait until the browser offers passkeys among the suggestions."""
        expect(self.page.locator("passkey-sign-in[data-autofill=pending]")).to_be_attached()

    def answers_when_asked_again(self) -> None:
        """Have the device answer from the next request of a page on.

        Whatever is pending until then is over before the page asks; a device that answered sooner could answer that.
        """

        def answer(route: Route) -> None:
            self.device.answers()
            route.continue_()

        self.page.route(OPTIONS, answer, times=1)

    # --- what they have --------------------------------------------------------------------------------------------

    def has_password(self) -> None:
        """See to it that they have an account with a password alone."""
        self.site.has_account(self.email, self.password)

    def has_passkey(self) -> None:
        """See to it that they have an account with a passkey alone, on their device."""
        self.device.holds(self.site.has_passkey(self.email))

    # --- what they do ----------------------------------------------------------------------------------------------

    def goes_to_sign_up(self) -> None:
        """From the landing page to the first page of a sign-up."""
        self.opens()
        self.presses("Create an account")
        self.is_at("Create your account")

    def goes_to_sign_in(self) -> None:
        """From the landing page to the first page of a login."""
        self.opens()
        with self.page.expect_navigation():
            self.presses("Sign in")

    def signs_up_with_passkey(self) -> None:
        """Create an account with a passkey and no password."""
        self.goes_to_sign_up()
        self.types(email=self.email)
        self.presses("Continue")
        self.is_at("Create a passkey")
        self.presses("Create a passkey")
        self.is_signed_in()

    def signs_up_with_password(self) -> None:
        """Create an account with a password and no passkey."""
        self.goes_to_sign_up()
        self.types(email=self.email)
        self.presses("Continue")
        self.presses("Continue without a passkey")
        self.types(password=self.password)
        self.presses("Create account")
        self.is_signed_in()

    def gives_password(self, password: str = "") -> None:
        """Go through both pages of a password login. A passkey would sign them in by itself: their device must not."""
        self.is_at("Sign in")
        self.types(username=self.email)
        self.presses("Continue")
        self.is_at("Enter your password")
        self.types(password=password or self.password)
        self.presses("Sign in")

    def signs_in_with_password(self) -> None:
        """Sign in with the password, from the landing page."""
        self.goes_to_sign_in()
        self.gives_password()

    def signs_in_unhurried(self) -> None:
        """The same, no faster than the page finds out that the browser can make passkeys by itself."""
        self.goes_to_sign_in()
        self.types(username=self.email)
        self.presses("Continue")
        expect(self.page.locator("input[name=can_upgrade]")).to_have_value("1")
        self.types(password=self.password)
        self.presses("Sign in")

    def signs_out(self) -> None:
        """Sign out on the landing page."""
        self.presses("Sign out")
        expect(self.page.locator("#welcome")).to_be_visible()

    def newest_link(self, text: str) -> str:
        """Wait for a message with something in it, in the outbox of the server, and return its link."""
        while True:
            self.opens("/dev/outbox")
            letter = self.page.locator("article, li").filter(has_text=text).first
            if letter.count():
                return str(letter.locator("a[href^=http]").first.get_attribute("href"))
            self.page.wait_for_timeout(200)

    # --- what they see on the landing page -------------------------------------------------------------------------

    def is_signed_in(self) -> None:
        """See the landing page with an account on it."""
        expect(self.page.locator("#account")).to_be_visible()

    def sees(self) -> Seen:
        """What the landing page says; it shows an account when it has asked the server about all of it."""
        self.is_signed_in()
        text = self.page.locator
        return Seen(text("#name").inner_text(), text("#method").inner_text(), text("#passkeys li").count())
