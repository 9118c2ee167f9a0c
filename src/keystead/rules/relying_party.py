"""Whom passkeys are for: the tenant-wide setting, what it lets in, and which id a page gets.

Host names are compared as browsers compare them: label by label, in lower case, never by what a text happens to end in.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from typing import Annotated, Any, Final

from publicsuffixlist import PublicSuffixList
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from keystead.errors import BadRequest
from keystead.rules import base64url
from keystead.rules.complaints import once_each, parse
from keystead.rules.oauth import LOOPBACK, host_of

SETTING: Final = "relying_party"
"""Under which name it is stored."""

MOST_LABELS: Final = 5
"""How many registrable labels browsers must heed of ``/.well-known/webauthn``; what comes after, many do not."""

_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_ADDRESS: Final = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")
"""A last label that is a number makes the whole an IPv4 address to a browser (URL Standard, host parsing)."""
_ORIGIN: Final = re.compile(r"(https?)://([^/?#@:\[\]]+)(?::([1-9][0-9]{0,4}))?")
_APP: Final = re.compile(r"android:apk-key-hash:([A-Za-z0-9_-]{43})")
_LONGEST: Final = 253


@lru_cache(maxsize=1)
def _suffixes() -> PublicSuffixList:
    """Return the list as it ships with the library; reading it takes a moment, which a start need not wait for."""
    return PublicSuffixList()


def _name(text: str) -> str:
    if not text.isascii():
        raise ValueError("must be in ASCII; an international name is written with xn--")
    if text != text.lower():
        raise ValueError("must be in lower case, as browsers write it")
    if len(text) > _LONGEST or not _NAME.fullmatch(text):
        raise ValueError("must be a domain name, without scheme, port, path or final dot")
    if _ADDRESS.fullmatch(text):
        raise ValueError("must be a domain name: browsers know no passkeys for an address")
    return text


def _id(text: str) -> str:
    """Refuse what strangers can register names under: they would share our passkeys (NIST SP 800-63B-4 §3.2.5)."""
    if _suffixes().publicsuffix(_name(text), accept_unknown=False) == text:
        raise ValueError(f"{text} is a public suffix: its passkeys would be for everybody with a name under it")
    return text


def _page(text: str) -> str:
    """Accept the origin of a page as a browser serializes it, since that is what answers are compared with."""
    found = _ORIGIN.fullmatch(text)
    if found is None or int(found[3] or 0) > 65535:
        raise ValueError("must be an origin: scheme and host, with a port where it is not the usual one, and no path")
    if (found[1], found[3]) in (("https", "443"), ("http", "80")):
        raise ValueError("must not name the usual port, as browsers leave it out")
    _name(found[2])
    return text


def _origin(text: str) -> str:
    app = _APP.fullmatch(text)
    if app is None:
        return _page(text)
    if base64url.encode(base64url.decode(app[1])) != app[1]:
        raise ValueError("must end in the SHA-256 of a certificate, in base64url")
    return text


def _related(text: str) -> str:
    if not _page(text).startswith("https://"):
        raise ValueError("must begin with https://")
    if not _registrable_label(text):
        raise ValueError("must have a domain that can be registered: browsers pass over any other")
    return text


def _registrable_label(origin: str) -> str:
    """Return what a browser counts: the first label of the domain that somebody registered."""
    return (_suffixes().privatesuffix(host_of(origin)) or "").partition(".")[0]


Id = Annotated[str, AfterValidator(_id)]
Name = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f<>]+$")]
Origins = Annotated[list[Annotated[str, AfterValidator(_origin)]], Field(max_length=100), AfterValidator(once_each)]
Related = Annotated[list[Annotated[str, AfterValidator(_related)]], Field(max_length=100), AfterValidator(once_each)]
Retiring = Annotated[list[Id], Field(max_length=10), AfterValidator(once_each)]


class RelyingPartyMembers(BaseModel):
    """``/api/v2/keystead/relying-party``: what an administrator said; what nobody said follows from the public URL."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    id: Id | None = None
    """The public host where nobody said otherwise; it, or a parent of it that can be registered."""
    name: Name | None = None
    """What people read in the browser's dialog; the id where nobody said otherwise (PK-22)."""
    origins: Origins = []
    """Where else than on our own pages ceremonies may be held, whichever client asks."""
    related_origins: Related = []
    """Pages on other domains that may use passkeys of ours (WebAuthn Level 3 §5.11)."""
    retiring: Retiring = []
    """Older ids whose passkeys still log in, the most recent first."""


