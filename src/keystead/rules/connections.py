"""What a request makes of a connection's options: shapes first, then the rules between them (section 3.3).

An option that Keystead does not act on yet is refused by name: a policy must mean something.
"""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import ValidationError

from keystead.errors import InvalidOptions
from keystead.rules.action_scripts import ScriptName
from keystead.rules.complaints import reason
from keystead.rules.connection_options import (
    Complexity,
    ConnectionOptions,
    EmailAttribute,
    PhoneAttribute,
    UsernameAttribute,
)
from keystead.rules.identifiers import KINDS, IdentifierKind
from keystead.rules.passkey_terms import PasskeyPolicy

NEW_OPTIONS: Final[dict[str, Any]] = {
    "mfa": {"active": True, "return_enroll_settings": True},
    "brute_force_protection": True,
    "strategy_version": 2,
    "authentication_methods": {},
    "passkey_options": {},
}
"""What a new connection gets where its options say nothing (section 2.6)."""

_LEGACY_PASSWORD: Final = (
    "passwordPolicy",
    "password_complexity_options",
    "password_history",
    "password_dictionary",
    "password_no_personal_info",
)
_OURS: Final = ("security_profile", "passkey_policy", "script_language", "shadow_mode")


def new_options(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a connection that is being made. Raises ``InvalidOptions``."""
    filled = NEW_OPTIONS | dict(body)
    if not any(filled.get(name) is not None for name in ("password_options", *_LEGACY_PASSWORD)):
        filled["password_options"] = {}
    return _checked(filled)


def replace_options(current: Mapping[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a PATCH makes of the options: the whole object is replaced (CN-3), but for what is ours alone.

    What is ours survives a body that does not mention it, so that a tool that knows nothing of it does not switch it
    off; ``null`` resets it. Raises ``InvalidOptions``.
    """
    kept = {name: current[name] for name in _OURS if name in current}
    changed = _checked(_still_compared(body, _with_context(current, kept | dict(body))))
    was, will_be = read_options(current).unique_emails, read_options(changed).unique_emails
    if was and not will_be:
        raise InvalidOptions("options.attributes.email.unique", "cannot add non-unique email attribute")
    if will_be and not was:
        raise InvalidOptions("options.attributes.email.unique", "cannot remove non-unique email attribute")
    return changed


def read_options(stored: Mapping[str, Any]) -> ConnectionOptions:
    """Read options that were checked when they were stored."""
    return ConnectionOptions.model_validate(dict(stored))


def _with_context(current: Mapping[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    """Keep ``context`` on where it is (rule 8 of section 3.3): scripts that were written for it would misread."""
    name = "enable_script_context"
    if not current.get(name):
        return body
    if body.get(name) is False:
        raise InvalidOptions(f"options.{name}", f"{name} cannot be turned off again")
    return {**body, name: True}


def _still_compared(body: Mapping[str, Any], merged: dict[str, Any]) -> dict[str, Any]:
    """Let shadow mode end with the migration that it is about, where a body says nothing of it."""
    if "shadow_mode" in body or (merged.get("enabledDatabaseCustomization") and merged.get("import_mode")):
        return merged
    return {name: value for name, value in merged.items() if name != "shadow_mode"}


def _checked(body: Mapping[str, Any]) -> dict[str, Any]:
    """Validate shapes, then the rules between them; return what is stored and shown."""
    given = {name: value for name, value in body.items() if value is not None}
    try:
        options = ConnectionOptions.model_validate(given)
    except ValidationError as error:
        raise _complaint(error) from None
    _legacy_or_flexible(given)
    _attributes(options)
    _methods(options)
    _complexity(options)
    _passkey_policy(options)
    _custom_database(options)
    _shadow_mode(options)
    return _stored(options)


def _stored(options: ConnectionOptions) -> dict[str, Any]:
    """Show what was said, with the members of the blocks that SDKs read always there."""
    stored = options.model_dump(mode="json", by_alias=True, exclude_unset=True)
    for name, block in (
        ("authentication_methods", options.authentication_methods),
        ("passkey_options", options.passkey_options),
        ("password_options", options.password_options),
        ("attributes", options.attributes),
    ):
        if block is not None:
            stored[name] = block.model_dump(mode="json", exclude_none=True)
    stored.setdefault("disable_self_service_change_password", False)  # deploy tools add it, and would see a change
    return stored


def _legacy_or_flexible(given: Mapping[str, Any]) -> None:
    """Rules 1 and 3 of section 3.3: two ways to say the same thing exclude each other. Texts as recorded (ID-9)."""
    if "attributes" in given and given.get("requires_username"):
        raise InvalidOptions("options.attributes", "Cannot set both options.attributes and options.requires_username")
    if "attributes" in given and "validation" in given:
        raise InvalidOptions("options.attributes", "Cannot set both options.attributes and options.validation")
    legacy = next((name for name in _LEGACY_PASSWORD if name in given), None)
    if "password_options" in given and legacy:
        raise InvalidOptions(
            "options.password_options", f"Cannot set both options.password_options and options.{legacy}"
        )


def _attributes(options: ConnectionOptions) -> None:
    """Rule 2 of section 3.3, and the lengths that must fit each other."""
    names = options.username_rules()
    if names.min_length > names.max_length:
        raise InvalidOptions("options.attributes.username.validation", "min_length must not be greater than max_length")
    if sorted(options.precedence) != sorted(KINDS):
        raise InvalidOptions("options.precedence", "precedence must contain email, phone_number and username once each")
    if options.attributes is None:
        return
    for kind in KINDS:
        _attribute(kind, getattr(options.attributes, kind))
    if not options.active_identifiers():
        raise InvalidOptions("options.attributes", "attributes must contain one active identifier")


def _attribute(kind: IdentifierKind, found: EmailAttribute | PhoneAttribute | UsernameAttribute | None) -> None:
    """What holds for one attribute, where it is on the connection."""
    path = f"options.attributes.{kind}"
    if found is None:
        return
    if found.profile_required and found.signup.status != "required":
        raise InvalidOptions(path, f"attribute {kind} must also be required on signup")
    if found.identifier.default_method != "password":
        raise InvalidOptions(path, "one-time codes as a first factor are not available")
    if isinstance(found, EmailAttribute) and not found.unique and found.identifier.active:
        raise InvalidOptions(f"{path}.identifier", "a non-unique email attribute cannot be an active identifier")


def _methods(options: ConnectionOptions) -> None:
    """Rules 5 and 6 of section 3.3 (and decisions: passkeys alone are enough)."""
    password, passkey = options.methods.password, options.methods.passkey
    path = "options.authentication_methods"
    if passkey.enabled and options.requires_username and options.attributes is None:
        raise InvalidOptions(f"{path}.passkey", "passkeys need requires_username to be off, or attributes")
    if password.enabled:
        return
    if not passkey.enabled:
        raise InvalidOptions(path, "at least one authentication method must be enabled")
    if password.api_behavior != "optional":
        raise InvalidOptions(f"{path}.password", "api_behavior must be optional where passwords are off")


def _complexity(options: ConnectionOptions) -> None:
    """Rule 4 of section 3.3."""
    complexity = options.password_options.complexity if options.password_options else Complexity()
    if complexity.character_type_rule == "three_of_four" and len(set(complexity.character_types)) != 4:
        path = "options.password_options.complexity"
        raise InvalidOptions(path, "three_of_four needs all four character types to be listed")


def _passkey_policy(options: ConnectionOptions) -> None:
    """What the fields of the policy demand of each other."""
    policy, path = options.passkey_policy or PasskeyPolicy(), "options.passkey_policy"
    if policy.authenticators.needs_attestation and policy.attestation == "none":
        raise InvalidOptions(f"{path}.authenticators", "a level of trust needs attestation to be asked for")
    if policy.required_after is not None and policy.enrollment != "required":
        raise InvalidOptions(f"{path}.required_after", "required_after needs enrollment to be required")
    needed = {
        "enrollment": policy.enrollment == "required",
        "automatic_upgrade": policy.automatic_upgrade,
        "passwordless_accounts": policy.passwordless_accounts,
    }
    wanting = next((name for name, asked in needed.items() if asked), None)
    if wanting and not options.methods.passkey.enabled:
        raise InvalidOptions(f"{path}.{wanting}", f"{wanting} needs passkeys to be enabled")


def _custom_database(options: ConnectionOptions) -> None:
    """What holds where people live in the customer's own database (section 5, MG-3, and rule 5 of section 3.3)."""
    if not options.custom_database:
        says_when = "root_attributes" in options.model_fields_set
        needed = {"import_mode": options.import_mode, "set_user_root_attributes": says_when}
        wanting = next((name for name, asked in needed.items() if asked), None)
        if wanting:
            raise InvalidOptions(f"options.{wanting}", f"{wanting} needs enabledDatabaseCustomization")
        return
    needs: dict[ScriptName, str] = {"login": "a custom database needs a login script"}
    if options.import_mode:
        needs["get_user"] = "import_mode needs a get_user script"
    elif options.methods.passkey.enabled:
        if not options.enable_script_context:
            path = "options.authentication_methods.passkey"
            raise InvalidOptions(path, "passkeys need import_mode or enable_script_context on a custom database")
        why = "passkeys on a custom database without import_mode need get_user and create scripts"
        needs |= {"get_user": why, "create": why}
    for name, why in needs.items():
        if not options.scripts.get(name, "").strip():
            raise InvalidOptions(f"options.customScripts.{name}", why)


def _shadow_mode(options: ConnectionOptions) -> None:
    """Where the customer's database has all passwords, or none, there are no two to compare."""
    if options.shadow_mode and options.store != "migrating":
        text = "shadow_mode compares two passwords: it needs enabledDatabaseCustomization and import_mode"
        raise InvalidOptions("options.shadow_mode", text)


_NOT_YET: Final = {
    "custom_password_hash": "custom password hashes are not available",
    "authentication_methods.email_otp.enabled": "one-time codes as a first factor are not available",
    "authentication_methods.phone_otp.enabled": "one-time codes as a first factor are not available",
}


def _complaint(error: ValidationError) -> InvalidOptions:
    """Turn the first complaint of a validation into one that names the member and says what it must be."""
    path, text = reason(error)
    return InvalidOptions(f"options.{path}" if path else "options", _NOT_YET.get(path, text))
