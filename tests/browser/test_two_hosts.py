"""More than one host: pages of another domain that use our passkeys, and a move from one address to another.

All of ``*.test`` leads to this machine, over TLS with an authority that the browser trusts: so does the browser's own
look at ``/.well-known/webauthn``.
"""

import base64
import hashlib
import shutil
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import socket
from typing import Any

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from playwright.sync_api import Browser, Playwright, expect

from browser import ON_SQLITE
from browser.conftest import ARGUMENTS, LIKE_OURS, PATIENCE_MS
from browser.devices import devices_of
from browser.people import Person, Seen, Watch
from browser.site import Site, listening, port_of, serving
from browser.tls import in_front_of
from conftest import Stencil
from world import PASSKEY_GRANT

pytestmark = [pytest.mark.browser, ON_SQLITE]

NAMES = ("house.test", "login.house.test", "login.old.test", "login.new.test")
SHOP = "https://shop.test"
PAGE = """<!doctype html><html lang="en"><title>Shop</title><link rel="icon" href="data:,">
<h1>Shop</h1><button>Sign in</button><output></output><script>
const post = (path, body) => fetch(`{url}${path}`, { method: "POST", body: JSON.stringify(body),
  headers: { "content-type": "application/json" } }).then((answer) => answer.json());
const said = document.querySelector("output");
document.querySelector("button").addEventListener("click", async () => {
  said.textContent = "";
  try {
    const client = { client_id: "{client_id}" };
    const { auth_session, authn_params_public_key } = await post("/passkey/challenge", client);
    const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(authn_params_public_key);
    const authn_response = (await navigator.credentials.get({ publicKey })).toJSON();
    const proof = { ...client, grant_type: "{grant}", auth_session, authn_response, scope: "openid email" };
    const { id_token, error } = await post("/oauth/token", proof);
    said.textContent = error ?? JSON.parse(atob(id_token.split(".")[1])).email;
  } catch (error) {
    said.textContent = error.name;
  }
});
</script></html>"""


@dataclass
class Street:
    """The hosts, and a browser that finds them."""

    browser: Browser
    installation: Stencil
    watch: Watch
    ca: trustme.CA
    house: socket
    shop: socket
    leaving: ExitStack = field(default_factory=ExitStack)

    @contextmanager
    def open(self, host: str) -> Iterator[Site]:
        """Serve the installation at a host. Opened again at another, it has moved; all names go on leading there."""
        inside = listening()
        settings, first = self.installation.settings, self.installation.document
        with (
            serving(settings, first, bound=inside, public_url=f"https://{host}") as running,
            in_front_of(port_of(inside), bound=self.house.dup(), names=NAMES, ca=self.ca),
        ):
            yield running

    def somebody(self, site: Site, email: str = "ann@example.com") -> Person:
        """Seat somebody at the browser, with a device."""
        page = self.browser.new_context(**LIKE_OURS).new_page()
        page.context.set_default_timeout(PATIENCE_MS)
        self.leaving.enter_context(self.watch.over(page.context))
        devices = self.leaving.enter_context(devices_of(page))
        return Person(page, site, self.watch, devices, devices.add("internal"), email)

    @contextmanager
    def open_shop(self, site: Site) -> Iterator[None]:
        """Open a page of the default client on another registrable domain."""
        client_id = site.first["clients"]["default"]["client_id"]
        site.manage("PATCH", f"/clients/{client_id}", {"web_origins": [SHOP]})
        words = {"{url}": site.url, "{client_id}": client_id, "{grant}": PASSKEY_GRANT}
        server = ThreadingHTTPServer(("127.0.0.1", 0), _page(words))
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="shop").start()
        try:
            with in_front_of(server.server_port, bound=self.shop.dup(), names=("shop.test",), ca=self.ca):
                yield
        finally:
            server.shutdown()
            server.server_close()


