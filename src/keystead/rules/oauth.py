"""Decisions about redirects, proof keys, scopes and the addresses of a client."""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable, Sequence
from typing import Final
from urllib.parse import urlencode, urlsplit

from keystead.rules import base64url

LOOPBACK: Final = ("127.0.0.1", "[::1]", "localhost")
_VERIFIER: Final = re.compile(r"[A-Za-z0-9\-._~]{43,128}")
_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_SCOPE: Final = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")

OIDC_SCOPES: Final = ("openid", "profile", "email", "phone", "address", "offline_access")


def absolute(url: str, public_url: str) -> str:
    """Return a registered URL in full: one that begins with ``/`` is ours, wherever we are published."""
    return public_url + url if url.startswith("/") else url


def redirect_allowed(redirect_uri: str, registered: Iterable[str], public_url: str, *, native: bool = False) -> bool:
    """Whether a redirect URI is registered, byte for byte (RFC 9700 §2.1).

    Only the port of a native app's redirect to a loopback address may vary, since it takes whichever is free (RFC 8252
    §7.3). An address, and not ``localhost``: a name may lead elsewhere, and listen on more than the loopback interface.
    """
    allowed = [absolute(each, public_url) for each in registered]
    if redirect_uri in allowed:
        return True
    loopback = _without_loopback_port(redirect_uri) if native else None
    return loopback is not None and any(loopback == _without_loopback_port(each) for each in allowed)


def _without_loopback_port(url: str) -> str | None:
    """Return a URL of a loopback address with its port taken out, or ``None`` for any other URL.

    Taken apart by hand and put together again: a parser that is lenient here would be an open redirect.
    """
    found = re.fullmatch(r"http://(127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?(/[^\s\\@#]*)?", url)
    return f"http://{found[1]}{found[3] or ''}" if found else None


def origin_of(url: str) -> str:
    """Return scheme, host and port of a URL; for a custom scheme, the scheme with its colon."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else f"{parts.scheme}:"


def host_of(url: str) -> str:
    """Return the host of a URL as it is written there, without its port; empty where there is none."""
    host = urlsplit(url).netloc.rpartition("@")[2]
    return re.sub(r":[0-9]+$", "", host)


def origin_listed(origin: str, listed: Iterable[str]) -> bool:
    """Whether an origin is one of a list, in which ``https://*.example.com`` stands for every direct subdomain."""
    if origin in listed:
        return True
    scheme, _, host = origin.partition("://")
    label, dot, rest = host.partition(".")
    return bool(label and dot) and f"{scheme}://*.{rest}" in listed


def with_query(url: str, parameters: dict[str, str]) -> str:
    """Add parameters to a redirect URI, keeping the query that it was registered with (RFC 6749 §4.1.2)."""
    if not parameters:
        return url
    return f"{url}{'&' if '?' in url else '?'}{urlencode(parameters)}"


def challenge_ok(challenge: str) -> bool:
    """Whether a PKCE challenge has the form of a SHA-256 (RFC 7636 §4.2)."""
    return _CHALLENGE.fullmatch(challenge) is not None


def verifier_fits(verifier: str, challenge: str) -> bool:
    """Whether a PKCE verifier is the one that was promised (RFC 7636 §4.6, S256)."""
    if not _VERIFIER.fullmatch(verifier):
        return False
    return hmac.compare_digest(challenge_of(verifier), challenge)


def challenge_of(verifier: str) -> str:
    """Return the PKCE challenge of a verifier (RFC 7636 §4.2, S256)."""
    return base64url.encode(hashlib.sha256(verifier.encode("ascii")).digest())


def scopes(text: str) -> tuple[str, ...] | None:
    """Split a scope parameter, each once, in order; ``None`` where it is malformed (RFC 6749 §3.3)."""
    found = tuple(dict.fromkeys(text.split()))
    return found if all(_SCOPE.fullmatch(each) for each in found) else None


def granted(requested: Sequence[str], of_api: Sequence[str], *, default_all: bool) -> tuple[str, ...]:
    """Return the part of a request that a person's token may carry: OpenID Connect's scopes and the API's own.

    With nothing requested a password grant gets all of them (LG-3) but ``offline_access``, which must be asked for.
    """
    allowed = (*OIDC_SCOPES, *of_api)
    if not requested and default_all:
        return tuple(each for each in allowed if each != "offline_access")
    return tuple(each for each in requested if each in allowed)


def basic_credentials(header: str) -> tuple[str, str] | None:
    """Read client id and secret from an ``Authorization: Basic`` header (RFC 6749 §2.3.1); ``None`` if malformed."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, secret = base64.b64decode(encoded.strip(), validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
    return (name, secret) if colon else None
