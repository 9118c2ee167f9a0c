"""What goes wrong between a person and a login, and what the pages say then."""

from contextlib import suppress

import pytest
from playwright.sync_api import Error, Route, expect

from browser import ON_SQLITE
from browser.conftest import SomebodyAt
from browser.people import Person
from browser.shop import Shop

pytestmark = [pytest.mark.browser, ON_SQLITE]

EXPIRED = "This sign-in has expired"


def _blocks(person: Person) -> None:
    site = person.site
    site.manage("PATCH", f"/users/{site.account(person.email)['user_id']}", {"blocked": True})


def test_the_client_learns_that_an_account_is_blocked(ann: Person, shop: Shop) -> None:
    """Whoever has the right password learns of the block; whoever guesses does not."""
    ann.watch.expects("status of 403")
    ann.has_password()
    _blocks(ann)
    ann.opens(shop.login_url())
    ann.gives_password("not the password")
    ann.is_told("Wrong email address or password.")
    ann.types(password=ann.password)
    ann.presses("Sign in")
    ann.page.wait_for_url(f"{shop.callback}?*")
    answer = shop.answer(ann.page.url)
    assert (answer["error"], answer["error_description"]) == ("unauthorized", "user is blocked")
    assert "code" not in answer


def test_the_passkey_of_a_blocked_account_opens_nothing(ann: Person) -> None:
    ann.has_passkey()
    _blocks(ann)
    ann.goes_to_sign_in()
    ann.is_told("user is blocked")
    ann.can_press("Sign in")
    assert "error" not in ann.page.url


def test_blocking_ends_a_session_that_is_open(ann: Person) -> None:
    ann.has_passkey()
    ann.goes_to_sign_in()
    ann.is_signed_in()
    _blocks(ann)
    ann.page.evaluate("sessionStorage.clear()")
    ann.device.ignores()
    ann.goes_to_sign_in()
    ann.is_at("Sign in")


def test_too_many_attempts(ann: Person) -> None:
    """Ten wrong guesses, and the right password is not even tried."""
    ann.watch.expects("status of 403")
    ann.watch.expects("status of 429")
    ann.has_password()
    ann.goes_to_sign_in()
    ann.gives_password("guess 0")
    for guess in range(1, 10):
        ann.is_told("Wrong email address or password.")
        ann.types(password=f"guess {guess}")
        ann.presses("Sign in")
    ann.is_told("Wrong email address or password.")
    ann.types(password=ann.password)
    ann.presses("Sign in")
    ann.is_told("Sign-in is blocked from here, because wrong passwords were tried too often.")
    ann.types(password=ann.password)
    ann.presses("Sign in")
    ann.is_told("Sign-in is blocked from here")
    assert [each["name"] for each in ann.page.context.cookies()] == ["keystead-browser"]


def test_a_link_in_a_mail_unblocks_the_browser_in_which_it_is_opened(ann: Person) -> None:
    """Strangers go on guessing, and are refused; the owner signs in beside them."""
    ann.watch.expects("status of 429")
    ann.watch.expects("status of 400")
    ann.has_password()
    ann.site.is_guessed_at(ann.email)
    ann.signs_in_with_password()
    ann.is_told("a message goes to its owner, at most once an hour. The link in the newest one unblocks it.")
    link = ann.newest_link("/u/unblock")
    ann.opens(link)
    ann.is_at("Unblock your account?")
    ann.reads(ann.email)
    ann.presses("Unblock my account")
    ann.is_at("Your account is unblocked")
    ann.site.clock.advance(minutes=2)
    ann.site.is_guessed_at(ann.email)
    ann.presses("Go to the start page")
    ann.signs_in_with_password()
    ann.presses("Not now")
    ann.is_signed_in()
    ann.opens(link)
    ann.is_at("This link does not work any more")


def test_a_login_that_was_left_lying(ann: Person) -> None:
    ann.watch.expects("status of 400")
    ann.goes_to_sign_in()
    ann.site.clock.advance(hours=1, minutes=1)
    ann.types(username=ann.email)
    ann.presses("Continue")
    ann.is_at(EXPIRED)
    ann.reads("Go back to the application and try again.")
    ann.presses("Back to the start")
    ann.can_press("Sign in")


def test_a_passkey_request_that_was_left_lying(ann: Person) -> None:
    """The ceremony is over after five minutes: the page says so, and the next press has a new one."""
    ann.watch.expects("status of 403")
    ann.has_passkey()
    ann.site.patch_options(passkey_options={"challenge_ui": "button"})
    ann.goes_to_sign_in()

    def late(route: Route) -> None:
        ann.site.clock.advance(minutes=6)
        route.continue_()

    ann.page.route("**/u/login/passkey?*", late, times=1)
    ann.presses("Sign in with a passkey")
    ann.is_told("That took too long, so the request was no longer valid. Please try again.")
    ann.presses("Sign in with a passkey")
    ann.is_signed_in()


