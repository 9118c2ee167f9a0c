"""What the pages for people take: what they are opened with, and the fields of their forms."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from keystead.errors import (
    CeremonyExpired,
    Conflict,
    ConnectionNotAllowed,
    ForeignOrigin,
    InvalidTicket,
    InvalidToken,
    Missing,
    NoSuchRoute,
    Rejected,
    TooManyAttempts,
    TransactionExpired,
)
from keystead.rules.identifiers import KINDS
from keystead.web.auth_api import PASSKEY_OPTIONS
from keystead.web.endpoints import Body, Endpoint
from keystead.web.parameters import Text
from keystead.web.shapes import FLAG, FORM, PAGE, TEXT, Content, Schema, Shape, word

_STATE: Final = (Text("state"),)
"""The login that is under way; without one, a page says so."""
_TICKET: Final = (Text("ticket"),)
"""What a link in a message carries."""

_ON_THE_WAY: Final = (Rejected, TransactionExpired)
_SENT: Final = (*_ON_THE_WAY, ForeignOrigin, TooManyAttempts, Conflict)
_SHOWN: Final = {200: PAGE, 303: None}

_PASSKEY: Final = {"auth_session": TEXT, "response": TEXT}
_PASSWORD: Final = {"password": TEXT}
_CODE: Final = {"code": TEXT}
_USERNAME: Final = {"username": TEXT}


def _page(summary: str, query: tuple[Text, ...] = _STATE) -> Endpoint:
    return Endpoint(summary, query=query, answers=_SHOWN, refuses=(*_ON_THE_WAY, InvalidTicket, TooManyAttempts))


def _form(shown: Endpoint, name: str, fields: Mapping[str, object]) -> Endpoint:
    """Return the form of a page, which is sent to where the page was."""
    return replace(
        shown,
        summary=f"{shown.summary}: the form",
        body=Body(Shape(name, {}, fields), media=(FORM,)),
        refuses=(*shown.refuses, *_SENT),
    )


def _by_script(summary: str, query: tuple[Text, ...] = _STATE) -> Endpoint:
    return Endpoint(summary, query=query, answers={200: PASSKEY_OPTIONS}, refuses=(*_SENT, CeremonyExpired))


RESUME: Final = Endpoint("Go on with a login", query=_STATE, answers=_SHOWN, refuses=_ON_THE_WAY)

LOGIN_IDENTIFIER: Final = _page("Ask who signs in")
LOGIN_IDENTIFIER_FORM: Final = _form(LOGIN_IDENTIFIER, "IdentifierForm", _USERNAME)
LOGIN_PASSWORD: Final = _page("Ask for a password")
LOGIN_PASSWORD_FORM: Final = _form(LOGIN_PASSWORD, "PasswordForm", {**_PASSWORD, "can_upgrade": TEXT})
LOGIN_PASSKEY: Final = _form(_page("Sign in with a passkey"), "PasskeyForm", _PASSKEY)
LOGIN_PASSKEY_OPTIONS: Final = replace(
    _by_script("Begin to sign in with a passkey on a page"), query=(*_STATE, Text("rp_id"))
)

SIGNUP_IDENTIFIER: Final = _page("Ask who signs up")
SIGNUP_IDENTIFIER_FORM: Final = _form(SIGNUP_IDENTIFIER, "IdentifiersForm", dict.fromkeys(KINDS, TEXT))
SIGNUP_PASSKEY: Final = _page("Ask for a first passkey")
SIGNUP_PASSKEY_FORM: Final = _form(SIGNUP_PASSKEY, "FirstPasskeyForm", {**_PASSKEY, "action": word("skip")})
SIGNUP_PASSKEY_OPTIONS: Final = _by_script("Begin to make a first passkey")
SIGNUP_PASSWORD: Final = _page("Ask for a first password")
SIGNUP_PASSWORD_FORM: Final = _form(SIGNUP_PASSWORD, "FirstPasswordForm", _PASSWORD)

PASSKEY_ENROLMENT: Final = _page("Ask for one more passkey")
PASSKEY_ENROLMENT_FORM: Final = _form(
    PASSKEY_ENROLMENT, "EnrolmentForm", {**_PASSKEY, "action": word("skip", "never", "restart"), "dont_ask": TEXT}
)
PASSKEY_ENROLMENT_OPTIONS: Final = _by_script("Begin to make one more passkey")
PASSKEY_UPGRADE: Final = _page("Let the browser make a passkey by itself")
PASSKEY_UPGRADE_FORM: Final = _form(PASSKEY_UPGRADE, "UpgradeForm", {**_PASSKEY, "action": word("skip")})
PASSKEY_UPGRADE_OPTIONS: Final = _by_script("Begin to let the browser make a passkey")
CONSENT: Final = _page("Ask for consent")
CONSENT_FORM: Final = _form(CONSENT, "ConsentForm", {"action": word("accept", "deny")})

EMAIL_CHALLENGE: Final = _page("Ask for the code of an email")
EMAIL_CHALLENGE_FORM: Final = _form(EMAIL_CHALLENGE, "EmailCodeForm", {**_CODE, "action": word("resend")})
PHONE_CHALLENGE: Final = _page("Ask for the code of a text message")
PHONE_CHALLENGE_FORM: Final = _form(PHONE_CHALLENGE, "PhoneCodeForm", {**_CODE, "action": word("resend")})
VERIFICATION_PENDING: Final = _page("Wait for a link to be followed")
VERIFICATION_PENDING_FORM: Final = _form(VERIFICATION_PENDING, "GoOnForm", {})
RESET_REQUEST: Final = _page("Ask where to send a way in")
RESET_REQUEST_FORM: Final = _form(RESET_REQUEST, "ResetForm", _USERNAME)
RESET_CODE: Final = _page("Ask for the code of a reset")
RESET_CODE_FORM: Final = _form(RESET_CODE, "ResetCodeForm", _CODE)

RECOVERY: Final = _page("Ask who lost their passkeys")
RECOVERY_FORM: Final = _form(RECOVERY, "RecoveryForm", _USERNAME)
RECOVERY_CODE: Final = _page("Ask for the code of a recovery")
RECOVERY_CODE_FORM: Final = _form(RECOVERY_CODE, "RecoveryCodeForm", _CODE)
RECOVERY_PASSKEY: Final = _page("Ask for a passkey instead of those that were lost")
RECOVERY_PASSKEY_FORM: Final = _form(RECOVERY_PASSKEY, "RecoveryPasskeyForm", {**_PASSKEY, "remove_others": TEXT})
RECOVERY_PASSKEY_OPTIONS: Final = _by_script("Begin to make a passkey instead of those that were lost")

CHANGE_PASSWORD: Final = _page("Ask whose password is to be changed", ())
CHANGE_PASSWORD_FORM: Final = _form(CHANGE_PASSWORD, "ChangePasswordForm", _USERNAME)
EMAIL_VERIFICATION: Final = _page("Ask to confirm an address", _TICKET)
EMAIL_VERIFICATION_FORM: Final = _form(
    EMAIL_VERIFICATION, "VerificationForm", {**_PASSWORD, **_USERNAME, "action": word("confirm", "take-over")}
)
RESET_PASSWORD: Final = _page("Ask for a new password", _TICKET)
RESET_PASSWORD_FORM: Final = _form(RESET_PASSWORD, "NewPasswordForm", {**_PASSWORD, **_USERNAME})
PASSKEY_TICKET: Final = _page("Ask for a passkey by an administrator's link", _TICKET)
PASSKEY_TICKET_FORM: Final = _form(PASSKEY_TICKET, "TicketForm", _PASSKEY)
PASSKEY_TICKET_OPTIONS: Final = _by_script("Begin to make a passkey by an administrator's link", _TICKET)
UNDO_UPGRADE: Final = _page("Ask whether a passkey is to go that the browser made", _TICKET)
UNDO_UPGRADE_FORM: Final = _form(UNDO_UPGRADE, "UndoForm", {})
_UNBLOCK: Final = _page("Ask whether to open the locks of an account", _TICKET)
UNBLOCK: Final = replace(_UNBLOCK, refuses=(*_UNBLOCK.refuses, TooManyAttempts))
UNBLOCK_FORM: Final = _form(UNBLOCK, "UnblockForm", {})
SETUP: Final = _page("Ask for the first owner", _TICKET)
SETUP_FORM: Final = _form(SETUP, "OwnerForm", {"email": TEXT, **_PASSWORD})
ACCOUNT: Final = _page("Show my sessions and applications", ())
ACCOUNT_FORM: Final = _form(
    ACCOUNT, "AccountForm", {"session": TEXT, "client": TEXT, "action": word("end-others", "sign-out")}
)
_OWN_PASSKEYS: Final = _page("Show my passkeys on a page", ())
OWN_PASSKEYS: Final = replace(_OWN_PASSKEYS, refuses=(*_OWN_PASSKEYS.refuses, Missing))
OWN_PASSKEYS_FORM: Final = _form(
    OWN_PASSKEYS, "OwnPasskeysForm", {**_PASSKEY, "rename": TEXT, "name": TEXT, "remove": TEXT, "password": TEXT}
)
OWN_PASSKEYS_OPTIONS: Final = Endpoint(
    "Begin to add a passkey on a page",
    answers={200: PASSKEY_OPTIONS},
    refuses=(*_SENT, InvalidToken, Missing, ConnectionNotAllowed),
)

WELL_KNOWN_CHANGE_PASSWORD: Final = Endpoint("Find where passwords are changed", answers={303: None})
_SVG: Final = Content("image/svg+xml")
_STATUS: Final[Mapping[str, Schema]] = {"status": word("ok")}
HOME: Final = Endpoint("Show the landing page", answers={200: PAGE})
AVATAR: Final = Endpoint("Show initials as a picture", answers={200: _SVG}, refuses=(Missing,))
_CSS: Final = Content("text/css")
BRANDING: Final = Endpoint("Show the style sheet of the tenant", answers={200: _CSS, 304: None})
FAVICON: Final = Endpoint("Show the icon", answers={200: _SVG})
_ARRIVAL: Final = Shape(
    "Arrival", {"proof": TEXT, "peer": TEXT, "address": TEXT, "host": TEXT, "forwarded_for": FLAG, "trusted": FLAG}
)
HEALTH: Final = Endpoint(
    "Show that the server answers",
    query=(Text("probe"),),
    answers={200: Shape("Health", _STATUS, {"probe": _ARRIVAL})},
)
_CHECK: Final = word("ok", "failed", "unknown")
_READINESS: Final = Shape(
    "Readiness",
    {
        "status": word("ready", "not ready"),
        "checks": Shape("Checks", dict.fromkeys(("database", "schema", "keys", "worker", "serving"), _CHECK)),
    },
)
READY: Final = Endpoint("Show whether the server can serve", answers={200: _READINESS, 503: _READINESS})
METRICS: Final = Endpoint("Show the metrics", answers={200: Content("text/plain")}, refuses=(NoSuchRoute, InvalidToken))
OUTBOX: Final = Endpoint("Show messages that were put aside", answers={200: PAGE}, refuses=(Missing,))
