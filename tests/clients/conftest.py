"""A server behind TLS as clients demand one, an authority that they trust, and what they run in."""

import os
import ssl
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import trustme

from browser.conftest import (  # noqa: F401 - fixtures, for this package too
    chromium,
    kept,
    playwright,
    somebody,
    watch,
)
from browser.site import Site, listening, port_of, serving
from browser.tls import in_front_of
from clients.elsewhere import Elsewhere, interpreter
from clients.environments import Missing, node_modules, python_environment
from clients.guest import Guest
from conftest import Stencil


@pytest.fixture(scope="session")
def ca() -> trustme.CA:
    """The authority that all servers of these tests have their certificates from."""
    return trustme.CA()


@pytest.fixture(scope="session")
def trusting(ca: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """The environment of a process whose requests, httpx and Node.js trust that authority."""
    path = str(tmp_path_factory.mktemp("ca") / "ca.pem")
    ca.cert_pem.write_to_path(path)
    return os.environ | {"REQUESTS_CA_BUNDLE": path, "SSL_CERT_FILE": path, "NODE_EXTRA_CA_CERTS": path}


@pytest.fixture(scope="session")
def python() -> Path:
    """The interpreter that has auth0-python and Authlib."""
    return _there(python_environment)


@pytest.fixture(scope="session")
def npm() -> Path:
    """The directory that has auth0-spa-js and openid-client."""
    return _there(node_modules)


@pytest.fixture(scope="session")
def elsewhere(python: Path, trusting: Mapping[str, str]) -> Iterator[Elsewhere]:
    """That interpreter, running."""
    with interpreter(python, trusting) as running:
        yield running


@pytest.fixture
def site(installation: Stencil, ca: trustme.CA) -> Iterator[Site]:
    """A server at https://localhost."""
    outside, inside = listening(), listening()
    url = f"https://localhost:{port_of(outside)}"
    with (
        serving(installation.settings, installation.document, bound=inside, public_url=url) as running,
        in_front_of(port_of(inside), bound=outside, ca=ca),
    ):
        yield running


@pytest.fixture
def domain(site: Site) -> str:
    """What an SDK is given for the server: its host and port."""
    return site.url.removeprefix("https://")


@pytest.fixture
def guest(site: Site, ca: trustme.CA) -> Iterator[Guest]:
    """Somebody at a browser without scripts."""
    context = ssl.create_default_context()
    ca.configure_trust(context)
    with Guest.at(site, context) as opened:
        yield opened


def _there(made: Callable[[], Path]) -> Path:
    try:
        return made()
    except Missing as reason:
        missing = pytest.fail if os.environ.get("KEYSTEAD_TEST_REQUIRE_ALL") else pytest.skip
        missing(str(reason))
