"""A client as a value: what an application is, and what it may use."""

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from keystead.errors import BadRequest
from keystead.rules import base64url
from keystead.rules.complaints import complaint
from keystead.rules.oauth import LOOPBACK, absolute, redirect_allowed
from keystead.rules.profiles import merge_metadata

PASSWORD: Final = "password"  # noqa: S105 - the name of a grant
PASSWORD_REALM: Final = "http://auth0.com/oauth/grant-type/password-realm"  # noqa: S105
PASSKEY: Final = "urn:okta:params:oauth:grant-type:webauthn"
CODE: Final = "authorization_code"
REFRESH: Final = "refresh_token"
CLIENT_CREDENTIALS: Final = "client_credentials"

GRANTS: Final = (PASSWORD, PASSWORD_REALM, PASSKEY, CODE, REFRESH, CLIENT_CREDENTIALS)

_ORIGIN: Final = re.compile(
    r"https?://[A-Za-z0-9.\-\[\]:*]+|[a-z][a-z0-9+.\-]*://[^\s/]*|android:apk-key-hash:[A-Za-z0-9_-]{43}"
)

_AUTHORITY: Final = r"(?:[A-Za-z0-9._\-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?"
_WEB_URL: Final = re.compile(rf"https?://{_AUTHORITY}(?:[/?].*)?", re.IGNORECASE)
_APP_URL: Final = re.compile(rf"([a-z][a-z0-9+.\-]*):(?://(?:{_AUTHORITY})?(?:[/?].*)?|(?!//).*)", re.IGNORECASE)
_OF_BROWSERS: Final = (
    *("http", "https", "javascript", "data", "vbscript", "file", "blob", "about", "view-source", "feed", "jar"),
)
"""Schemes that no app has: browsers keep them for themselves, and some of them run what follows."""


def _redirect(url: str) -> str:
    """Accept what can be redirected to without surprise: absolute or ours, no fragment, no wildcard, no script.

    Host and port are of a closed set of characters, since the pages name them in their ``Content-Security-Policy``: a
    semicolon in one would begin a directive of the client's choice. In ASCII, so that a browser and we read the same.
    """
    if len(url) > 2000 or not (url.isascii() and url.isprintable()) or any(char in url for char in "#* \\"):
        raise ValueError("must be an absolute URL in ASCII without fragment or wildcard")
    app = _APP_URL.fullmatch(url)
    if url.startswith("/") or _WEB_URL.fullmatch(url) or (app and app[1].lower() not in _OF_BROWSERS):
        return url
    raise ValueError("must be an absolute URL")


def _origin(url: str) -> str:
    if not _ORIGIN.fullmatch(url.rstrip("/")):
        raise ValueError("must be an origin: scheme, host and port")
    return url.rstrip("/")


def _call(url: str) -> str:
    """Accept where we may call with what nobody else should read: over TLS, or on this machine."""
    plain = len(url) <= 2000 and url.isascii() and url.isprintable() and not any(char in url for char in "#* \\")
    found = re.fullmatch(rf"(https?)://({_AUTHORITY})(?:[/?].*)?", url) if plain else None
    if found and (found[1] == "https" or re.sub(r":[0-9]+$", "", found[2]).lower() in LOOPBACK):
        return url
    raise ValueError("must be an https URL without fragment or wildcard, or http on loopback")


Redirect = Annotated[str, AfterValidator(_redirect)]
Call = Annotated[str, AfterValidator(_call)]
Origin = Annotated[str, AfterValidator(_origin)]
AuthMethod = Literal["none", "client_secret_post", "client_secret_basic"]
AUTH_METHODS: Final = ("client_secret_basic", "client_secret_post", "private_key_jwt", "none")
"""Every way in which a client may prove itself, or not, in the words of OpenID Connect."""


class RefreshSettings(BaseModel):
    """How refresh tokens behave (TK-4); lifetimes in seconds."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    rotation_type: Literal["rotating", "non-rotating"] = "non-rotating"
    expiration_type: Literal["expiring", "non-expiring"] = "expiring"
    leeway: Annotated[int, Field(ge=0, le=86_400)] = 0
    token_lifetime: Annotated[int, Field(ge=1, le=157_788_000)] = 2_592_000
    infinite_token_lifetime: bool = False
    idle_token_lifetime: Annotated[int, Field(ge=1, le=157_788_000)] = 1_296_000
    infinite_idle_token_lifetime: bool = False


class IdTokenSettings(BaseModel):
    """``jwt_configuration``; ``lifetime_in_seconds`` is the ID token's (TK-2)."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    alg: Literal["RS256"] = "RS256"
    lifetime_in_seconds: Annotated[int, Field(ge=1, le=2_592_000)] = 36_000
    secret_encoded: bool = False
    scopes: dict[str, Any] = {}


class IosApp(BaseModel):
    """``mobile.ios``."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    team_id: str = ""
    app_bundle_identifier: str = ""


class AndroidApp(BaseModel):
    """``mobile.android``."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    app_package_name: str = ""
    sha256_cert_fingerprints: list[Annotated[str, Field(pattern=r"^[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){31}$")]] = []


