"""The browser, the server it talks to, and who sits in front of it."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright

from browser.devices import devices_of
from browser.people import Person, Watch
from browser.shop import Shop, open_shop
from browser.site import Site, listening, serving
from conftest import Stencil

ARGUMENTS = [
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
LIKE_OURS: dict[str, Any] = {"locale": "en-GB"}
PATIENCE_MS = 30_000

SomebodyAt = Callable[..., Person]


@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    """Playwright, for this package alone: while it is there, no other event loop can run on this thread."""
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as found:
        yield found


@pytest.fixture(scope="package")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    """The Chromium of this machine."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        missing = pytest.fail if os.environ.get("KEYSTEAD_TEST_REQUIRE_ALL") else pytest.skip
        missing("there is no Chromium")
    browser = playwright.chromium.launch(executable_path=path, chromium_sandbox=False, args=ARGUMENTS)
    yield browser
    browser.close()


@pytest.fixture
def site(installation: Stencil) -> Iterator[Site]:
    """A server on a fresh installation, at http://localhost."""
    with serving(installation.settings, installation.document, bound=listening()) as running:
        yield running


@pytest.fixture
def watch() -> Iterator[Watch]:
    """Fails the test for whatever the browser complained about unannounced."""
    found = Watch()
    yield found
    found.check()


@pytest.fixture(scope="package")
def kept(chromium: Browser) -> Iterator[Page]:
    """A tab that stays open from test to test: opening one costs as much as a journey."""
    context = chromium.new_context(**LIKE_OURS)
    yield context.new_page()
    context.close()


@pytest.fixture
def somebody(chromium: Browser, kept: Page, site: Site, watch: Watch) -> Iterator[SomebodyAt]:
    """Seats people at browsers of their own: ``somebody("ann@example.com", java_script_enabled=False)``.

    A browser with options, or an ``alone`` one, is thrown away with whatever was done to it.
    """
    free = [kept]
    with ExitStack() as leaving:

        def seated(
            email: str = "ann@example.com", *, transport: str = "internal", alone: bool = False, **options: Any
        ) -> Person:
            if free and not alone and not options:
                page = free.pop()
                leaving.callback(_left_clean, page)
            else:
                page = chromium.new_context(**LIKE_OURS | options).new_page()
                leaving.callback(page.context.close)
            page.context.set_default_timeout(PATIENCE_MS)
            leaving.enter_context(watch.over(page.context))
            devices = leaving.enter_context(devices_of(page))
            return Person(page, site, watch, devices, devices.add(transport), email)

        yield seated


def _left_clean(page: Page) -> None:
    """Leave nothing of a test in the tab that is kept. Pages store by port, and none is used twice."""
    for each in page.context.pages:
        if each is not page:
            each.close()
    page.unroute_all()
    page.set_viewport_size({"width": 1280, "height": 720})
    page.goto("about:blank")
    page.context.clear_cookies()


@pytest.fixture
def ann(somebody: SomebodyAt) -> Person:
    """Ann, at her own browser, with a passkey device that answers at once."""
    return somebody()


@pytest.fixture
def shop(site: Site) -> Iterator[Shop]:
    """An application on another origin that may use the default connection."""
    with open_shop(site) as opened:
        opened.may_use(site.connection_id)
        yield opened
