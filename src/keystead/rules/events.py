"""What the journal records, under Auth0's type codes (auth0-behaviour 1.17)."""

from datetime import datetime
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from keystead.rules.known_devices import Device

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


class Event(BaseModel):
    """One journal entry. ``details`` holds plain values only; secrets are ``Secret`` and cannot be written."""

    model_config = ConfigDict(frozen=True)

    log_id: str
    date: datetime
    type: str
    caller: Caller
    user_id: str | None = None
    connection_id: str | None = None
    client_id: str | None = None
    description: str | None = None
    details: dict[str, Any] = {}
