"""base64url without padding (RFC 4648 §5), the alphabet of WebAuthn and of JOSE."""

import base64


def encode(data: bytes) -> str:
    """Return bytes as text."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def decode(text: str) -> bytes:
    """Return the bytes of text that ``encode`` wrote; text from outside is read strictly, in the adapters."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def read(text: str) -> bytes:
    """Return the bytes of base64 in either alphabet, with padding or without, for values that people bring along.

    Raises ``ValueError`` for anything else; the round trip leaves one spelling of each, since Python's decoder skips
    what it does not know.
    """
    bare = text.rstrip("=").replace("+", "-").replace("/", "_")
    octets = decode(bare)
    if encode(octets) != bare:
        raise ValueError("not base64")
    return octets
