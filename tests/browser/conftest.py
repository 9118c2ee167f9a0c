"""The browser, the server it talks to, and who sits in front of it."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser, Playwright, expect, sync_playwright

from browser.devices import Devices
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
PATIENCE_MS = 10_000

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


@pytest.fixture
def somebody(chromium: Browser, site: Site, watch: Watch) -> Iterator[SomebodyAt]:
    """Seats people at browsers of their own: ``somebody("ann@example.com", java_script_enabled=False)``."""
    with ExitStack() as closing:

        def seated(email: str = "ann@example.com", *, transport: str = "internal", **options: object) -> Person:
            context = chromium.new_context(**{"locale": "en-GB", **options})  # type: ignore[arg-type]  # passed on
            closing.callback(context.close)
            context.set_default_timeout(PATIENCE_MS)
            watch.over(context)
            page = context.new_page()
            devices = Devices(page)
            return Person(page, site, watch, devices, devices.add(transport), email)

        yield seated


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
