"""Redirects, proof keys, scopes and credentials, as the RFCs have them."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystead.rules.oauth import (
    absolute,
    basic_credentials,
    challenge_ok,
    granted,
    origin_of,
    redirect_allowed,
    scopes,
    verifier_fits,
    with_query,
)

OURS = "https://login.example.com"
REGISTERED = (
    "https://app.example/callback?tenant=1",
    "/",
    "http://127.0.0.1/callback",
    "http://localhost:3000/cb",
    "http://[::1]/x",
    "com.example.app:/cb",
)
VERIFIER, CHALLENGE = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
"""The example of RFC 7636, appendix B."""


@pytest.mark.parametrize(
    "url",
    [
        "https://app.example/callback?tenant=1",
        "https://login.example.com/",
        "http://127.0.0.1/callback",
        "http://localhost:3000/cb",
        "http://[::1]/x",
        "com.example.app:/cb",
    ],
)
@pytest.mark.parametrize("native", [True, False])
def test_redirects_that_are_registered(url: str, native: bool) -> None:
    assert redirect_allowed(url, REGISTERED, OURS, native=native)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:51004/callback",
        "http://127.0.0.1:1/callback",
        "http://[::1]:51004/x",
    ],
)
def test_a_native_app_takes_whichever_port_is_free_of_a_loopback_address(url: str) -> None:
    """RFC 8252 §7.3; nobody else does, for whom a port is an origin of its own."""
    assert redirect_allowed(url, REGISTERED, OURS, native=True)
    assert not redirect_allowed(url, REGISTERED, OURS)
    assert not redirect_allowed(url, REGISTERED, OURS, native=False)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/",
        "https://app.example/callback",
        "https://app.example/callback?tenant=1&x=1",
        "https://app.example/callback?tenant=1#",
        "https://app.example/callback/../callback?tenant=1",
        "https://app.example:443/callback?tenant=1",
        "HTTPS://app.example/callback?tenant=1",
        "https://app.example.evil/callback?tenant=1",
        "https://app.example@evil.example/callback?tenant=1",
        "https://login.example.com",
        "https://login.example.com//evil.example",
        "https://127.0.0.1/callback",
        "http://127.0.0.1:51004/callback/x",
        "http://127.0.0.1:51004@evil.example/callback",
        "http://127.0.0.1:x/callback",
        "http://127.0.0.1:510040/callback",
        "http://127.0.0.1\\@evil.example/callback",
        "http://127.0.0.1.evil.example/callback",
        "http://localhost:51004/callback",
        "http://localhost:51004/cb",
        "http://localhost/cb",
        "https://127.0.0.1:51004/callback",
        "http://127.0.0.1:51004/callback#x",
        "http://127.0.0.2/callback",
        "http://127.0.0.1:51004/callback\n",
        "com.example.app:/cb/",
    ],
)
def test_redirects_that_are_not(url: str) -> None:
    assert not redirect_allowed(url, REGISTERED, OURS)


@pytest.mark.parametrize(
    ("url", "full", "origin"),
    [
        ("/callback", "https://login.example.com/callback", "https://login.example.com"),
        ("https://app.example:8443/x?y#z", "https://app.example:8443/x?y#z", "https://app.example:8443"),
        ("com.example.app:/cb", "com.example.app:/cb", "com.example.app:"),
    ],
)
def test_urls_in_full(url: str, full: str, origin: str) -> None:
    assert absolute(url, OURS) == full
    assert origin_of(full) == origin


@pytest.mark.parametrize(
    ("url", "parameters", "expected"),
    [
        ("https://a.example/cb", {}, "https://a.example/cb"),
        ("https://a.example/cb", {"code": "x y&z"}, "https://a.example/cb?code=x+y%26z"),
        ("https://a.example/cb?t=1", {"code": "x", "state": "é"}, "https://a.example/cb?t=1&code=x&state=%C3%A9"),
    ],
)
def test_with_query(url: str, parameters: dict[str, str], expected: str) -> None:
    assert with_query(url, parameters) == expected


@pytest.mark.parametrize(
    ("verifier", "fits"),
    [
        (VERIFIER, True),
        (VERIFIER[:-1] + "j", False),
        (CHALLENGE, False),
        (VERIFIER[:42], False),
        (VERIFIER * 3, False),
        (VERIFIER + "\n", False),
        ("é" * 43, False),
        ("", False),
    ],
)
def test_proof_keys(verifier: str, fits: bool) -> None:
    assert verifier_fits(verifier, CHALLENGE) is fits


@pytest.mark.parametrize(
    ("challenge", "good"),
    [(CHALLENGE, True), (CHALLENGE + "=", False), (CHALLENGE[:-1], False), ("", False), ("é" * 43, False)],
)
def test_challenges(challenge: str, good: bool) -> None:
    assert challenge_ok(challenge) is good


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        ("openid", ("openid",)),
        ("openid  email openid", ("openid", "email")),
        ("read:me create:me", ("read:me", "create:me")),
        ('open"id', None),
        ("open\\id", None),
        ("é", None),
    ],
)
def test_scopes(text: str, expected: tuple[str, ...] | None) -> None:
    assert scopes(text) == expected


@pytest.mark.parametrize(
    ("requested", "of_api", "default_all", "expected"),
    [
        (("openid", "email"), (), False, ("openid", "email")),
        (("openid", "read:all"), (), False, ("openid",)),
        (("openid", "read:all"), ("read:all",), False, ("openid", "read:all")),
        (("offline_access",), (), True, ("offline_access",)),
        ((), ("read:all",), False, ()),
        ((), ("read:all",), True, ("openid", "profile", "email", "phone", "address", "read:all")),
        (("nothing",), ("read:all",), True, ()),
    ],
)
def test_granted(
    requested: tuple[str, ...], of_api: tuple[str, ...], default_all: bool, expected: tuple[str, ...]
) -> None:
    assert granted(requested, of_api, default_all=default_all) == expected


def _basic(text: bytes) -> str:
    return "Basic " + base64.b64encode(text).decode()


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (_basic(b"client:secret"), ("client", "secret")),
        (_basic(b"client:se:cret").replace("Basic", "basic"), ("client", "se:cret")),
        (_basic(b"client:"), ("client", "")),
        (_basic(b"client"), None),
        (_basic(b"\xff:x"), None),
        ("Basic !!!!", None),
        ("Basic", None),
        ("Bearer abc", None),
        ("", None),
        ("Basic é", None),
    ],
)
def test_basic_credentials(header: str, expected: tuple[str, str] | None) -> None:
    assert basic_credentials(header) == expected


@given(st.text(max_size=80))
def test_basic_credentials_never_raise(header: str) -> None:
    found = basic_credentials(f"Basic {header}")
    assert found is None or len(found) == 2
