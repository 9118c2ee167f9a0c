"""Clients as values: what is accepted, what a PATCH makes of one, and what is shown in full."""

from typing import Any

import pytest

from keystead.errors import BadRequest
from keystead.rules.clients import (
    CLIENT_CREDENTIALS,
    CODE,
    REFRESH,
    app_origins,
    as_registered,
    new_settings,
    patch_settings,
    without_key,
)

HERE = "https://login.example.com"
FINGERPRINT = ":".join(["AB"] * 32)


@pytest.mark.parametrize(
    ("app_type", "auth_method", "grants"),
    [
        (None, "client_secret_post", [CODE, REFRESH]),
        ("regular_web", "client_secret_post", [CODE, REFRESH]),
        ("spa", "none", [CODE, REFRESH]),
        ("native", "none", [CODE, REFRESH]),
        ("non_interactive", "client_secret_post", [CLIENT_CREDENTIALS]),
    ],
)
def test_defaults_follow_from_the_kind_of_application(
    app_type: str | None, auth_method: str, grants: list[str]
) -> None:
    made = new_settings({"name": "App", "app_type": app_type})
    assert made.token_endpoint_auth_method == auth_method
    assert made.grant_types == grants
    assert made.is_public == (auth_method == "none")


@pytest.mark.parametrize(
    ("body", "path", "text"),
    [
        ({}, "", "Missing required property: name"),
        ({"name": 7}, "name", "Expected type string but found type integer"),
        ({"name": ""}, "name", "String is too short (0 chars), minimum 1"),
        ({"name": "<b>"}, "name", "String does not match pattern ^[^<>]+$: <b>"),
        ({"name": "a", "foo": 1}, "", "Additional properties not allowed: foo"),
        ({"name": "a", "client_secret": "mine"}, "", "Additional properties not allowed: client_secret"),
        ({"name": "a", "description": "x" * 141}, "description", "String is too long (141 chars), maximum 140"),
        ({"name": "a", "app_type": "toaster"}, "app_type", "No enum match for: toaster"),
        ({"name": "a", "callbacks": "https://a"}, "callbacks", "Expected type array but found type string"),
        ({"name": "a", "callbacks": [1]}, "callbacks.0", "Expected type string but found type integer"),
        ({"name": "a", "grant_types": ["magic"]}, "grant_types", "Unknown grant type: magic"),
        (
            {"name": "a", "app_type": "spa", "grant_types": [CLIENT_CREDENTIALS]},
            "grant_types",
            "A client without a secret cannot use client_credentials",
        ),
        ({"name": "a", "jwt_configuration": {"alg": "HS256"}}, "jwt_configuration.alg", "No enum match for: HS256"),
        (
            {"name": "a", "refresh_token": {"leeway": -1}},
            "refresh_token.leeway",
            "Value -1 is less than minimum 0",
        ),
        (
            {"name": "a", "client_metadata": {str(n): "x" for n in range(11)}},
            "client_metadata",
            "Too many properties defined (11), maximum 10",
        ),
        ({"name": "a", "web_origins": ["https://a/path"]}, "web_origins.0", "must be an origin: scheme, host and port"),
    ],
)
def test_wrong_bodies_are_refused_by_path(body: dict[str, Any], path: str, text: str) -> None:
    with pytest.raises(BadRequest) as refused:
        new_settings(body)
    assert (refused.value.path, refused.value.text) == (path, text)


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "DATA:text/html,x",
        "file:///etc/passwd",
        "vbscript:x",
        "https://a/#fragment",
        "https://*.example.com",
        "https://a\\@b",
        "no-scheme",
        "https://a/ b",
        "https://a/\n",
        "https://a/" + "x" * 2000,
        "https://пример.example/cb",
        "https://app.example/é",
        "https://app.example;sandbox/cb",
        "https://a.example,default-src/cb",
        "https://a.example'self'/cb",
        'https://a.example"/cb',
        "myapp://a;sandbox/cb",
        "https://somebody@app.example/cb",
        "https:app.example",
        "https:///app.example",
        "https://app.example:99999999/cb",
        "http://[::1/cb",
        *(f"{scheme}:x" for scheme in ("blob", "about", "view-source", "feed", "jar", "Feed")),
    ],
)
def test_a_redirect_goes_nowhere_surprising(url: str) -> None:
    with pytest.raises(BadRequest) as refused:
        new_settings({"name": "a", "callbacks": [url]})
    assert refused.value.path == "callbacks.0"


@pytest.mark.parametrize(
    "url",
    [
        "https://a/cb?x=1",
        "HTTPS://A.example?x",
        "http://localhost:3000",
        "http://[::1]:3000/cb;v=1",
        "https://a_b.example/cb",
        "com.example.app:/cb",
        "com.example.app://login.example.com/android/cb",
        "myapp://cb",
        "myapp:///cb",
        "myapp:cb",
        "/",
    ],
)
def test_web_and_native_redirects_are_taken(url: str) -> None:
    assert new_settings({"name": "a", "callbacks": [url]}).callbacks == [url]


def test_a_patch_replaces_what_it_names_and_null_resets() -> None:
    before = new_settings({"name": "a", "callbacks": ["https://a"], "description": "d"})
    after = patch_settings(before, {"name": "b", "callbacks": None})
    assert (after.name, after.callbacks, after.description) == ("b", [], "d")