def _page(words: dict[str, str]) -> type[BaseHTTPRequestHandler]:
    text = PAGE
    for name, word in words.items():
        text = text.replace(name, word)

    class Page(BaseHTTPRequestHandler):
        """Shows the one page that there is."""

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html; charset=utf-8")
            self.send_header("content-length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    return Page


@pytest.fixture
def street(playwright: Playwright, installation: Stencil, watch: Watch) -> Iterator[Street]:
    """A browser for which every name below ``.test`` is here, and which trusts the authority of their certificates."""
    house, shop = listening(), listening()
    ca = trustme.CA().create_child_ca()  # below another, servers show its certificate beside their own
    public_key = x509.load_pem_x509_certificate(ca.cert_pem.bytes()).public_key()
    spki = public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    trusted = base64.b64encode(hashlib.sha256(spki).digest()).decode()
    rules = f"MAP shop.test:443 127.0.0.1:{port_of(shop)}, MAP *.test:443 127.0.0.1:{port_of(house)}"
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    args = [*ARGUMENTS, f"--host-resolver-rules={rules}", f"--ignore-certificate-errors-spki-list={trusted}"]
    browser = playwright.chromium.launch(executable_path=path, chromium_sandbox=False, args=args)
    found = Street(browser, installation, watch, ca, house, shop)
    with house, shop:
        yield found
        found.leaving.close()
        browser.close()


def at_the_shop(person: Person) -> str:
    """Press the button on the shop's page, and return what it says then: an address, or the name of an error."""
    person.opens(SHOP)
    person.presses("Sign in")
    expect(person.page.locator("output")).not_to_be_empty()
    return person.page.locator("output").inner_text()


def relying_party(site: Site, **members: Any) -> dict[str, Any]:
    """Change the relying party, and return it."""
    found: dict[str, Any] = site.manage("PATCH", "/keystead/relying-party?accept_stranded=1000", members)
    return found


def report(site: Site) -> dict[str, dict[str, Any]]:
    """Return the report, by id."""
    found = site.manage("GET", "/keystead/relying-party/report")["rp_ids"]
    return {each["rp_id"]: each for each in found}


def test_a_related_origin_logs_in_and_a_removed_one_does_not(street: Street) -> None:
    with street.open("login.house.test") as site, street.open_shop(site):
        relying_party(site, id="house.test", retiring=[])
        ann = street.somebody(site)
        ann.signs_up_with_passkey()
        (held,) = ann.device.credentials
        assert held["rpId"] == "house.test"

        assert at_the_shop(ann) == "SecurityError"
        relying_party(site, related_origins=[SHOP])
        assert at_the_shop(ann) == "ann@example.com"
        relying_party(site, related_origins=None)
        assert at_the_shop(ann) == "SecurityError"


def moves(ann: Person, site: Site, older: str, newer: str) -> None:
    """See that Ann, who has but a passkey of the older address, gets in with it, makes one more, and needs no older."""
    assert report(site)[older]["not_moved"] == {
        "people": 1,
        "with_password": 0,
        "with_verified_address": 0,
        "with_neither": 1,
    }
    ann.goes_to_sign_in()
    ann.is_at("Sign in")
    ann.presses(f"Use a passkey made for {older}")
    ann.is_at("Create a passkey for our new address")
    ann.reads(f"We have moved to {newer}")
    assert not report(site)[older]["can_go"]
    ann.presses("Create a passkey")
    assert ann.sees() == Seen("ann@example.com", "with a passkey", 2)
    assert sorted(each["rpId"] for each in ann.device.credentials) == sorted((older, newer))
    assert report(site)[older]["can_go"]

    ann.signs_out()
    relying_party(site, retiring=None)
    ann.goes_to_sign_in()
    assert ann.sees() == Seen("ann@example.com", "with a passkey", 2)


def test_a_move_to_a_parent_domain(street: Street) -> None:
    with street.open("login.house.test") as site:
        ann = street.somebody(site)
        ann.signs_up_with_passkey()
        ann.signs_out()
        assert relying_party(site, id="house.test")["retiring"] == ["login.house.test"]
        moves(ann, site, "login.house.test", "house.test")


def test_a_move_to_another_domain(street: Street) -> None:
    """The older host goes on leading to the server, and says there that the new one may use its passkeys."""
    with street.open("login.old.test") as site:
        relying_party(site, id="login.old.test")
        ann = street.somebody(site)
        ann.signs_up_with_passkey()
    with street.open("login.new.test") as site:
        ann = replace(ann, site=site)
        assert relying_party(site, id="login.new.test")["retiring"] == ["login.old.test"]
        moves(ann, site, "login.old.test", "login.new.test")