def test_another_browser_cannot_go_on_with_a_login(ann: Person, somebody: SomebodyAt) -> None:
    """Somebody sends a link to a login of their own, to have the person enter their account (or their password)."""
    ann.watch.expects("status of 400")
    mallory = somebody("mallory@example.com")
    mallory.goes_to_sign_in()
    mallory.is_at("Sign in")
    ann.opens(mallory.page.url)
    ann.is_at(EXPIRED)
    ann.goes_to_sign_in()
    ann.is_at("Sign in")
    ann.opens(mallory.page.url)
    ann.is_at(EXPIRED)


def test_the_back_button_within_a_login(ann: Person) -> None:
    ann.has_password()
    ann.goes_to_sign_in()
    ann.types(username="an@example.com")
    ann.presses("Continue")
    ann.is_at("Enter your password")
    ann.page.go_back()
    ann.is_at("Sign in")
    ann.gives_password()
    ann.presses("Not now")
    assert ann.sees().name == ann.email


def test_the_back_button_after_a_login(ann: Person) -> None:
    """A finished login cannot be gone on with, and the way out of its page leads to where one is signed in."""
    ann.watch.expects("status of 400")
    ann.has_password()
    ann.signs_in_with_password()
    ann.presses("Not now")
    ann.is_signed_in()
    ann.page.go_back()
    ann.is_at(EXPIRED)
    ann.presses("Back to the start")
    ann.is_signed_in()


def test_the_back_button_after_the_proof(ann: Person) -> None:
    """The password is not asked for twice: the login stands where it stands."""
    ann.has_password()
    ann.signs_in_with_password()
    ann.is_at("Skip the password next time")
    ann.page.go_back()
    ann.is_at("Skip the password next time")
    ann.presses("Not now")
    ann.is_signed_in()


def test_two_tabs_of_one_login(ann: Person, shop: Shop) -> None:
    """The second tab goes on where the first one stands, and finds out when it is over."""
    ann.watch.expects("status of 400")
    ann.has_password()
    ann.opens(shop.login_url())
    ann.is_at("Sign in")
    other = ann.in_another_tab()
    other.opens(ann.page.url)
    other.is_at("Sign in")
    ann.gives_password()
    ann.is_at("Skip the password next time")
    other.types(username=other.email)
    other.presses("Continue")
    other.is_at("Skip the password next time")
    ann.presses("Not now")
    ann.page.wait_for_url(f"{shop.callback}?*")
    assert shop.redeem(ann.page.url)["email"] == ann.email
    other.presses("Not now")
    other.is_at(EXPIRED)


def test_two_logins_in_two_tabs(ann: Person, shop: Shop) -> None:
    ann.has_password()
    ann.goes_to_sign_in()
    other = ann.in_another_tab()
    other.opens(shop.login_url())
    other.is_at("Sign in")
    ann.gives_password()
    ann.presses("Not now")
    ann.is_signed_in()
    other.gives_password()
    other.presses("Not now")
    other.page.wait_for_url(f"{shop.callback}?*")
    assert shop.redeem(other.page.url)["email"] == ann.email


def test_a_double_click_signs_in_once(ann: Person) -> None:
    ann.has_password()
    ann.goes_to_sign_in()
    ann.types(username=ann.email)
    ann.presses("Continue")
    ann.types(password=ann.password)
    ann.page.get_by_role("button", name="Sign in", exact=True).dblclick()
    ann.presses("Not now")
    ann.is_signed_in()


@pytest.mark.parametrize(
    ("smuggled", "complaint"),
    [
        ("document.body.append(Object.assign(document.createElement('script'), {text: '1'}))", "TrustedScript"),
        ("document.querySelector('form').outerHTML = '<form onsubmit=1>'", "TrustedHTML"),
        ("fetch('https://shop.example/').catch(() => {})", "Content Security Policy"),
        ("document.body.append(Object.assign(new Image(), {src: 'https://shop.example/'}))", "Content Security Policy"),
    ],
    ids=["script", "markup", "request", "picture"],
)
def test_what_somebody_smuggled_in_goes_nowhere(ann: Person, smuggled: str, complaint: str) -> None:
    """The policy lets in no script but the site's own, no text that becomes one, and nothing out to anybody else."""
    ann.watch.expects(complaint)
    ann.goes_to_sign_in()
    ann.is_at("Sign in")
    with suppress(Error):  # the browser throws what it stops at once, and complains of the rest
        ann.page.evaluate(f"() => {{ {smuggled} }}")


def test_a_link_that_leads_nowhere(ann: Person) -> None:
    ann.watch.expects("status of 404")
    ann.opens("/u/no/such/page")
    ann.is_at("There is no such page")
    ann.presses("Back to the start")
    expect(ann.page.locator("#welcome")).to_be_visible()
