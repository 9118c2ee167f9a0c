"""For whom a device is known."""

from keystead.rules.identifiers import Identifier, UsernameRules, parse
from keystead.rules.known_devices import Device

ANN, BOB = Identifier("email", "ann@example.com"), Identifier("email", "bob@example.com")
NEW = Device(id="dev_1")


def test_nobody_is_known_before_a_login() -> None:
    assert not NEW.knows("con_1", ANN, "auth0|1")


def test_it_is_known_for_whoever_logged_in_on_that_connection() -> None:
    device = NEW.after_login("con_1", [ANN], "auth0|1")
    assert device.id == NEW.id
    assert device.knows("con_1", ANN, "auth0|1")
    assert not device.knows("con_1", BOB, "auth0|1")
    assert not device.knows("con_2", ANN, "auth0|1")


def test_a_name_that_can_be_read_in_two_ways_is_known_in_both() -> None:
    """What looks like a phone number may be somebody's username."""
    device = NEW.after_login("con_1", [Identifier("username", "+14155552671")], "auth0|1")
    typed = parse("+14155552671", ("phone_number", "username"), usernames=UsernameRules(may_be_phone=True))
    assert typed is not None
    assert (typed.kind, bool(typed.otherwise)) == ("phone_number", True)
    assert device.knows("con_1", typed, "auth0|1")
    other = Identifier("phone_number", "+4930123456", otherwise=(Identifier("username", "030/123456"),))
    assert NEW.after_login("con_1", [Identifier("username", "030/123456")], "auth0|1").knows("con_1", other, "auth0|1")


def test_it_says_no_names() -> None:
    assert "ann" not in str(NEW.after_login("con_1", [ANN], "auth0|1"))
