"""Pages in the colours of a tenant, with its logo: what the browser makes of the style sheet and the policy."""

import pytest
from playwright.sync_api import Route, expect

from browser import ON_SQLITE
from browser.people import Person

pytestmark = [pytest.mark.browser, ON_SQLITE]

LOGO = '<svg xmlns="http://www.w3.org/2000/svg" width="120" height="40"><rect width="120" height="40"/></svg>'


def test_the_pages_have_the_colours_and_the_logo_of_the_tenant(ann: Person) -> None:
    def serve(route: Route) -> None:
        assert "referer" not in route.request.headers
        route.fulfill(body=LOGO, content_type="image/svg+xml")

    brand = {"colors": {"primary": "#ffe600"}, "logo_url": "https://cdn.example/logo.svg"}
    ann.site.manage("PATCH", "/branding", brand)
    ann.site.manage("PATCH", "/tenants/settings", {"friendly_name": "Yellow"})
    ann.site.clock.advance(seconds=11)
    ann.page.route("https://cdn.example/**", serve)
    ann.goes_to_sign_in()
    button = ann.page.get_by_role("button", name="Continue")
    expect(button).to_have_css("background-color", "rgb(255, 230, 0)")
    expect(button).to_have_css("color", "rgb(0, 0, 0)")
    assert ann.page.get_by_role("img", name="Yellow").evaluate("image => image.naturalWidth") == 120
    link = ann.page.get_by_role("link", name="Create an account")
    assert link.evaluate("link => getComputedStyle(link).color") != "rgb(255, 230, 0)"
    ann.page.unroute("https://cdn.example/**")