class Mobile(BaseModel):
    """The native apps of a client: they show passkeys from origins of their own (PK-27)."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    ios: IosApp | None = None
    android: AndroidApp | None = None


Initiator = Literal[
    "rp-logout",
    "idp-logout",
    "password-changed",
    "session-expired",
    "session-revoked",
    "account-deleted",
    "email-identifier-changed",
    "mfa-phone-unenrolled",
    "account-deactivated",
]
"""What may end a session, in Auth0's words."""


class LogoutInitiators(BaseModel):
    """``backchannel_logout_initiators``: which ends of a session a client wants to be told of."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    mode: Literal["custom", "all"] = "custom"
    selected_initiators: list[Initiator] = ["rp-logout", "idp-logout"]


class LogoutMetadata(BaseModel):
    """``backchannel_logout_session_metadata``."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    include: bool = False


class LogoutSettings(BaseModel):
    """``oidc_logout``: where a client is told that a session ended (OpenID Connect Back-Channel Logout §2.2)."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    backchannel_logout_urls: Annotated[list[Call], Field(max_length=1)] = []
    backchannel_logout_initiators: LogoutInitiators = LogoutInitiators()
    backchannel_logout_session_metadata: LogoutMetadata | None = None


class CredentialChoice(BaseModel):
    """One of the client's credentials, by id."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    id: Annotated[str, Field(min_length=1, max_length=40)]


class PrivateKeyJwt(BaseModel):
    """``private_key_jwt``: with which of its keys a client proves itself (RFC 7523)."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    credentials: Annotated[list[CredentialChoice], Field(max_length=20)] = []


class AuthenticationMethods(BaseModel):
    """``client_authentication_methods``: how a client without a secret proves itself."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    private_key_jwt: PrivateKeyJwt


class ClientSettings(BaseModel):
    """Everything about a client but its id and secret (section 2.8)."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^<>]+$")]
    description: Annotated[str, Field(max_length=140)] = ""
    logo_uri: str | None = None
    app_type: Literal["native", "spa", "regular_web", "non_interactive"] | None = None
    is_first_party: bool = True
    oidc_conformant: bool = True
    token_endpoint_auth_method: AuthMethod | None = "client_secret_post"  # noqa: S105 - the name of a method
    """``None`` where ``client_authentication_methods`` says it."""
    client_authentication_methods: AuthenticationMethods | None = None
    grant_types: list[str] = [CODE, REFRESH]
    callbacks: list[Redirect] = []
    allowed_logout_urls: list[Redirect] = []
    web_origins: list[Origin] = []
    allowed_origins: list[Origin] = []
    initiate_login_uri: str | None = None
    is_token_endpoint_ip_header_trusted: bool = False
    cross_origin_authentication: bool = False
    custom_login_page_on: bool = True
    sso_disabled: bool = False
    jwt_configuration: IdTokenSettings = IdTokenSettings()
    refresh_token: RefreshSettings = RefreshSettings()
    mobile: Mobile | None = None
    oidc_logout: LogoutSettings | None = None
    require_pushed_authorization_requests: bool = False
    par_request_expiry: Annotated[int, Field(ge=10, le=600)] | None = None
    skip_non_verifiable_callback_uri_confirmation_prompt: bool | None = None
    client_metadata: Annotated[dict[str, Annotated[str, Field(max_length=255)]], Field(max_length=10)] = {}

    @property
    def is_public(self) -> bool:
        """Whether the client cannot keep a secret."""
        return self.token_endpoint_auth_method == "none"  # noqa: S105

    @property
    def key_ids(self) -> frozenset[str] | None:
        """The credentials with which the client proves itself; ``None`` where it does so in another way."""
        methods = self.client_authentication_methods
        return frozenset(each.id for each in methods.private_key_jwt.credentials) if methods else None

    @property
    def needs_secret(self) -> bool:
        """Whether the client proves itself with a secret."""
        return not self.is_public and self.key_ids is None

    def may_redirect_to(self, redirect_uri: str, public_url: str) -> bool:
        """Whether a login with the client may end at a redirect URI."""
        return redirect_allowed(redirect_uri, self.callbacks, public_url, native=self.app_type == "native")


class SecretRotation(BaseModel):
    """The body of ``POST /clients/{id}/rotate-secret``: ours, since Auth0 has none."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    previous_secret_seconds: Annotated[int, Field(ge=0, le=2_592_000)] = 0
    """How long the secret before is still taken, so that servers can be changed one after the other."""


_ALIASES: Final = {"cross_origin_auth": "cross_origin_authentication", "oidc_backchannel_logout": "oidc_logout"}
"""Members by a name that Auth0 gave up."""


def new_settings(body: Mapping[str, Any]) -> ClientSettings:
    """Return the settings of a client that is being made. Raises ``BadRequest``."""
    given = {_ALIASES.get(name, name): value for name, value in body.items() if value is not None}
    public = given.get("app_type") in ("native", "spa")
    if "token_endpoint_auth_method" not in given and public and "client_authentication_methods" not in given:
        given["token_endpoint_auth_method"] = "none"  # noqa: S105
    if "grant_types" not in given and given.get("app_type") == "non_interactive":
        given["grant_types"] = [CLIENT_CREDENTIALS]
    return _checked(given)


