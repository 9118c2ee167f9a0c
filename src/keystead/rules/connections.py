"""A database connection's options as a value, and what a request to change them makes of them.

Shapes are closed where Auth0 closes them (auth0-behaviour section 3), since its SDKs parse them strictly. An option
that Keystead does not act on yet is refused by name rather than stored and ignored: a policy must mean something.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from keystead.errors import InvalidOptions
from keystead.rules.complaints import reason
from keystead.rules.identifiers import KINDS, IdentifierKind, UsernameRules

Status = Literal["required", "optional", "inactive"]
ChallengeUI = Literal["both", "autofill", "button"]

_CLOSED = ConfigDict(frozen=True, strict=True, extra="forbid")


class Verification(BaseModel):
    """Whether an identifier must be verified at sign-up."""

    model_config = _CLOSED
    active: bool = False


class Signup(BaseModel):
    """What sign-up does with an attribute (ID-3)."""

    model_config = _CLOSED
    status: Status = "required"
    verification: Verification = Verification()


class UsernameSignup(BaseModel):
    """What sign-up does with usernames, which nobody can verify."""

    model_config = _CLOSED
    status: Status = "required"


class Login(BaseModel):
    """Whether people log in with an attribute (ID-2)."""

    model_config = _CLOSED
    active: bool = True
    default_method: Literal["password", "email_otp", "phone_otp"] = "password"


class EmailAttribute(BaseModel):
    """``attributes.email``."""

    model_config = _CLOSED
    identifier: Login = Login()
    unique: bool = True
    profile_required: bool = False
    verification_method: Literal["link", "code", "otp"] = "link"
    signup: Signup = Signup()


class PhoneAttribute(BaseModel):
    """``attributes.phone_number``."""

    model_config = _CLOSED
    identifier: Login = Login()
    profile_required: bool = False
    signup: Signup = Signup()


class AllowedTypes(BaseModel):
    """Which other identifiers a username may look like."""

    model_config = _CLOSED
    email: bool = False
    phone_number: bool = False


class UsernameValidation(BaseModel):
    """``attributes.username.validation`` (ID-15)."""

    model_config = _CLOSED
    min_length: Annotated[int, Field(ge=1, le=128)] = 1
    max_length: Annotated[int, Field(ge=1, le=128)] = 15
    allowed_types: AllowedTypes = AllowedTypes()


class UsernameAttribute(BaseModel):
    """``attributes.username``."""

    model_config = _CLOSED
    identifier: Login = Login()
    profile_required: bool = False
    signup: UsernameSignup = UsernameSignup()
    validation: UsernameValidation = UsernameValidation()


class Attributes(BaseModel):
    """The flexible identifiers of a connection (ID-1). An attribute that is absent is not there at all."""

    model_config = _CLOSED
    email: EmailAttribute | None = None
    phone_number: PhoneAttribute | None = None
    username: UsernameAttribute | None = None


class PasswordMethod(BaseModel):
    """``authentication_methods.password`` (PW-15)."""

    model_config = _CLOSED
    enabled: bool = True
    api_behavior: Literal["required", "optional"] = "required"
    signup_behavior: Literal["allow", "block"] = "allow"


class PasskeyMethod(BaseModel):
    """``authentication_methods.passkey`` (PK-1)."""

    model_config = _CLOSED
    enabled: bool = False


class CodeMethod(BaseModel):
    """One-time codes as a first factor: named on the wire, not to be had."""

    model_config = _CLOSED
    enabled: Literal[False] = False


class Methods(BaseModel):
    """``authentication_methods``."""

    model_config = _CLOSED
    password: PasswordMethod = PasswordMethod()
    passkey: PasskeyMethod = PasskeyMethod()
    email_otp: CodeMethod | None = None
    phone_otp: CodeMethod | None = None


class PasskeyOptions(BaseModel):
    """``passkey_options`` (PK-6 to PK-8)."""

    model_config = _CLOSED
    challenge_ui: ChallengeUI = "both"
    progressive_enrollment_enabled: bool = True
    local_enrollment_enabled: bool = True


CharacterType = Literal["uppercase", "lowercase", "number", "special"]


class Complexity(BaseModel):
    """``password_options.complexity`` (PW-9)."""

    model_config = _CLOSED
    min_length: Annotated[int, Field(ge=1, le=72)] = 15
    character_types: list[CharacterType] = []
    character_type_rule: Literal["all", "three_of_four"] = "all"
    identical_characters: Literal["allow", "block"] = "allow"
    sequential_characters: Literal["allow", "block"] = "allow"
    max_length_exceeded: Literal["truncate", "error"] = "error"


class ProfileData(BaseModel):
    """``password_options.profile_data``: values of the profile that a password may not contain."""

    model_config = _CLOSED
    active: bool = False
    blocked_fields: Annotated[list[Annotated[str, Field(max_length=100)]], Field(max_length=12)] = [
        "name",
        "username",
        "nickname",
        "email",
        "phone_number",
        "user_metadata.name",
        "user_metadata.first",
        "user_metadata.last",
    ]


class FlexibleHistory(BaseModel):
    """``password_options.history``."""

    model_config = _CLOSED
    active: Literal[False] = False
    size: Annotated[int, Field(ge=1, le=24)] = 3


Words = Annotated[list[Annotated[str, Field(max_length=50)]], Field(max_length=200)]


class FlexibleDictionary(BaseModel):
    """``password_options.dictionary``."""

    model_config = _CLOSED
    active: Literal[False] = False
    custom: Words = []
    default: Literal["en_10k", "en_100k"] = "en_100k"


class PasswordOptions(BaseModel):
    """``password_options``: the flexible policy, with the default of new connections (PW-13)."""

    model_config = _CLOSED
    complexity: Complexity = Complexity()
    profile_data: ProfileData = ProfileData()
    history: FlexibleHistory = FlexibleHistory()
    dictionary: FlexibleDictionary = FlexibleDictionary()


class LegacyHistory(BaseModel):
    """``password_history``."""

    model_config = _CLOSED
    enable: Literal[False]
    size: Annotated[int, Field(ge=0, le=24)] = 5


class LegacyDictionary(BaseModel):
    """``password_dictionary``."""

    model_config = _CLOSED
    enable: Literal[False]
    dictionary: Words = []


class NoPersonalInfo(BaseModel):
    """``password_no_personal_info`` (PW-7)."""

    model_config = _CLOSED
    enable: bool


class LegacyComplexity(BaseModel):
    """``password_complexity_options`` (PW-4)."""

    model_config = _CLOSED
    min_length: Annotated[int, Field(ge=1, le=128)] | None = None


class LegacyLength(BaseModel):
    """``validation.username`` (ID-15)."""

    model_config = _CLOSED
    min: Annotated[int, Field(ge=1)]
    max: Annotated[int, Field(le=128)]


class LegacyValidation(BaseModel):
    """``validation``."""

    model_config = _CLOSED
    username: LegacyLength | None = None


class Mfa(BaseModel):
    """``mfa``: kept and shown; there is no second factor to switch."""

    model_config = _CLOSED
    active: bool = True
    return_enroll_settings: bool = True


Empty = Annotated[dict[str, str], Field(max_length=0)]
"""Named on the wire, and nothing to put into it yet. Values of ``configuration`` are secrets: never stored in clear."""

PasswordLevel = Literal["none", "low", "fair", "good", "excellent"]


class ConnectionOptions(BaseModel):
    """``options`` of a connection. Members that nobody defined are kept and shown (section 3.3, last line)."""

    model_config = ConfigDict(frozen=True, strict=True, extra="allow")

    mfa: Mfa = Mfa()
    brute_force_protection: bool = True
    disable_signup: bool = False
    disable_self_service_change_password: bool = False
    requires_username: bool = False
    validation: LegacyValidation | None = None
    attributes: Attributes | None = None
    precedence: list[IdentifierKind] = list(KINDS)
    authentication_methods: Methods | None = None
    passkey_options: PasskeyOptions | None = None
    password_options: PasswordOptions | None = None
    password_level: PasswordLevel | None = Field(default=None, alias="passwordPolicy")
    password_complexity_options: LegacyComplexity | None = None
    password_history: LegacyHistory | None = None
    password_dictionary: LegacyDictionary | None = None
    password_no_personal_info: NoPersonalInfo | None = None
    custom_database: Literal[False] = Field(default=False, alias="enabledDatabaseCustomization")
    import_mode: Literal[False] = False
    enable_script_context: Literal[False] = False
    scripts: Empty = Field(default={}, alias="customScripts")
    configuration: Empty = {}
    non_persistent_attrs: Annotated[list[str], Field(max_length=0)] = []
    custom_password_hash: None = None
    security_profile: Literal["standard"] = "standard"
    passkey_policy: None = None

    @property
    def methods(self) -> Methods:
        """What people may prove themselves with."""
        return self.authentication_methods or Methods()

    @property
    def passkeys(self) -> PasskeyOptions:
        """How passkeys are offered."""
        return self.passkey_options or PasskeyOptions()

    def active_identifiers(self) -> tuple[IdentifierKind, ...]:
        """Return the kinds that people log in with."""
        if self.attributes is None:
            return ("email", "username") if self.requires_username else ("email",)
        return tuple(kind for kind in KINDS if (found := getattr(self.attributes, kind)) and found.identifier.active)

    def signup_attributes(self) -> dict[IdentifierKind, Status]:
        """Return what a sign-up asks for; kinds that are not on the connection are absent."""
        if self.attributes is None:
            legacy: dict[IdentifierKind, Status] = {"email": "required"}
            return legacy | {"username": "required"} if self.requires_username else legacy
        return {kind: found.signup.status for kind in KINDS if (found := getattr(self.attributes, kind))}

    def stored_attributes(self) -> tuple[IdentifierKind, ...]:
        """Return the kinds that an account of the connection may have at all."""
        return tuple(self.signup_attributes())

    def username_rules(self) -> UsernameRules:
        """Return how a new username must look."""
        if self.attributes is not None:
            found = (self.attributes.username or UsernameAttribute()).validation
            types = found.allowed_types
            return UsernameRules(found.min_length, found.max_length, types.email, types.phone_number)
        legacy = self.validation.username if self.validation else None
        return UsernameRules(legacy.min, legacy.max) if legacy else UsernameRules()


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
_OURS: Final = ("security_profile", "passkey_policy")


def new_options(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a connection that is being made. Raises ``InvalidOptions``."""
    filled = NEW_OPTIONS | dict(body)
    if not any(filled.get(name) is not None for name in ("password_options", *_LEGACY_PASSWORD)):
        filled["password_options"] = {}
    return _checked(filled)


