"""Somebody of a customer's own database, in Chromium: in with their password, on with a passkey."""

from collections.abc import Iterator

import pytest

from browser import ON_SQLITE
from browser.people import Person, Seen
from customer import Customer, customer

pytestmark = [pytest.mark.browser, ON_SQLITE]

PROGRESSIVE = "Skip the password next time"
PASSWORD_THERE = "as it was over there"


@pytest.fixture
def theirs() -> Iterator[Customer]:
    """The customer's database; Ann has always been in it."""
    with customer() as found:
        found.add("ann@example.com", PASSWORD_THERE, name="Ann Lee", email_verified=True)
        yield found


@pytest.mark.parametrize("importing", [False, True], ids=["stays", "moves"])
def test_from_a_password_of_theirs_to_a_passkey_of_ours(ann: Person, theirs: Customer, importing: bool) -> None:
    ann.password = PASSWORD_THERE
    methods = {"password": {"enabled": True}, "passkey": {"enabled": True}}
    names = ("login", "get_user") if importing else ()
    more = {"import_mode": importing, "enable_script_context": True, "authentication_methods": methods}
    ann.site.patch_options(**theirs.options("node", *names, **more))

    ann.signs_in_with_password()
    ann.is_at(PROGRESSIVE)
    ann.presses("Create a passkey")
    assert ann.sees() == Seen("Ann Lee", "with a password", 1)
    assert theirs.count("login") == 1

    ann.signs_out()
    ann.goes_to_sign_in()
    assert ann.sees() == Seen("Ann Lee", "with a passkey", 1)
    assert theirs.count("get_user") == (0 if importing else 1)

    ann.signs_out()
    theirs.people.clear()
    if importing:
        ann.goes_to_sign_in()
        assert ann.sees() == Seen("Ann Lee", "with a passkey", 1)
        return
    ann.watch.expects("403")
    ann.goes_to_sign_in()
    ann.is_told("The account no longer exists.")
    ann.device.ignores()  # else it answers the next challenge of the same page, and the next
    ann.opens()
    ann.can_press("Sign in")
