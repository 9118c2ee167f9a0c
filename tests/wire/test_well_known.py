"""What browsers, platforms and password managers look up about passkeys (PK-27)."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from conftest import Stencil
from storefront import LOGIN, open_at, set_to
from world import World

WEBAUTHN = "/.well-known/webauthn"
APPLE = "/.well-known/apple-app-site-association"
ANDROID = "/.well-known/assetlinks.json"
ENDPOINTS = "/.well-known/passkey-endpoints"
FINGERPRINT = ":".join(["ab"] * 32)
OTHER = ":".join(["0C"] * 32)
RELATIONS = ["delegate_permission/common.get_login_creds", "delegate_permission/common.handle_all_urls"]


@pytest.fixture
async def house(installation: Stencil) -> AsyncIterator[World]:
    """Keystead at https://login.example.com."""
    async with open_at(installation) as opened:
        yield opened


async def document(world: World, path: str) -> Any:
    """Return a document that is there: JSON, for everybody, where it was asked for; related origins are not kept."""
    answer = await world.client.get(path)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == ("no-cache" if path == WEBAUTHN else "public, max-age=300")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "set-cookie" not in answer.headers
    return answer.json()


@pytest.mark.parametrize("path", [WEBAUTHN, APPLE, ANDROID])
async def test_what_has_nothing_in_it_is_not_there(house: World, path: str) -> None:
    assert (await house.client.get(path)).status_code == 404


@pytest.mark.parametrize("path", ["/.well-known/passkey", "/.well-known/webauthn/", "/.well-known/assetlinks"])
async def test_what_nobody_defined_is_not_there(house: World, path: str) -> None:
    await set_to(house, related_origins=["https://shop.example"])
    assert (await house.client.get(path)).status_code == 404


async def test_related_origins(house: World) -> None:
    await set_to(house, related_origins=["https://shop.example", "https://shop.de:8443"])
    assert await document(house, WEBAUTHN) == {"origins": ["https://shop.example", "https://shop.de:8443"]}
    await set_to(house, related_origins=["https://shop.de:8443"])
    assert await document(house, WEBAUTHN) == {"origins": ["https://shop.de:8443"]}
    await set_to(house, related_origins=None)
    assert (await house.client.get(WEBAUTHN)).status_code == 404


async def test_an_older_host_says_that_our_pages_may_use_its_passkeys(house: World) -> None:
    await set_to(house, id="example.com")
    assert (await house.client.get(WEBAUTHN)).status_code == 404, "a browser takes both ids on our pages as they are"
    await set_to(house, retiring=["old.test"])
    answer = await house.client.get(WEBAUTHN, headers={"host": "old.test"})
    assert answer.json() == {"origins": [LOGIN]}


async def test_where_passkeys_are_managed(house: World) -> None:
    page = f"{LOGIN}/u/account/passkeys"
    assert await document(house, ENDPOINTS) == {"enroll": page, "manage": page}
    answer = await house.client.get(ENDPOINTS, headers={"host": "evil.example"})
    assert answer.json() == {"enroll": page, "manage": page}


async def test_apps(house: World) -> None:
    shop = {"app_package_name": "com.example.shop", "sha256_cert_fingerprints": [FINGERPRINT]}
    ios = {"team_id": "ABCDE12345", "app_bundle_identifier": "com.example.shop"}
    await house.new_client("Shop", app_type="native", mobile={"ios": ios, "android": shop})
    debug = {**shop, "sha256_cert_fingerprints": [OTHER, FINGERPRINT.upper()]}
    await house.new_client("Shop, in development", app_type="native", mobile={"ios": ios, "android": debug})
    work = {"ios": ios | {"app_bundle_identifier": "com.example.work"}}
    await house.new_client("Work", app_type="native", mobile=work)
    await house.new_client("No app", app_type="native")
    assert await document(house, APPLE) == {
        "webcredentials": {"apps": ["ABCDE12345.com.example.shop", "ABCDE12345.com.example.work"]}
    }
    target = {
        "namespace": "android_app",
        "package_name": "com.example.shop",
        "sha256_cert_fingerprints": [FINGERPRINT.upper(), OTHER],
    }
    assert await document(house, ANDROID) == [{"relation": RELATIONS, "target": target}]


@pytest.mark.parametrize(
    "mobile",
    [
        {},
        {"ios": {}, "android": {}},
        {"ios": {"team_id": "ABCDE12345"}, "android": {"app_package_name": "com.example.shop"}},
        {
            "ios": {"app_bundle_identifier": "com.example.shop"},
            "android": {"sha256_cert_fingerprints": [FINGERPRINT]},
        },
    ],
)
async def test_half_an_app_is_none(house: World, mobile: dict[str, Any]) -> None:
    await house.new_client("Shop", app_type="native", mobile=mobile)
    for path in (APPLE, ANDROID):
        assert (await house.client.get(path)).status_code == 404


async def test_apps_of_others_do_not_get_our_passkeys(house: World) -> None:
    mobile = {
        "ios": {"team_id": "ABCDE12345", "app_bundle_identifier": "com.example.partner"},
        "android": {"app_package_name": "com.example.partner", "sha256_cert_fingerprints": [FINGERPRINT]},
    }
    partner = await house.new_client("Partner", app_type="native", is_first_party=False, mobile=mobile)
    for path in (APPLE, ANDROID):
        assert (await house.client.get(path)).status_code == 404
    await house.patch_client(partner["client_id"], is_first_party=True)
    for path in (APPLE, ANDROID):
        assert (await house.client.get(path)).status_code == 200