def replace_options(current: Mapping[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a PATCH makes of the options: the whole object is replaced (CN-3), but for what is ours alone.

    ``security_profile`` and ``passkey_policy`` survive a body that does not mention them, so that a tool that knows
    nothing of them does not switch them off; ``null`` resets them. Raises ``InvalidOptions``.
    """
    kept = {name: current[name] for name in _OURS if name in current}
    after = _checked(kept | dict(body))
    _stay_unique(current, after)
    return after


def read_options(stored: Mapping[str, Any]) -> ConnectionOptions:
    """Read options that were checked when they were stored."""
    return ConnectionOptions.model_validate(dict(stored))


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
        found = getattr(options.attributes, kind)
        if found and found.profile_required and found.signup.status != "required":
            raise InvalidOptions(f"options.attributes.{kind}", f"attribute {kind} must also be required on signup")
        if found and found.identifier.default_method != "password":
            raise InvalidOptions(f"options.attributes.{kind}", "one-time codes as a first factor are not available")
        if found and isinstance(found, EmailAttribute | PhoneAttribute) and found.signup.verification.active:
            raise InvalidOptions(f"options.attributes.{kind}.signup", "verification at sign-up is not available yet")
    if not options.active_identifiers():
        raise InvalidOptions("options.attributes", "attributes must contain one active identifier")
    if options.attributes.email and not options.attributes.email.unique:
        raise InvalidOptions("options.attributes.email.unique", "cannot add non-unique email attribute")


def _methods(options: ConnectionOptions) -> None:
    """Rules 4 to 6 of section 3.3 (and decisions: passkeys alone are enough)."""
    password, passkey = options.methods.password, options.methods.passkey
    if passkey.enabled and options.requires_username and options.attributes is None:
        raise InvalidOptions(
            "options.authentication_methods.passkey", "passkeys need requires_username to be off, or attributes (PK-3)"
        )
    if not password.enabled and not passkey.enabled:
        raise InvalidOptions("options.authentication_methods", "at least one authentication method must be enabled")
    if not password.enabled and password.api_behavior != "optional":
        raise InvalidOptions(
            "options.authentication_methods.password", "api_behavior must be optional where passwords are off"
        )
    complexity = options.password_options.complexity if options.password_options else Complexity()
    if complexity.character_type_rule == "three_of_four" and len(set(complexity.character_types)) != 4:
        raise InvalidOptions(
            "options.password_options.complexity", "three_of_four needs all four character types to be listed"
        )


def _stay_unique(current: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Rule 10 of section 3.3: non-unique e-mail is for ever, so leaving it out is refused."""
    before = (current.get("attributes") or {}).get("email") or {}
    now = (after.get("attributes") or {}).get("email") or {}
    if before.get("unique", True) != now.get("unique", True):
        raise InvalidOptions("options.attributes.email.unique", "unique cannot be changed after creation")


_NOT_YET: Final = {
    "password_options.history.active": "password history is not available yet",
    "password_options.dictionary.active": "the password dictionary is not available yet",
    "password_history.enable": "password history is not available yet",
    "password_dictionary.enable": "the password dictionary is not available yet",
    "enabledDatabaseCustomization": "custom databases are not available yet",
    "import_mode": "custom databases are not available yet",
    "enable_script_context": "custom databases are not available yet",
    "customScripts": "custom databases are not available yet",
    "configuration": "custom databases are not available yet",
    "non_persistent_attrs": "non-persistent attributes are not available yet",
    "custom_password_hash": "custom password hashes are not available",
    "security_profile": "only the security profile 'standard' is available yet",
    "passkey_policy": "passkey_policy is not available yet",
    "authentication_methods.email_otp.enabled": "one-time codes as a first factor are not available",
    "authentication_methods.phone_otp.enabled": "one-time codes as a first factor are not available",
}


def _complaint(error: ValidationError) -> InvalidOptions:
    """Turn the first complaint of a validation into one that names the member and says what it must be."""
    path, text = reason(error)
    return InvalidOptions(f"options.{path}" if path else "options", _NOT_YET.get(path, text))
