"""What the journal records, under Auth0's type codes (auth0-behaviour 1.17)."""

import itertools
import math
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict

from keystead.rules.known_devices import Device

MASK: Final = "***"

_DEPTH: Final = 6
_MOST: Final = 200
_LONGEST: Final = 2000
_SECRET: Final = re.compile(
    r"eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"  # a JWT
    r"|\$2[abxy]\$[0-9]{2}\$|\$argon2|\$pbkdf2|\$scrypt|\$firescrypt|\$hmac-"  # a hash of a password
    r"|\$(?:[156PH]|apr1|md5|sha\d+)\$[\w./$=]{16}|(?i:\{S?(?:SHA|MD5)[-\d]*\})|pbkdf2_sha|scrypt[$:]|bcrypt_sha256"
    r"|PRIVATE KEY-----|\bkr_[\w-]{20,}"  # a key, a refresh token
)

TYPES: Final = {
    "s": "Success Login",
    "f": "Failed Login",
    "fp": "Failed Login (Incorrect Password)",
    "fu": "Failed Login (Invalid Email/Username)",
    "ss": "Success Signup",
    "fs": "Failed Signup",
    "slo": "Success Logout",
    "srrt": "Success Revocation",
    "oidc_backchannel_logout_succeeded": "Success Back-Channel Logout",
    "oidc_backchannel_logout_failed": "Failed Back-Channel Logout",
    "sv": "Success Verification Email",
    "fv": "Failed Verification Email",
    "svr": "Success Verification Email Request",
    "scpr": "Success Change Password Request",
    "fcpr": "Failed Change Password Request",
    "scp": "Success Change Password",
    "fcp": "Failed Change Password",
    "sdu": "Successfully Deleted User",
    "fdu": "Failed User Deletion",
    "limit_wc": "Blocked Account",
    "limit_mu": "Blocked IP Address",
    "limit_sul": "Too Many Logins of One User",
    "api_limit": "Too Many Requests",
    "ublkdu": "Block Lifted",
    "pwd_leak": "Breached Password at Login",
    "signup_pwd_leak": "Breached Password at Sign-up",
    "reset_pwd_leak": "Breached Password at Change",
    "pwd_leak_unchecked": "Breached Password Check Not Possible",
    "ferrt": "Failed Exchange of Rotating Refresh Token",
    "gd_enrollment_complete": "Passkey Enrolled",
    "gd_webauthn_enrollment_failed": "Failed Passkey Enrolment",
    "passkey_policy_advice": "Passkey That the Policy Would Refuse",
    "passkey_quarantined": "Passkey Taken Out of Use",
    "passkey_quarantine_lifted": "Passkey Back in Use",
    "passkey_recovery_requested": "Passkey Recovery Requested",
    "passkey_recovery_succeeded": "Passkey Recovered",
    "passkey_recovery_failed": "Failed Passkey Recovery",
    "passkey_challenge_started": "Passkey Challenge Started",
    "passkey_challenge_failed": "Passkey Challenge Failed",
    "my_account_authentication_method_succeeded": "Changed an Authentication Method",
    "sapi": "Success Management API Operation",
    "mgmt_api_read": "Management API Read Operation",
    "sce": "Success Change Email",
    "scu": "Success Change Username",
    "scpn": "Success Change Phone Number",
    "fce": "Failed Change Email",
    "fcu": "Failed Change Username",
    "fcpn": "Failed Change Phone Number",
    "seacft": "Success Exchange of Authorization Code for Access Token",
    "feacft": "Failed Exchange of Authorization Code for Access Token",
    "sepft": "Success Exchange of Password for Access Token",
    "sertft": "Success Exchange of Refresh Token for Access Token",
    "fertft": "Failed Exchange of Refresh Token for Access Token",
    "seccft": "Success Exchange of Client Credentials for Access Token",
    "feccft": "Failed Exchange of Client Credentials for Access Token",
    "log_stream_suspended": "Log Stream Suspended",
    "log_stream_gap": "Log Stream With a Gap",
    "backup_made": "Backup Made",
    "backup_restored": "Backup Restored",
    "sui": "Success Users Import",
    "fui": "Failed Users Import",
    "users_export_started": "Export of Users Started",
    "users_export_downloaded": "Export of Users Downloaded",
    "users_archive_started": "Archive of Users Started",
    "users_archive_downloaded": "Archive of Users Downloaded",
    "users_archive_received": "Archive of Users Received",
    "users_archive_imported": "Archive of Users Imported",
    "users_archive_refused": "Archive of Users Refused",
    "shadow_difference": "Shadow Mode: Verdicts Differ",
    "fn": "Failed Sending Notification",
}
"""Every code that Keystead writes, with what it means."""


class Caller(BaseModel):
    """Who asks, as far as the connection tells."""

    model_config = ConfigDict(frozen=True)

    actor: str = ""
    """Who it is, where that is not whom it is about: ``{client_id}@clients``, an administrator's id, or ``cli``."""
    address: str = ""
    user_agent: str = ""
    language: str = "en"
    """The language that whoever asks would like to be written to in."""
    browser: str = ""
    """SHA-256 of the secret in the browser's cookie, where it has one of ours."""
    device: Device | None = None
    """What the device carries that asks, where somebody logged in on it before."""
    request: str = ""
    """The id of the request, as its answer and the log carry it."""
    decision: str = ""
    """The id under which it is kept why the request was refused, if it is."""
    foreign: bool = False
    """Whether another site's page had the browser ask. Whoever is no browser may say what they like."""


Plain = str | int | float | bool | None | list["Plain"] | dict[str, "Plain"]
"""What a detail may be: a value of JSON, and nothing that could hold a secret back."""


def _plain(value: object, depth: int = _DEPTH) -> Plain:
    """Return a value as it may be written. Raises ``TypeError`` for whatever is no plain value, a ``Secret`` included.

    Texts are cut, and freed of what no database stores; one that looks like a token, a key or a hash is masked.
    """
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float) and math.isfinite(value):
        return value
    return _inner(value, depth - 1)


def _inner(value: object, depth: int) -> Plain:
    if depth >= 0 and isinstance(value, list | tuple):
        return [_plain(each, depth) for each in value[:_MOST]]
    if depth >= 0 and isinstance(value, dict) and all(type(name) is str for name in value):
        return {_text(name): _plain(each, depth) for name, each in itertools.islice(value.items(), _MOST)}
    raise TypeError(f"the journal takes no {type(value).__name__}")


def _text(text: str) -> str:
    if _SECRET.search(text):
        return MASK
    return text[:_LONGEST].replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def _known(code: str) -> str:
    if code not in TYPES:
        raise ValueError(f"there is no event {code}")
    return code


class Event(BaseModel):
    """One journal entry. ``details`` holds plain values only; secrets are ``Secret`` and cannot be written."""

    model_config = ConfigDict(frozen=True)

    log_id: str
    date: datetime
    type: Annotated[str, AfterValidator(_known)]
    caller: Caller
    user_id: str | None = None
    connection_id: str | None = None
    client_id: str | None = None
    description: Annotated[str | None, BeforeValidator(_plain)] = None
    details: Annotated[dict[str, Any], BeforeValidator(_plain)] = {}

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy that is checked like any other: pydantic's own takes whatever it is given."""
        return self.model_validate({**dict(self), **(update or {})})