def test_a_patch_merges_the_jwt_configuration() -> None:
    """Tools drop ``secret_encoded`` before they send the object back."""
    before = new_settings({"name": "a", "jwt_configuration": {"secret_encoded": True, "lifetime_in_seconds": 60}})
    after = patch_settings(before, {"jwt_configuration": {"lifetime_in_seconds": 90}})
    assert after.jwt_configuration.secret_encoded is True
    assert after.jwt_configuration.lifetime_in_seconds == 90


def test_a_patch_merges_the_metadata_and_null_deletes_a_key() -> None:
    before = new_settings({"name": "a", "client_metadata": {"x": "1", "y": "2"}})
    after = patch_settings(before, {"client_metadata": {"x": None, "z": "3"}})
    assert after.client_metadata == {"y": "2", "z": "3"}


def test_an_old_name_is_another_name() -> None:
    assert new_settings({"name": "a", "cross_origin_auth": True}).cross_origin_authentication is True
    before = new_settings({"name": "a"})
    assert as_registered({"cross_origin_auth": True}, before, client_id="c", public_url=HERE) == {
        "cross_origin_authentication": True
    }


def test_what_was_shown_in_full_is_stored_by_path_again() -> None:
    before = new_settings({"name": "a", "callbacks": ["/", "https://b"]})
    sent = {"client_id": "c", "global": False, "callbacks": [f"{HERE}/", "https://b", f"{HERE}/new"]}
    found = as_registered(sent, before, client_id="c", public_url=HERE)
    assert found == {"callbacks": ["/", "https://b", f"{HERE}/new"]}


def test_another_client_id_is_not_dropped_in_silence() -> None:
    before = new_settings({"name": "a"})
    sent = as_registered({"client_id": "other"}, before, client_id="c", public_url=HERE)
    with pytest.raises(BadRequest, match="Additional properties not allowed: client_id"):
        patch_settings(before, sent)


def test_a_client_shows_passkeys_on_its_pages_and_in_its_android_app() -> None:
    made = new_settings(
        {
            "name": "a",
            "web_origins": ["https://app.example.com/"],
            "allowed_origins": ["http://localhost:3000"],  # for scripts of other sites, which run no ceremonies
            "mobile": {"android": {"app_package_name": "x", "sha256_cert_fingerprints": [FINGERPRINT]}},
        }
    )
    assert app_origins(made) == (
        "https://app.example.com",
        "android:apk-key-hash:q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s",
    )


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("https://app.example.com/logout", True),
        ("https://app.example.com:8443/logout?tenant=1", True),
        ("http://127.0.0.1:3000/logout", True),
        ("http://localhost/logout", True),
        ("http://[::1]:3000/logout", True),
        ("http://app.example.com/logout", False),
        ("http://localhost.example.com/logout", False),
        ("http://localhost@example.com/logout", False),
        ("https://user:secret@app.example.com/logout", False),
        ("https://*.example.com/logout", False),
        ("https://app.example.com/logout#part", False),
        ("https://app.example.com/log out", False),
        ("https://app.example.com\\@evil.example/", False),
        ("ftp://app.example.com/", False),
        ("javascript:alert(1)", False),
        ("/logout", False),
        ("https://" + "x" * 2000, False),
    ],
)
def test_where_a_client_is_told_of_logouts(url: str, good: bool) -> None:
    body = {"name": "App", "oidc_logout": {"backchannel_logout_urls": [url]}}
    if good:
        assert new_settings(body).oidc_logout is not None
    else:
        with pytest.raises(BadRequest) as refused:
            new_settings(body)
        assert refused.value.path == "oidc_logout.backchannel_logout_urls.0"


def test_back_channel_settings_by_their_older_name() -> None:
    told = {"backchannel_logout_urls": ["https://a.example"], "backchannel_logout_initiators": {"mode": "all"}}
    settings = new_settings({"name": "App", "oidc_backchannel_logout": told})
    assert settings.oidc_logout is not None
    assert settings.oidc_logout.backchannel_logout_initiators.mode == "all"


@pytest.mark.parametrize(
    ("more", "path"),
    [
        (
            {"oidc_logout": {"backchannel_logout_urls": ["https://a.example", "https://b.example"]}},
            "backchannel_logout",
        ),
        (
            {"oidc_logout": {"backchannel_logout_initiators": {"selected_initiators": ["whim"]}}},
            "selected_initiators.0",
        ),
        ({"oidc_logout": {"else": 1}}, "oidc_logout"),
        ({"par_request_expiry": 9}, "par_request_expiry"),
        ({"par_request_expiry": 601}, "par_request_expiry"),
        ({"require_pushed_authorization_requests": "yes"}, "require_pushed_authorization_requests"),
    ],
)
def test_bounds_of_the_newer_members(more: dict[str, Any], path: str) -> None:
    with pytest.raises(BadRequest) as refused:
        new_settings({"name": "App"} | more)
    assert path in (refused.value.path or "")


def test_a_client_with_keys_needs_no_secret() -> None:
    keys = {"private_key_jwt": {"credentials": [{"id": "cred_1"}, {"id": "cred_2"}]}}
    settings = new_settings({"name": "App", "app_type": "spa", "client_authentication_methods": keys})
    assert (settings.is_public, settings.needs_secret) == (False, False)
    assert settings.key_ids == frozenset({"cred_1", "cred_2"})
    assert without_key(settings, "cred_1").key_ids == frozenset({"cred_2"})
    assert without_key(settings, "cred_3") == settings
    back = {"client_authentication_methods": None, "token_endpoint_auth_method": "client_secret_post"}
    plain = patch_settings(settings, back)
    assert (plain.needs_secret, plain.key_ids) == (True, None)
    assert without_key(plain, "cred_1") == plain
