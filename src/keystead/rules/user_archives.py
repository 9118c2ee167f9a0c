"""Archives of users: everything that an account is, so that it goes on elsewhere as it was.

    manifest.json        what is in it: how many users, and SHA-256 of each file
    manifest.jws         the manifest signed: a detached JWS (RFC 7515, appendix F)
    jwks.json            the key that it was signed with; as PEM, key.pem
    connections.ndjson   the connections, by name, with their options
    users.ndjson         a line for each user

One ``.tar.gz`` of plain texts, which opens without Keystead.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from keystead.errors import InvalidArchive
from keystead.rules import base64url
from keystead.rules.complaints import reason
from keystead.rules.identifiers import IdentifierKind
from keystead.rules.passkey_terms import Trust

FORMAT: Final = 1
SIGNED_AS: Final = "keystead-users+jws"
"""The ``typ`` of the signature: no token of ours has it."""

MANIFEST: Final = "manifest.json"
SIGNATURE: Final = "manifest.jws"
KEYS: Final = "jwks.json"
PEM: Final = "key.pem"
"""The same key again, for programs that know no JWK; nothing of ours reads it."""
CONNECTIONS: Final = "connections.ndjson"
USERS: Final = "users.ndjson"
SMALL: Final = 1024 * 1024
"""Bytes that any file but the users may have."""
MOST_BESIDE: Final = 8 * SMALL
"""Bytes that an archive may have besides the users, unpacked."""
LONGEST_LINE: Final = 4 * 1024 * 1024
"""A user is refused beyond this: a file must not fill the memory. The largest that there can be are a third of it."""

_MOST: Final = 2**31 - 1
_DEPTH: Final = 64
_CLOSED: Final = ConfigDict(
    frozen=True, strict=True, extra="forbid", ser_json_bytes="base64", val_json_bytes="base64", allow_inf_nan=False
)
Short = Annotated[str, Field(max_length=150)]
Long = Annotated[str, Field(max_length=300)]
Count = Annotated[int, Field(ge=0, le=_MOST)]
Document = dict[str, Any]


class ArchivedPassword(BaseModel):
    """The hash of a password that somebody had before, which they may not choose again (PW-5)."""

    model_config = _CLOSED

    password_hash: Annotated[str, Field(min_length=1, max_length=4000)]
    replaced_at: AwareDatetime


class ArchivedPasskey(BaseModel):
    """A credential record (WebAuthn Level 3 §4), with what is known of its authenticator. Bytes are base64url."""

    model_config = _CLOSED

    id: Annotated[str, Field(min_length=1, max_length=40)]
    credential_id: Annotated[bytes, Field(min_length=1, max_length=1023)]
    public_key: Annotated[bytes, Field(min_length=1, max_length=4096)]
    """A COSE_Key."""
    algorithm: Annotated[int, Field(ge=-_MOST, le=_MOST)]
    sign_count: Annotated[int, Field(ge=0, le=2**32 - 1)]
    transports: Annotated[list[Annotated[str, Field(max_length=40)]], Field(max_length=32)]
    aaguid: Annotated[str, Field(max_length=36)]
    backup_eligible: bool
    backed_up: bool
    user_verified: bool
    attestation_format: Annotated[str, Field(max_length=40)]
    trust: Trust
    certificates: Annotated[list[Annotated[str, Field(max_length=65_536)]], Field(max_length=16)] | None = None
    attachment: Annotated[str, Field(max_length=20)] = ""
    quarantined_at: AwareDatetime | None = None
    quarantine: Annotated[str, Field(max_length=200)] | None = None
    rp_id: Annotated[str, Field(min_length=1, max_length=255)]
    name: Annotated[str, Field(max_length=100)] | None = None
    user_agent: Long = ""
    created_at: AwareDatetime
    last_used_at: AwareDatetime | None = None


class Claim(BaseModel):
    """What an account keeps from others: an identifier in canonical form, or what looks like it."""

    model_config = _CLOSED

    kind: IdentifierKind
    value: Annotated[str, Field(min_length=1, max_length=254)]


class ArchivedUser(BaseModel):
    """An account with all that is its own. What it is signed in to is not: sessions, tokens and consents stay behind.

    Members that hold nothing are left out of the line.
    """

    model_config = _CLOSED

    user_id: Annotated[str, Field(max_length=300, pattern=r"^auth0\|\S+$")]
    connection: Annotated[str, Field(min_length=1, max_length=128)]
    """The name of the connection: ids differ from one installation to the next."""
    identifiers: Annotated[list[Claim], Field(max_length=64)] = []
    email: Annotated[str, Field(max_length=254)] | None = None
    email_verified: bool = False
    phone_number: Annotated[str, Field(max_length=20)] | None = None
    phone_verified: bool = False
    username: Annotated[str, Field(max_length=128)] | None = None
    name: Long | None = None
    nickname: Long | None = None
    given_name: Short | None = None
    family_name: Short | None = None
    picture: Annotated[str, Field(max_length=2048)] | None = None
    user_metadata: Document | None = None
    app_metadata: Document | None = None
    other_attributes: Document | None = None
    blocked: bool | None = None
    password_hash: Annotated[str, Field(min_length=1, max_length=4000)] | None = None
    last_password_reset: AwareDatetime | None = None
    old_passwords: Annotated[list[ArchivedPassword], Field(max_length=1000)] = []
    """The oldest first."""
    user_handle: Annotated[bytes, Field(min_length=1, max_length=64)]
    passkeys: Annotated[list[ArchivedPasskey], Field(max_length=1000)] = []
    passkey_prompt_snoozed_until: AwareDatetime | None = None
    created_at: AwareDatetime
    updated_at: AwareDatetime
    last_login: AwareDatetime | None = None
    last_ip: Annotated[str, Field(max_length=45)] | None = None
    logins_count: Count = 0
    signed_out_at: AwareDatetime | None = None
    must_verify: Annotated[list[IdentifierKind], Field(max_length=3)] = []
    extras: Document | None = None
    """Secrets that came with the person, such as second factors: sealed where they are kept, and open here."""

    def line(self) -> bytes:
        """Return its line. Raises ``InvalidArchive`` rather than write one that nobody would read."""
        found = self.model_dump_json(exclude_defaults=True).encode() + b"\n"
        if len(found) > LONGEST_LINE:
            raise InvalidArchive(f"{self.user_id} is too large")
        return found


ACCOUNT: Final = tuple(
    name
    for name in ArchivedUser.model_fields
    if name not in ("connection", "identifiers", "old_passwords", "passkeys", "extras")
)
"""The members that are columns of the account."""


class ArchivedConnection(BaseModel):
    """A connection as it was: enough to make one like it. Secrets of its scripts are left out."""

    model_config = ConfigDict(frozen=True, strict=True)

    id: str
    name: Annotated[str, Field(max_length=128)]
    display_name: str | None = None
    options: Document

    def line(self) -> bytes:
        """Return its line."""
        return self.model_dump_json(exclude_none=True).encode() + b"\n"


class ArchivedFile(BaseModel):
    """A file of an archive, as its manifest has it."""

    model_config = _CLOSED

    name: Annotated[str, Field(max_length=100)]
    size: Annotated[int, Field(ge=0, le=2**53)]
    """In bytes."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

    @classmethod
    def of(cls, name: str, content: bytes) -> "ArchivedFile":
        """Return what a manifest says of a small file."""
        return cls(name=name, size=len(content), sha256=hashlib.sha256(content).hexdigest())


