"""The Signal API as the browser hears it: what pages say, once each, and that today's Chromium takes it."""

import base64
import time
from typing import Any

import pytest

from authenticator import b64url
from browser import ON_SQLITE
from browser.conftest import SomebodyAt
from browser.devices import PATIENCE_S, Device
from browser.people import Person

pytestmark = [pytest.mark.browser, ON_SQLITE]

LISTENER = """
    window.heard = [];
    for (const name of ["UnknownCredential", "AllAcceptedCredentials", "CurrentUserDetails"]) {
      const real = PublicKeyCredential[`signal${name}`].bind(PublicKeyCredential);
      PublicKeyCredential[`signal${name}`] = async (options) => {
        const outcome = await real(options).then(() => "taken", (error) => String(error));
        window.heard.push([name, options, outcome]);
      };
    }
"""
"""Passes each call on to the browser itself, and keeps what it made of it: the page waits for neither."""

PAGE = "/u/account/passkeys"


@pytest.fixture
def ann(somebody: SomebodyAt) -> Person:
    """Ann, at a browser that is listened to."""
    person = somebody(alone=True)
    person.page.add_init_script(LISTENER)
    return person


def heard(person: Person, count: int) -> list[tuple[str, dict[str, Any]]]:
    """Return what the page has said, once it has said so many things and the browser has taken them all."""
    found = outcomes(person, count)
    assert [outcome for _, _, outcome in found] == ["taken"] * count
    return [(name, options) for name, options, _ in found]


def outcomes(person: Person, count: int) -> list[tuple[str, dict[str, Any], str]]:
    """Return what the page has said, with what the browser made of it; asked from outside, as pages allow no eval."""
    deadline = time.monotonic() + PATIENCE_S
    while len(found := person.page.evaluate("window.heard")) < count:
        assert time.monotonic() < deadline, f"the page said {len(found)} things, not {count}"
        time.sleep(0.02)
    return [(name, options, outcome) for name, options, outcome in found]


def ids(*devices: Device) -> list[str]:
    """Return the credential ids that devices hold."""
    return [b64url(base64.b64decode(each["credentialId"])) for device in devices for each in device.credentials]


def handle(device: Device) -> str:
    return b64url(base64.b64decode(device.credentials[0]["userHandle"]))


def both(user_id: str, accepted: list[str], name: str = "ann@example.com") -> list[tuple[str, dict[str, Any]]]:
    about = {"rpId": "localhost", "userId": user_id}
    return [
        ("AllAcceptedCredentials", {**about, "allAcceptedCredentialIds": accepted}),
        ("CurrentUserDetails", {**about, "name": name, "displayName": name}),
    ]


def test_a_passkey_that_nobody_owns_is_forgotten(ann: Person) -> None:
    ann.watch.expects("status of 403")
    ann.has_passkey()
    ann.site.delete_passkeys(ann.email)
    named = {"rpId": "localhost", "credentialId": ids(ann.device)[0]}
    ann.goes_to_sign_in()
    ann.is_told("This passkey is not known here any more")
    assert heard(ann, 1) == [("UnknownCredential", named)]
    ann.device.settles_at(0)


def test_the_account_page_says_what_is_accepted_and_what_it_is_called(ann: Person) -> None:
    """And the browser does it: the passkey has the new address, and the one that an administrator removed is gone."""
    ann.has_passkey()
    ann.opens(PAGE)
    ann.is_at("Your passkeys")
    user_id = handle(ann.device)
    assert heard(ann, 2) == both(user_id, ids(ann.device))
    ann.page.reload()
    assert heard(ann, 2) == both(user_id, ids(ann.device)), "a page that is loaded again says it again"

    account = ann.site.account(ann.email)["user_id"]
    ann.site.manage("PATCH", f"/users/{account}", {"email": "bea@example.com", "name": "bea@example.com"})
    ann.opens(PAGE)
    ann.is_at("Your passkeys")
    assert heard(ann, 2) == both(user_id, ids(ann.device), "bea@example.com")
    assert [each["userName"] for each in ann.device.credentials] == ["bea@example.com"]


