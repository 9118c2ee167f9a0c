"""The link of the first start makes the first owner, once."""

import pytest
from playwright.sync_api import expect

from browser.people import Person
from world import PASSWORD, PUBLIC_URL

pytestmark = pytest.mark.browser


def test_the_setup_link_works_once(ann: Person) -> None:
    ann.watch.expects("status of 400")
    link = str(ann.site.first["administrator_setup_url"]).removeprefix(PUBLIC_URL)
    ann.opens(link)
    ann.is_at("Set up the first administrator")
    ann.types(email="owner@example.com", password="short")
    ann.sends_unchecked("Create administrator")
    ann.is_told("Password is too weak")
    expect(ann.page.locator("#email")).to_have_value("owner@example.com")
    expect(ann.page.locator("#password")).to_be_focused()

    ann.types(password=PASSWORD)
    ann.presses("Create administrator")
    ann.is_at("The administrator is set up")

    ann.opens(link)
    ann.is_at("This link is not valid")
    ann.opens("/u/setup?ticket=made-up")
    ann.is_at("This link is not valid")
    assert ann.site.manage("GET", "/users") == []
