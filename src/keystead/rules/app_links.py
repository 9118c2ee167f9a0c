"""Which native apps belong to our host, in the words of either platform: an app uses passkeys of hosts that name it."""

from collections.abc import Iterable
from typing import Any, Final

from keystead.rules.clients import Mobile

_RELATIONS: Final = ("delegate_permission/common.get_login_creds", "delegate_permission/common.handle_all_urls")
"""The first shares passwords, the second passkeys: to Android it proves that app and host belong together."""


def for_apple(apps: Iterable[Mobile]) -> dict[str, Any] | None:
    """Return ``apple-app-site-association``, or ``None`` where there is no app (PK-27)."""
    named = (app.ios for app in apps if app.ios and app.ios.team_id and app.ios.app_bundle_identifier)
    found = dict.fromkeys(f"{ios.team_id}.{ios.app_bundle_identifier}" for ios in named)
    return {"webcredentials": {"apps": list(found)}} if found else None


def for_android(apps: Iterable[Mobile]) -> list[dict[str, Any]]:
    """Return ``assetlinks.json``: one statement for each package, with every certificate that signs it (PK-27)."""
    found: dict[str, dict[str, None]] = {}
    for android in (app.android for app in apps if app.android):
        if android.app_package_name and android.sha256_cert_fingerprints:
            certificates = (each.upper() for each in android.sha256_cert_fingerprints)
            found.setdefault(android.app_package_name, {}).update(dict.fromkeys(certificates))
    return [_statement(package, list(certificates)) for package, certificates in found.items()]


def _statement(package: str, certificates: list[str]) -> dict[str, Any]:
    target = {"namespace": "android_app", "package_name": package, "sha256_cert_fingerprints": certificates}
    return {"relation": list(_RELATIONS), "target": target}
