"""A database connection's options as a value (auth0-behaviour section 3).

Shapes are closed where Auth0 closes them, since its SDKs parse strictly. What Keystead does not act on yet has a type
that only its switched-off value fits, so that it is refused rather than stored and ignored.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from keystead.rules.action_scripts import ScriptLanguage, ScriptName, Scripts
from keystead.rules.configuration import Configuration
from keystead.rules.identifiers import KINDS, IdentifierKind, UsernameRules
from keystead.rules.passkey_terms import PasskeyPolicy

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
    active: bool = False
    size: Annotated[int, Field(ge=1, le=24)] = 3


Words = Annotated[list[Annotated[str, Field(max_length=50)]], Field(max_length=200)]


class FlexibleDictionary(BaseModel):
    """``password_options.dictionary``."""

    model_config = _CLOSED
    active: bool = False
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
    enable: bool
    size: Annotated[int, Field(ge=0, le=24)] = 5


class LegacyDictionary(BaseModel):
    """``password_dictionary``."""

    model_config = _CLOSED
    enable: bool
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


StoreKind = Literal["hosted", "scripted", "migrating"]
"""Where people live: here; in the customer's own database; there until they log in, and here from then on."""

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
    custom_database: bool = Field(default=False, alias="enabledDatabaseCustomization")
    """Whether people are kept in the customer's own database, behind action scripts (section 5)."""
    import_mode: bool = False
    """Whether people move from there to here as they log in (MG-1)."""
    enable_script_context: bool = False
    """Whether scripts get ``context`` before ``callback``; never off again once it is on (CD-5)."""
    scripts: Scripts = Field(default={}, alias="customScripts")
    script_language: ScriptLanguage = "node"
    """What the scripts are written in. Ours: Auth0 has Node.js alone."""
    shadow_mode: bool = False
    """Whether logins of people who live here are compared with what the scripts would have said. Ours."""
    root_attributes: Literal["on_each_login", "on_first_login", "never_on_login"] = Field(
        default="on_each_login", alias="set_user_root_attributes"
    )
    """When name, nickname, given_name, family_name and picture follow the customer's database (CD-8)."""
    configuration: Configuration = {}
    """Secrets for scripts: sealed before they are stored, and shown as ciphertext."""
    non_persistent_attrs: Annotated[list[Annotated[str, Field(max_length=255)]], Field(max_length=96)] = []
    """Members of a returned profile that are never stored."""
    custom_password_hash: None = None
    security_profile: Literal["standard", "hardened"] = "standard"
    passkey_policy: PasskeyPolicy | None = None

    @property
    def store(self) -> StoreKind:
        """Return where the people of the connection live (house: three stores)."""
        if not self.custom_database:
            return "hosted"
        return "migrating" if self.import_mode else "scripted"

    def lacks(self, name: ScriptName) -> bool:
        """Whether people live in the customer's own database, and there is no script for something."""
        return self.store == "scripted" and not self.scripts.get(name, "").strip()

    @property
    def hardened(self) -> bool:
        """Whether nobody is told who has an account here, at the price of some of Auth0's answers."""
        return self.security_profile == "hardened"

    def verified_at_signup(self) -> tuple[IdentifierKind, ...]:
        """Return the kinds that must be verified before a new account can be used (ID-19)."""
        found = self.attributes or Attributes()
        asked = {"email": found.email, "phone_number": found.phone_number}
        return tuple(kind for kind in KINDS if (each := asked.get(kind)) and each.signup.verification.active)

    def proved_at_signup(self) -> tuple[IdentifierKind, ...]:
        """Return the kinds of which the sign-up pages ask for a code before there is an account.

        Where nobody may learn who has an account, every new address is asked for one: a taken one looks the same.
        """
        asked = self.verified_at_signup()
        return tuple(
            kind
            for kind in self.signup_attributes()
            if kind != "username" and (self.hardened or (kind in asked and self.by_code(kind)))
        )

    def by_code(self, kind: IdentifierKind) -> bool:
        """Whether that kind is verified by a code rather than by a link."""
        email = self.attributes.email if self.attributes else None
        return kind == "phone_number" or bool(email and email.verification_method != "link")

    def shared_kinds(self) -> tuple[IdentifierKind, ...]:
        """Return the kinds whose values several accounts may have (ID-17)."""
        return () if self.unique_emails else ("email",)

    @property
    def unique_emails(self) -> bool:
        """Whether an e-mail address belongs to one account alone (ID-17)."""
        email = self.attributes.email if self.attributes else None
        return email is None or email.unique

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
