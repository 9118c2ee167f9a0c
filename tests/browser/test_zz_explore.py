import pytest
from playwright.sync_api import expect
from browser.people import Person
pytestmark = [pytest.mark.browser, pytest.mark.parametrize("installation", ["sqlite"], indirect=True)]

def test_cancel(ann):
    ann.signs_up_with_passkey(); ann.signs_out()
    ann.device.ignores()
    ann.goes_to_sign_in(); ann.waits_for_autofill()
    ann.device.refuses(); ann.device.answers()
    ann.presses("Sign in with a passkey")
    ann.page.wait_for_timeout(1500)
    print(ann.passkeys_stand.evaluate("e => [e.outerHTML, JSON.stringify(e.dataset)]"))
    ann.device.ignores(); ann.device.relents()
    ann.presses("Sign in with a passkey")
    ann.page.wait_for_timeout(500)
    print(ann.passkeys_stand.evaluate("e => JSON.stringify(e.dataset)"))
    ann.device.is_lost()
    ann.page.wait_for_timeout(1500)
    print(ann.passkeys_stand.evaluate("e => [JSON.stringify(e.dataset), e.innerText]"))
    print(ann.watch.complaints)

def test_deleted(ann):
    ann.signs_up_with_passkey(); ann.signs_out()
    ann.site.delete_passkeys(ann.email)
    ann.device.ignores()
    ann.goes_to_sign_in(); ann.waits_for_autofill()
    ann.device.answers()
    ann.presses("Sign in with a passkey")
    ann.page.wait_for_timeout(1500)
    print(ann.page.locator("main").inner_text(), ann.page.url)
    print(ann.device.credentials)
    print(ann.watch.complaints)
    ann.watch.complaints.clear()

def test_autofill(ann):
    ann.signs_up_with_passkey(); ann.signs_out()
    ann.goes_to_sign_in()
    ann.is_signed_in()
    print(ann.sees())

def test_local(somebody):
    ann = somebody(transport="usb")
    ann.signs_up_with_passkey(); ann.signs_out()
    ann.device.ignores()
    ann.goes_to_sign_in(); ann.waits_for_autofill()
    ann.device.answers()
    ann.presses("Sign in with a passkey")
    ann.page.wait_for_timeout(1000)
    print(ann.page.locator("main").inner_text(), ann.page.url)
    here = ann.devices.add()
    ann.device.ignores()
    ann.presses("Create a passkey")
    ann.page.wait_for_timeout(1000)
    print(ann.page.locator("main").inner_text(), ann.page.url)
    print(len(here.credentials))
    print(ann.watch.complaints)