def patch_settings(current: ClientSettings, body: Mapping[str, Any]) -> ClientSettings:
    """Return what a PATCH makes of a client: named members are replaced, ``null`` resets them. Raises ``BadRequest``.

    ``jwt_configuration`` is merged, because tools drop ``secret_encoded`` from what they read before they send it back
    (client-demands); so is ``client_metadata``, where ``null`` deletes a key.
    """
    merged = current.model_dump(mode="json", exclude_unset=True) | dict(body)
    if isinstance(body.get("jwt_configuration"), dict):
        merged["jwt_configuration"] = current.jwt_configuration.model_dump(mode="json") | body["jwt_configuration"]
    if isinstance(body.get("client_metadata"), dict):
        merged["client_metadata"] = merge_metadata(dict(current.client_metadata), body["client_metadata"])
    return _checked({name: value for name, value in merged.items() if value is not None})


def without_key(settings: ClientSettings, credential_id: str) -> ClientSettings:
    """Return what is left of a client's settings when one of its credentials goes: it may prove itself in no way."""
    left = (settings.key_ids or frozenset()) - {credential_id}
    if left == settings.key_ids or settings.key_ids is None:
        return settings
    return settings.model_copy(update={"client_authentication_methods": by_keys(sorted(left))})


def by_keys(credential_ids: Iterable[str]) -> AuthenticationMethods:
    """Return ``client_authentication_methods`` of a client that proves itself with these credentials."""
    return AuthenticationMethods(
        private_key_jwt=PrivateKeyJwt(credentials=[CredentialChoice(id=each) for each in credential_ids])
    )


def as_registered(
    body: Mapping[str, Any], current: ClientSettings, *, client_id: str, public_url: str
) -> dict[str, Any]:
    """Return a PATCH body as it is stored: what answers show in full is ours by path again.

    Without it, a tool that sends back what it read would nail our own URLs to where we are published today.
    """
    unchanging = (("client_id", client_id), ("global", False))
    found = {_ALIASES.get(name, name): value for name, value in body.items() if (name, value) not in unchanging}
    for name in ("callbacks", "allowed_logout_urls"):
        ours = {absolute(url, public_url): url for url in getattr(current, name) if url.startswith("/")}
        if isinstance(found.get(name), list):
            found[name] = [ours.get(url, url) if isinstance(url, str) else url for url in found[name]]
    return found


def _checked(given: Mapping[str, Any]) -> ClientSettings:
    if "client_authentication_methods" in given:
        if "token_endpoint_auth_method" in given:
            text = "A client has either token_endpoint_auth_method or client_authentication_methods: set one to null"
            raise BadRequest(text, path="client_authentication_methods")
        given = {**given, "token_endpoint_auth_method": None}
    try:
        settings = ClientSettings.model_validate(given)
    except ValidationError as error:
        raise complaint(error) from None
    unknown = next((grant for grant in settings.grant_types if grant not in GRANTS and not _elsewhere(grant)), None)
    if unknown is not None:
        raise BadRequest(f"Unknown grant type: {unknown[:100]}", path="grant_types")
    if settings.is_public and CLIENT_CREDENTIALS in settings.grant_types:
        raise BadRequest("A client without a secret cannot use client_credentials", path="grant_types")
    _check_links(settings)
    return settings


def _check_links(settings: ClientSettings) -> None:
    """Refuse what a page would not lead to, such as ``javascript:``. Raises ``BadRequest`` by path."""
    if settings.logo_uri and not _WEB_URL.fullmatch(settings.logo_uri):
        raise BadRequest("must be a web address", path="logo_uri")
    if settings.initiate_login_uri:
        try:
            _call(settings.initiate_login_uri)
        except ValueError as error:
            raise BadRequest(str(error), path="initiate_login_uri") from None


def _elsewhere(grant: str) -> bool:
    """Whether a grant is Auth0's own and only kept here, so that its tools can send a client back unchanged."""
    return grant == "implicit" or grant.startswith(
        ("http://auth0.com/oauth/", "urn:ietf:params:oauth:", "urn:openid:", "urn:auth0:", "password")
    )


def app_origins(settings: ClientSettings) -> tuple[str, ...]:
    """Return the origins from which a client may run a passkey ceremony: its pages and its Android apps (PK-13)."""
    android = settings.mobile.android if settings.mobile else None
    hashes = tuple(_apk_key_hash(each) for each in android.sha256_cert_fingerprints) if android else ()
    return (*settings.web_origins, *hashes)


def _apk_key_hash(fingerprint: str) -> str:
    """Return the origin that Android gives an app: the certificate's SHA-256 in base64url."""
    return f"android:apk-key-hash:{base64url.encode(bytes.fromhex(fingerprint.replace(':', '')))}"
