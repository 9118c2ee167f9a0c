"""People become accounts."""

import pytest
from playwright.sync_api import expect

from browser.people import Person, Seen

pytestmark = pytest.mark.browser


def test_sign_up_with_a_passkey(ann: Person) -> None:
    ann.signs_up_with_passkey()
    assert ann.sees() == Seen("ann@example.com", "with a passkey", 1)
    assert len(ann.site.passkeys("ann@example.com")) == len(ann.device.credentials) == 1
    expect(ann.page.locator("#no-passkeys")).to_be_hidden()


def test_sign_up_with_a_password(ann: Person) -> None:
    ann.signs_up_with_password()
    assert ann.sees() == Seen("ann@example.com", "with a password", 0)
    assert ann.device.credentials == []