class Manifest(BaseModel):
    """What is in an archive. It is what is signed, and vouches for the files by their hashes."""

    model_config = _CLOSED

    keystead_users: Annotated[int, Field(ge=1, le=FORMAT)] = FORMAT
    """The version of the format."""
    issuer: Annotated[str, Field(max_length=2048, pattern=r"^https?://[!-~]+$")]
    """Whose users they are: the public URL. It is in the question whether to trust the file: no room for other text."""
    version: Annotated[str, Field(max_length=100)]
    """Of the Keystead that made it."""
    made_at: AwareDatetime
    users: Count
    passkeys: Annotated[dict[str, int], Field(max_length=1000)] = {}
    """How many there are, by the RP id that they work for."""
    files: Annotated[list[ArchivedFile], Field(max_length=8)]

    def text(self) -> bytes:
        """Return what is signed, byte by byte as the file has it."""
        return self.model_dump_json(indent=2).encode() + b"\n"

    def file(self, name: str) -> ArchivedFile:
        """Return what it says of a file. Raises ``InvalidArchive``."""
        found = next((each for each in self.files if each.name == name), None)
        if found is None:
            raise InvalidArchive(f"its manifest says nothing of {name}")
        return found


class Unusable(ValueError):
    """A line that is no user. ``path`` is the member at fault, where there is one."""

    def __init__(self, text: str, path: str = "") -> None:
        self.path = path
        super().__init__(text)


def read_manifest(text: bytes) -> Manifest:
    """Read a manifest, once its signature is good. Raises ``InvalidArchive``."""
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        raise InvalidArchive(f"its manifest cannot be read: {reason(error)[1]}") from None


def read_user(line: bytes) -> ArchivedUser:
    """Read a line. Raises ``Unusable`` for one that no database should be given."""
    try:
        if b"\\u0000" in line or b"NaN" in line or b"Infinity" in line:  # perhaps: looked at in full, since few are
            _check(json.loads(line), _DEPTH)
        return ArchivedUser.model_validate_json(line)
    except ValidationError as error:
        path, text = reason(error)
        raise Unusable(text, path) from None
    except (ValueError, RecursionError) as error:
        raise Unusable(str(error) if isinstance(error, Unusable) else "It is no JSON") from None


def thumbprint(jwk: Mapping[str, Any]) -> str:
    """Return the thumbprint of an RSA key (RFC 7638), by which an installation is named. Raises ``InvalidArchive``."""
    if jwk.get("kty") != "RSA" or not all(isinstance(jwk.get(name), str) for name in ("e", "n")):
        raise InvalidArchive("the key in it is no RSA key")
    text = json.dumps({"e": jwk["e"], "kty": "RSA", "n": jwk["n"]}, separators=(",", ":"))
    return base64url.encode(hashlib.sha256(text.encode()).digest())


def connections_text(found: Iterable[ArchivedConnection]) -> bytes:
    """Return the file of the connections."""
    return b"".join(each.line() for each in found)


def _check(value: Any, depth: int) -> None:
    """Refuse what databases do not store. Raises ``Unusable``."""
    if depth < 0:
        raise Unusable("It is nested too deeply")
    if isinstance(value, dict):
        for name, each in value.items():
            _check(name, depth)
            _check(each, depth - 1)
    elif isinstance(value, list):
        for each in value:
            _check(each, depth - 1)
    elif (isinstance(value, str) and "\0" in value) or (isinstance(value, float) and not math.isfinite(value)):
        raise Unusable("It holds what no database stores")
