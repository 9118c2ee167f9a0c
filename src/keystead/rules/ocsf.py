"""An entry of the journal as an event of the Open Cybersecurity Schema Framework (OCSF 1.3.0)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from keystead.rules.events import TYPES
from keystead.rules.log_entries import LogEntry

VERSION: Final = "1.3.0"

_PRODUCT: Final = "Keystead"
_SUCCESS, _FAILURE = (1, "Success"), (2, "Failure")
_INFORMATIONAL, _LOW, _MEDIUM = (1, "Informational"), (2, "Low"), (3, "Medium")
_OTHER: Final = 99


@dataclass(frozen=True, slots=True)
class _Class:
    """A class of events, and its activities."""

    uid: int
    name: str
    category: tuple[int, str]
    activities: Mapping[int, str]


_IAM: Final = (3, "Identity & Access Management")
ACCOUNT_CHANGE: Final = _Class(
    3001,
    "Account Change",
    _IAM,
    {
        1: "Create",
        2: "Enable",
        3: "Password Change",
        4: "Password Reset",
        6: "Delete",
        9: "Lock",
        10: "MFA Factor Enable",
        11: "MFA Factor Disable",
    },
)
AUTHENTICATION: Final = _Class(3002, "Authentication", _IAM, {1: "Logon", 2: "Logoff", 6: "Preauth"})
ENTITY_MANAGEMENT: Final = _Class(3004, "Entity Management", _IAM, {3: "Update"})
API_ACTIVITY: Final = _Class(
    6003, "API Activity", (6, "Application Activity"), {1: "Create", 2: "Read", 3: "Update", 4: "Delete"}
)

_METHODS: Final = {"POST": 1, "GET": 2, "PUT": 3, "PATCH": 3, "DELETE": 4}

_MAPPED: Final[Mapping[str, tuple[_Class, int]]] = {
    **dict.fromkeys(("s", "f", "fp", "fu"), (AUTHENTICATION, 1)),
    **dict.fromkeys(("limit_wc", "limit_mu", "limit_sul", "pwd_leak"), (AUTHENTICATION, 1)),
    **dict.fromkeys(("slo",), (AUTHENTICATION, 2)),
    **dict.fromkeys(("passkey_challenge_started", "passkey_challenge_failed"), (AUTHENTICATION, 6)),
    **dict.fromkeys(
        ("seacft", "feacft", "sepft", "sertft", "fertft", "seccft", "feccft"),
        (AUTHENTICATION, _OTHER),
    ),
    **dict.fromkeys(("sce", "scu", "scpn", "fce", "fcu", "fcpn"), (ACCOUNT_CHANGE, _OTHER)),
    **dict.fromkeys(("ferrt", "passkey_policy_advice", "pwd_leak_unchecked"), (AUTHENTICATION, _OTHER)),
    **dict.fromkeys(("shadow_difference",), (AUTHENTICATION, _OTHER)),
    **dict.fromkeys(("ss", "fs", "signup_pwd_leak"), (ACCOUNT_CHANGE, 1)),
    **dict.fromkeys(("ublkdu",), (ACCOUNT_CHANGE, 2)),
    **dict.fromkeys(("scp", "fcp", "reset_pwd_leak"), (ACCOUNT_CHANGE, 3)),
    **dict.fromkeys(("scpr", "fcpr"), (ACCOUNT_CHANGE, 4)),
    **dict.fromkeys(("sdu", "fdu"), (ACCOUNT_CHANGE, 6)),
    **dict.fromkeys(("gd_enrollment_complete", "gd_webauthn_enrollment_failed"), (ACCOUNT_CHANGE, 10)),
    **dict.fromkeys(("passkey_quarantine_lifted", "passkey_recovery_succeeded"), (ACCOUNT_CHANGE, 10)),
    **dict.fromkeys(("passkey_quarantined",), (ACCOUNT_CHANGE, 11)),
    **dict.fromkeys(("sv", "fv", "svr", "srrt"), (ACCOUNT_CHANGE, _OTHER)),
    **dict.fromkeys(("passkey_recovery_requested", "passkey_recovery_failed"), (ACCOUNT_CHANGE, _OTHER)),
    **dict.fromkeys(("my_account_authentication_method_succeeded",), (ACCOUNT_CHANGE, _OTHER)),
    **dict.fromkeys(("fn",), (ENTITY_MANAGEMENT, _OTHER)),
    **dict.fromkeys(
        ("oidc_backchannel_logout_succeeded", "oidc_backchannel_logout_failed"), (ENTITY_MANAGEMENT, _OTHER)
    ),
    **dict.fromkeys(
        ("log_stream_suspended", "log_stream_gap", "backup_made", "backup_restored"), (ENTITY_MANAGEMENT, _OTHER)
    ),
    **dict.fromkeys(("users_export_started", "users_export_downloaded"), (ENTITY_MANAGEMENT, _OTHER)),
    **dict.fromkeys(("users_archive_started", "users_archive_downloaded"), (ENTITY_MANAGEMENT, _OTHER)),
    **dict.fromkeys(("users_archive_received", "users_archive_imported"), (ENTITY_MANAGEMENT, _OTHER)),
    **dict.fromkeys(("users_archive_refused", "sui", "fui"), (ENTITY_MANAGEMENT, _OTHER)),
    **dict.fromkeys(("sapi", "mgmt_api_read", "api_limit"), (API_ACTIVITY, _OTHER)),
}
_FAILED: Final = frozenset(
    {
        *("f", "fp", "fu", "fs", "fv", "feacft", "fertft", "feccft", "fcp", "fcpr", "fn", "ferrt"),
        *("fce", "fcu", "fcpn", "fdu"),
        *("limit_wc", "limit_mu", "limit_sul", "api_limit", "pwd_leak_unchecked"),
        *("gd_webauthn_enrollment_failed", "passkey_challenge_failed", "passkey_recovery_failed"),
        *("oidc_backchannel_logout_failed", "log_stream_suspended", "log_stream_gap", "users_archive_refused"),
        "fui",
    }
)
_GRAVE: Final = frozenset({"ferrt", "limit_wc", "limit_mu", "limit_sul", "pwd_leak", "passkey_quarantined"})


def ocsf(entry: LogEntry, version: str) -> dict[str, Any]:
    """Return an entry as an event; ``version`` is ours. What OCSF has no place for is in ``unmapped``."""
    kind, activity = _MAPPED.get(entry.type, (API_ACTIVITY, _OTHER))
    request = _request(entry)
    if kind is API_ACTIVITY:
        activity = _METHODS.get(str(request.get("method")), activity)
    status = _FAILURE if entry.type in _FAILED else _SUCCESS
    severity = _MEDIUM if entry.type in _GRAVE else _INFORMATIONAL if status is _SUCCESS else _LOW
    label = TYPES.get(entry.type, entry.type)
    name = kind.activities.get(activity, label)
    found = {
        "activity_id": activity,
        "activity_name": name,
        "category_uid": kind.category[0],
        "category_name": kind.category[1],
        "class_uid": kind.uid,
        "class_name": kind.name,
        "type_uid": kind.uid * 100 + activity,
        "type_name": f"{kind.name}: {name}",
        "time": int(entry.date.timestamp() * 1000),
        "severity_id": severity[0],
        "severity": severity[1],
        "status_id": status[0],
        "status": status[1],
        "status_code": entry.type,
        "status_detail": entry.description or entry.details.get("reason"),
        "message": label,
        "metadata": _metadata(entry, version),
        "src_endpoint": {"ip": entry.ip} if entry.ip else {"name": entry.actor or _PRODUCT},
        "actor": _actor(entry),
        "unmapped": _unmapped(entry),
    }
    return {name: value for name, value in (found | _of_class(kind, entry, request)).items() if value is not None}


def _of_class(kind: _Class, entry: LogEntry, request: Mapping[str, Any]) -> dict[str, Any]:
    about: dict[str, Any] = {"http_request": _http_request(entry, request)}
    if kind is API_ACTIVITY:
        operation = " ".join(str(request[name]) for name in ("method", "path") if name in request)
        about["api"] = {"operation": operation or entry.type, "service": {"name": _PRODUCT}}
        about["resources"] = [{"type": "user", "uid": entry.user_id}] if entry.user_id else None
    elif kind is ENTITY_MANAGEMENT:
        about["entity"] = {"type": "user", "uid": entry.user_id or "unknown"}
    else:
        about["user"] = _user(entry)
    if kind is AUTHENTICATION:
        about |= {"service": _service(entry), "is_remote": True}
    return about


def _http_request(entry: LogEntry, request: Mapping[str, Any]) -> dict[str, Any] | None:
    found = {"http_method": request.get("method"), "user_agent": entry.user_agent, "uid": entry.request_id}
    return {name: value for name, value in found.items() if value} or None


def _service(entry: LogEntry) -> dict[str, Any]:
    found = {"uid": entry.client_id, "name": entry.client_name} if entry.client_id else {"name": _PRODUCT}
    return {name: value for name, value in found.items() if value}


def _request(entry: LogEntry) -> Mapping[str, Any]:
    found = entry.details.get("request")
    return found if isinstance(found, Mapping) else {}


def _metadata(entry: LogEntry, version: str) -> dict[str, Any]:
    correlated = {"correlation_uid": entry.request_id} if entry.request_id else {}
    product = {"name": _PRODUCT, "vendor_name": _PRODUCT, "version": version}
    known = {"version": VERSION, "uid": entry.log_id, "event_code": entry.type, "log_name": "journal"}
    return known | {"product": product} | correlated


def _user(entry: LogEntry) -> dict[str, Any]:
    """Return whom it is about: OCSF wants somebody also where nobody is known by what was typed."""
    found = {"uid": entry.user_id or entry.actor, "name": entry.user_name}
    return {name: value for name, value in found.items() if value} or {"name": "unknown", "type_id": 0}


def _actor(entry: LogEntry) -> dict[str, Any]:
    if entry.actor:
        return {"user": {"uid": entry.actor}}
    if entry.user_id:
        return {"user": _user(entry)}
    return {"app_uid": entry.client_id} if entry.client_id else {"app_name": _PRODUCT}


def _unmapped(entry: LogEntry) -> dict[str, Any]:
    found = {
        "connection": entry.connection,
        "connection_id": entry.connection_id,
        "client_id": entry.client_id,
        "decision_id": entry.decision,
        "seal": entry.seal,
        "details": entry.details,
    }
    return {name: value for name, value in found.items() if value}
