"""The categories by which log streams are filtered: Auth0's, with every event of ours in exactly one."""

from collections.abc import Collection, Mapping
from typing import Final, Literal, get_args

Category = Literal[
    "auth.login.fail",
    "auth.login.notification",
    "auth.login.success",
    "auth.logout.fail",
    "auth.logout.success",
    "auth.signup.fail",
    "auth.signup.success",
    "auth.silent_auth.fail",
    "auth.silent_auth.success",
    "auth.token_exchange.fail",
    "auth.token_exchange.success",
    "auth.ancillary.fail",
    "auth.ancillary.success",
    "management.fail",
    "management.success",
    "scim.event",
    "system.notification",
    "user.fail",
    "user.notification",
    "user.success",
    "actions",
    "other",
]
CATEGORIES: Final = get_args(Category)

_MEMBERS: Final[Mapping[Category, Collection[str]]] = {
    "auth.login.fail": ("f", "fp", "fu", "limit_wc", "limit_mu", "limit_sul", "pwd_leak", "passkey_challenge_failed"),
    "auth.login.notification": (
        *("pwd_leak_unchecked", "passkey_policy_advice", "passkey_challenge_started"),
        "shadow_difference",
    ),
    "auth.login.success": ("s",),
    "auth.logout.fail": ("oidc_backchannel_logout_failed",),
    "auth.logout.success": ("slo", "oidc_backchannel_logout_succeeded"),
    "auth.signup.fail": ("fs", "signup_pwd_leak"),
    "auth.signup.success": ("ss",),
    "auth.token_exchange.fail": ("feacft", "ferrt", "fertft", "feccft"),
    "auth.token_exchange.success": ("seacft", "sepft", "sertft", "seccft"),
    "auth.ancillary.success": ("srrt",),
    "management.fail": ("users_archive_refused", "fui"),
    "management.success": (
        *("sapi", "mgmt_api_read", "backup_made", "backup_restored", "sui"),
        *("users_export_started", "users_export_downloaded", "users_archive_started", "users_archive_downloaded"),
        *("users_archive_received", "users_archive_imported"),
    ),
    "system.notification": ("api_limit", "fn", "log_stream_suspended", "log_stream_gap"),
    "user.fail": (
        *("fv", "fcpr", "fcp", "reset_pwd_leak", "gd_webauthn_enrollment_failed", "passkey_recovery_failed"),
        *("fce", "fcu", "fcpn", "fdu"),
    ),
    "user.notification": (
        *("svr", "scpr", "ublkdu", "passkey_recovery_requested"),
        *("passkey_quarantined", "passkey_quarantine_lifted"),
    ),
    "user.success": (
        *("sv", "scp", "sdu", "gd_enrollment_complete", "passkey_recovery_succeeded"),
        *("sce", "scu", "scpn"),
        "my_account_authentication_method_succeeded",
    ),
}
_CATEGORY: Final[Mapping[str, Category]] = {code: name for name, codes in _MEMBERS.items() for code in codes}


def category_of(type: str) -> Category:
    """Return the category of an event; what no version of ours writes is ``other``."""
    return _CATEGORY.get(type, "other")
