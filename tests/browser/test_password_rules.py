"""A new password on the pages: the rules tick themselves off, are read aloud, and are a plain list without a script."""

import re
import time
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from browser import ON_SQLITE
from browser.conftest import SomebodyAt
from browser.people import Person
from browser.shop import Shop
from browser.site import Site

pytestmark = [pytest.mark.browser, ON_SQLITE]

EVERYTHING: dict[str, Any] = {
    "complexity": {
        "min_length": 10,
        "character_types": ["lowercase", "uppercase", "number", "special"],
        "character_type_rule": "three_of_four",
        "identical_characters": "block",
        "sequential_characters": "block",
    },
    "dictionary": {"active": True},
    "profile_data": {"active": True},
    "history": {"active": True, "size": 3},
}
LENGTH, TYPES, IDENTICAL, SEQUENTIAL, BYTES = (
    "At least 10 characters",
    "Three of these four:",
    "No more than two equal characters",
    "No more than two characters in sequence",
    "At most 72 characters",
)
LIVE = (LENGTH, TYPES, IDENTICAL, SEQUENTIAL, BYTES)


def rule(person: Person, text: str) -> Locator:
    """Return the entry of the list that begins with a text."""
    return person.page.locator("#rules li").filter(has=person.page.locator(f"xpath=./span[starts-with(., '{text}')]"))


def met(person: Person) -> set[str]:
    """Return which of the rules that a script can judge are ticked off."""
    return {each for each in LIVE if rule(person, each).get_attribute("data-met") == "true"}


def chooses(person: Person, **policy: Any) -> None:
    """Bring somebody who signs up to the page where they choose a password, under a policy."""
    person.site.patch_options(password_options=EVERYTHING | policy)
    person.goes_to_sign_up()
    person.types(email=person.email)
    person.presses("Continue")
    person.presses("Continue without a passkey")
    person.is_at("Choose a password")


def link_for(site: Site, email: str) -> str:
    """Ask for a new password, and return the link out of the mail."""
    first = site.first
    asked = {
        "client_id": first["clients"]["default"]["client_id"],
        "connection": first["connection"]["name"],
        "email": email,
    }
    assert site.http.post("/dbconnections/change_password", json=asked).is_success
    for _ in range(500):
        found = re.search(r"/u/reset-password\?ticket=[\w-]+", site.http.get("/dev/outbox").text)
        if found:
            return found.group()
        time.sleep(0.02)
    raise AssertionError("no mail came")


def test_the_rules_tick_themselves_off_while_typing(ann: Person) -> None:
    chooses(ann)
    assert met(ann) == set()
    for typed, expected in (
        ("aaa", {SEQUENTIAL, BYTES}),
        ("abc", {IDENTICAL, BYTES}),
        ("long and low", {LENGTH, IDENTICAL, SEQUENTIAL, BYTES}),
        ("Short 1", {TYPES, IDENTICAL, SEQUENTIAL, BYTES}),
        ("Good and long 1", set(LIVE)),
        ("ÄÖ" * 20, {LENGTH, IDENTICAL, SEQUENTIAL}),
        ("\N{GRINNING FACE}" * 2 + "x", {IDENTICAL, SEQUENTIAL, BYTES}),
        ("9876", {IDENTICAL, BYTES}),
        ("", set()),
    ):
        ann.types(password=typed)
        assert met(ann) == expected, typed
    ann.types(password="Ab")
    kinds = {each: rule(ann, each).get_attribute("data-met") for each in ("a lower case letter", "a number")}
    assert kinds == {"a lower case letter": "true", "a number": "false"}


def test_each_state_is_text_and_the_rest_is_said_when_the_typing_pauses(ann: Person) -> None:
    chooses(ann)
    expect(ann.page.locator("#password")).to_have_attribute("aria-describedby", "rules")
    ann.types(password="Short 1")
    expect(rule(ann, LENGTH).locator(".state")).to_have_text(", not met yet")
    expect(rule(ann, TYPES).locator("> span .state")).to_have_text(", met")
    expect(ann.page.locator("password-rules [role=status]")).to_have_text(f"Still needed: {LENGTH}")
    ann.types(password="Good and long 1")
    expect(ann.page.locator("password-rules [role=status]")).to_have_text("The password meets these rules.")


def test_what_only_the_server_judges_is_told_and_refused_by_name(ann: Person) -> None:
    ann.watch.expects("status of 400")
    chooses(ann, complexity={"min_length": 4})
    for text in ("Not a common password", "Nothing that is known about you, such as your name or address"):
        expect(rule(ann, text)).to_be_visible()
        assert rule(ann, text).get_attribute("data-met") is None
    assert not rule(ann, "Not one of your last").count()
    for typed, refusal in (("butterfly", "Password is too common"), ("xxANNxx", "Password contains user information")):
        ann.types(password=typed)
        ann.presses("Create account")
        ann.is_told(refusal)
        expect(ann.page.locator("#password")).to_have_attribute("aria-describedby", "error rules")
    ann.types(password="neither of these")
    ann.presses("Create account")
    ann.is_signed_in()


def test_cut_passwords_have_no_longest_length(ann: Person) -> None:
    chooses(ann, complexity={"min_length": 10, "max_length_exceeded": "truncate"})
    expect(rule(ann, LENGTH)).to_be_visible()
    expect(rule(ann, BYTES)).to_have_count(0)


def test_the_page_behind_a_reset_link_has_the_rules_and_the_history(ann: Person) -> None:
    ann.watch.expects("status of 400")
    ann.has_password()
    ann.site.patch_options(password_options={"history": {"active": True, "size": 2}})
    ann.opens(link_for(ann.site, ann.email))
    ann.is_at("Choose a new password")
    expect(rule(ann, "Not one of your last 2 passwords")).to_be_visible()
    ann.types(password=ann.password)
    expect(rule(ann, "At least 15 characters")).to_have_attribute("data-met", "true")
    ann.presses("Set the password")
    ann.is_told("Password has previously been used")
    ann.types(password="a password of today")
    ann.presses("Set the password")
    expect(ann.page.get_by_role("heading", level=1)).not_to_have_text("Choose a new password")


def test_without_a_script_the_rules_are_a_plain_list(somebody: SomebodyAt, shop: Shop) -> None:
    ann = somebody(java_script_enabled=False)
    ann.site.patch_options(password_options=EVERYTHING)
    ann.opens(shop.login_url(screen_hint="signup"))
    ann.types(email=ann.email)
    ann.presses("Continue")
    ann.presses("Continue without a passkey")
    for text in (*LIVE, "a special character", "Not a common password"):
        expect(rule(ann, text)).to_be_visible()
    assert ann.page.locator("#rules [data-met]").count() == 0
    assert ann.page.locator("#rules").evaluate("list => getComputedStyle(list).listStyleType") == "disc"


def test_a_passkey_is_offered_instead(ann: Person) -> None:
    chooses(ann)
    ann.presses("Create a passkey instead")
    ann.is_at("Create a passkey")


def test_password_managers_are_told_the_rules(ann: Person) -> None:
    chooses(ann)
    rules = ann.page.locator("#password").get_attribute("passwordrules")
    assert rules == (
        "minlength: 10; maxlength: 72; required: lower; required: upper; required: digit; required: special; "
        "max-consecutive: 2;"
    )