def test_a_removal_and_an_addition_are_said_by_the_page_that_follows(ann: Person) -> None:
    ann.has_passkey()
    ann.opens(PAGE)
    ann.is_at("Your passkeys")
    first = ids(ann.device)
    other = ann.devices.add("usb")
    ann.device.ignores()
    ann.presses("Add a passkey")
    ann.reads("The passkey was added.")
    user_id = handle(other)
    assert heard(ann, 2) == both(user_id, [*first, *ids(other)])
    ann.page.locator("details").filter(has_text="Remove").first.locator("summary").click()
    ann.presses("Remove it")
    ann.reads("The passkey was removed")
    assert heard(ann, 2) == both(user_id, ids(other))
    ann.device.settles_at(0)
    other.settles_at(1)


def test_a_passkey_that_the_server_refused_is_hidden_at_once(ann: Person) -> None:
    """The browser made it, and the policy does not take it: nobody should be offered it at the next login."""
    ann.watch.expects("status of 403")
    ann.has_password()
    ann.site.patch_options(passkey_policy={"backup": "device_bound_only"})
    ann.opens(PAGE)
    ann.gives_password()
    ann.presses("Not now")
    ann.is_at("Your passkeys")
    ann.presses("Add a passkey")
    ann.is_told("Passkeys of this kind are not allowed here.")
    accepted, _ = heard(ann, 2)
    assert accepted[1]["allAcceptedCredentialIds"] == []
    ann.device.settles_at(0)


def test_the_offer_of_a_passkey_after_a_login(ann: Person) -> None:
    ann.has_password()
    ann.signs_in_with_password()
    ann.is_at("Skip the password next time")
    (_, accepted), (_, named) = heard(ann, 2)
    assert accepted["allAcceptedCredentialIds"] == []
    assert named["name"] == "ann@example.com"
    ann.presses("Create a passkey")
    ann.is_signed_in()
    assert len(ann.device.credentials) == 1


def test_the_landing_page_passes_on_what_the_api_says(ann: Person) -> None:
    """An ordinary client of the server, by ``GET /me/v1/keystead/signals``."""
    ann.signs_up_with_passkey()
    assert heard(ann, 2) == both(handle(ann.device), ids(ann.device))


def test_the_passkeys_of_a_blocked_account_are_no_longer_offered(ann: Person) -> None:
    ann.has_passkey()
    user_id, account = handle(ann.device), ann.site.account(ann.email)["user_id"]
    ann.site.manage("PATCH", f"/users/{account}", {"blocked": True})
    ann.goes_to_sign_in()
    ann.is_told("user is blocked")
    ann.device.ignores()
    ann.goes_to_sign_in()
    assert heard(ann, 1) == both(user_id, [])[:1]
    ann.device.settles_at(0)


@pytest.mark.parametrize("lacking", ["delete window.PublicKeyCredential;", "delete PublicKeyCredential.{};"])
def test_a_browser_without_signals_is_told_nothing(somebody: SomebodyAt, lacking: str) -> None:
    """Nor does it complain."""
    names = ("signalUnknownCredential", "signalAllAcceptedCredentials", "signalCurrentUserDetails")
    ann = somebody(alone=True)
    ann.page.add_init_script(" ".join(lacking.format(name) for name in names))
    ann.has_password()
    ann.opens(PAGE)
    ann.gives_password()
    ann.presses("Not now")
    ann.is_at("Your passkeys")
    with ann.page.expect_response("**/signals.js"):
        ann.page.reload()
    ann.reads("You have none yet.")


def test_an_address_that_is_not_this_page_s_business(ann: Person) -> None:
    """The browser refuses the signal for it, and the page goes on."""
    ann.has_password()
    ann.signs_in_with_password()
    ann.is_at("Skip the password next time")
    script = """async () => {
        const { tell } = await import("/static/js/signals.js");
        const about = { rpId: "elsewhere.example", userId: "AAAA" };
        tell([{ type: "allAcceptedCredentials", options: { ...about, allAcceptedCredentialIds: [] } }]);
    }"""
    ann.page.evaluate(script)
    assert "SecurityError" in outcomes(ann, 3)[-1][2]