class RelyingParty(BaseModel):
    """Us, as browsers and authenticators know us: the setting with everything filled in."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    origin: str
    """Where our own pages are shown: the public URL."""
    origins: tuple[str, ...] = ()
    related_origins: tuple[str, ...] = ()
    retiring: tuple[str, ...] = ()

    @property
    def ids(self) -> tuple[str, ...]:
        """Every id whose passkeys log in, the current one first."""
        return (self.id, *self.retiring)

    @property
    def pages(self) -> tuple[str, ...]:
        """The origins of ceremonies, whichever client asks."""
        return tuple(dict.fromkeys((self.origin, *self.origins, *self.related_origins)))

    @property
    def published(self) -> tuple[str, ...]:
        """The origins at ``/.well-known/webauthn``: ours comes first where an older id is of another domain."""
        elsewhere = any(not covers(each, self.origin) for each in self.ids)
        ours = (self.origin,) if elsewhere and self.origin.startswith("https://") else ()
        return tuple(dict.fromkeys((*ours, *self.related_origins)))

    def id_for(self, page: str, allowed: Collection[str]) -> str:
        """Return the id of a ceremony that ``page`` (an ``Origin`` header, or nothing) holds: one that works there.

        The newest that a browser would accept on that page, if the page is ``allowed`` at all; else the current one.
        """
        fitting = (each for each in self.ids if page in allowed and self._accepted(each, page))
        return next(fitting, self.id)

    def shown(self) -> dict[str, Any]:
        """Return it as the wire has it, the members of ``RelyingPartyMembers``."""
        return self.model_dump(mode="json", exclude={"origin"})

    def _accepted(self, rp_id: str, page: str) -> bool:
        """Whether a browser lets a page use an id: its host, a parent of it, or related (WebAuthn Level 3 §5.1.3)."""
        return covers(rp_id, page) or page in self.published


def read(stored: Mapping[str, Any] | None, public_url: str) -> RelyingParty:
    """Return the relying party out of what was checked when it was stored."""
    said = {name: value for name, value in (stored or {}).items() if value is not None}
    rp_id = said.get("id") or host_of(public_url)
    return RelyingParty(**{"id": rp_id, "name": rp_id, **said, "origin": public_url})


def edit(stored: Mapping[str, Any] | None, body: Mapping[str, Any], public_url: str) -> dict[str, Any]:
    """Return what is stored after a PATCH: named members replaced, ``null`` resets them. Raises ``BadRequest`` by path.

    An id that is replaced goes on logging people in, unless the body says which older ones do.
    """
    unknown = next((name for name in body if name not in RelyingPartyMembers.model_fields), None)
    if unknown is not None:
        raise BadRequest(f"Additional properties not allowed: {unknown[:100]}", path="")
    given = parse(RelyingPartyMembers, body).model_dump(exclude_unset=True)
    kept = {name: value for name, value in (stored or {}).items() if name not in body}
    before, after = read(stored, public_url), read(kept | given, public_url)
    if after.id != before.id and "retiring" not in body:
        retiring = [each for each in before.ids if each != after.id]
        given["retiring"] = parse(RelyingPartyMembers, {"retiring": retiring}).retiring
    after = read(kept | given, public_url)
    _check_id(after)
    _check_origins(after)
    return kept | given


def _check_id(after: RelyingParty) -> None:
    host = host_of(after.origin)
    is_parent = covers(after.id, after.origin) and _suffixes().is_private(after.id)
    if after.id != host and not is_parent:
        raise BadRequest(f"must be {host} or a parent of it that can be registered", path="id")
    if after.id in after.retiring:
        raise BadRequest(f"{after.id} is the current id", path=f"retiring.{after.retiring.index(after.id)}")


def _check_origins(after: RelyingParty) -> None:
    """Refuse pages that no browser would let hold a ceremony, and more domains than browsers heed."""
    for position, each in enumerate(after.origins):
        if each.startswith("http://") and not (_is_loopback(after.origin) and host_of(each) == "localhost"):
            raise BadRequest(
                "must begin with https://; http://localhost where the public URL is on this machine, too",
                path=f"origins.{position}",
            )
        if not (_APP.fullmatch(each) or any(covers(rp_id, each) for rp_id in after.ids)):
            text = f"must be on {' or '.join(after.ids)}; pages on other domains go to related_origins"
            raise BadRequest(text, path=f"origins.{position}")
    labels = labels_of(after.published)
    if len(labels) > MOST_LABELS:
        text = f"{len(labels)} domains ({', '.join(labels)}): browsers heed the first {MOST_LABELS}"
        raise BadRequest(text, path="related_origins")


def labels_of(origins: Iterable[str]) -> list[str]:
    """Return the registrable labels of origins, each once, as browsers count them."""
    return list(dict.fromkeys(label for each in origins if (label := _registrable_label(each))))


def _is_loopback(public_url: str) -> bool:
    host = host_of(public_url)
    return host in LOOPBACK or host.endswith(".localhost")


def covers(rp_id: str, origin: str) -> bool:
    """Whether a page is on the domain of an id. ``evil-example.com`` is not on ``example.com``."""
    host = host_of(origin)
    return host == rp_id or host.endswith(f".{rp_id}")
