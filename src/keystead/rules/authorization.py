"""What a client asks for at ``/authorize``: read out of a request, and held against what that client may ask for."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from keystead.rules.clients import CODE, ClientSettings
from keystead.rules.oauth import LOOPBACK, challenge_ok, host_of, origin_of, scopes
from keystead.rules.own_clients import COMMAND_LINE

ResponseMode = Literal["query", "form_post", "web_message", "page"]
"""How the answer travels. ``page`` is our own: a login that leads to a page of ours and gives nobody a code."""

RESPONSE_MODES: Final = ("query", "form_post", "web_message")
"""What a client may ask for."""

PROMPTS: Final = ("none", "login", "consent", "select_account")
ACR_VALUES: Final = ("phr", "pwd")
"""How sure we are of somebody, best first: phishing-resistant (a passkey), or a password (OpenID EAP ACR values)."""

REQUEST_URI: Final = "urn:ietf:params:oauth:request_uri:"
"""What a pushed request's name begins with (RFC 9126 §2.2)."""

Ask = Literal["none", "consent", "confirmation"]
"""What a person is still asked before the client gets its code."""

_PASSED_ON: Final = (
    *("audience", "nonce", "login_hint", "screen_hint", "connection", "ui_locales", "acr_values", "id_token_hint"),
)
PARAMETERS: Final = (
    *("redirect_uri", "response_type", "response_mode", "scope", "state", "code_challenge", "code_challenge_method"),
    *("prompt", "max_age", "request", *_PASSED_ON),
)
"""What a request is made of; whatever else there is, is ignored."""


class AuthorizationRequest(BaseModel):
    """An authorization request, read; ``state`` and ``nonce`` are the client's own and go back untouched."""

    model_config = ConfigDict(frozen=True)

    client_id: str
    redirect_uri: str
    response_mode: ResponseMode = "query"
    scope: str = ""
    audience: str = ""
    state: str | None = None
    nonce: str | None = None
    code_challenge: str = ""
    prompt: str = ""
    max_age: int | None = None
    login_hint: str = ""
    screen_hint: str = ""
    connection: str = ""
    ui_locales: str = ""
    acr_values: str = ""
    id_token_hint: str = ""
    asks_consent: bool = False
    """Whether the API wants people's consent for first-party clients too."""

    @property
    def by_message(self) -> bool:
        """Whether the answer goes from window to window."""
        return self.response_mode == "web_message"

    @property
    def prompts(self) -> frozenset[str]:
        """The values of ``prompt``."""
        return frozenset(self.prompt.split())


class Problem(NamedTuple):
    """What is wrong with a request, in the words of RFC 6749 §4.1.2.1: a code and a text."""

    error: str
    description: str


def read(parameters: Mapping[str, str], redirect_uri: str) -> AuthorizationRequest:
    """Return a request as far as it can be read; ``problem`` says what cannot."""
    max_age, mode = parameters.get("max_age", ""), parameters.get("response_mode", "query")
    passed_on = {name: parameters[name] for name in _PASSED_ON if name in parameters}
    return AuthorizationRequest.model_validate(
        {
            "client_id": parameters["client_id"],
            "redirect_uri": redirect_uri,
            "response_mode": mode if mode in RESPONSE_MODES else "query",
            "scope": " ".join(scopes(parameters.get("scope", "")) or ()),
            "state": parameters.get("state"),
            "code_challenge": parameters.get("code_challenge", ""),
            "prompt": parameters.get("prompt", ""),
            "max_age": int(max_age) if max_age.isascii() and max_age.isdigit() and len(max_age) < 10 else None,
            **passed_on,
        }
    )


def problem(parameters: Mapping[str, str], request: AuthorizationRequest, settings: ClientSettings) -> Problem | None:
    """Return the first thing that is wrong with a request whose client and redirect URI are good."""
    return _unsupported(parameters, settings) or _badly_put(parameters, request, settings)


def _unsupported(parameters: Mapping[str, str], settings: ClientSettings) -> Problem | None:
    found = (
        (
            CODE not in settings.grant_types,
            Problem("unauthorized_client", "Grant type 'authorization_code' not allowed for the client."),
        ),
        ("request" in parameters, Problem("request_not_supported", "Request objects are not supported")),
        (
            parameters.get("response_type") != "code",
            Problem("unsupported_response_type", "Only the response type 'code' is supported"),
        ),
        (
            parameters.get("response_mode", "query") not in RESPONSE_MODES,
            Problem("invalid_request", f"The response mode must be one of {', '.join(RESPONSE_MODES)}"),
        ),
    )
    return next((each for wrong, each in found if wrong), None)


def _badly_put(
    parameters: Mapping[str, str], request: AuthorizationRequest, settings: ClientSettings
) -> Problem | None:
    challenge, method = request.code_challenge, parameters.get("code_challenge_method")
    found = (
        (
            not challenge and settings.is_public,
            Problem("invalid_request", "Missing required parameter: code_challenge"),
        ),
        (
            bool(challenge) and not (method == "S256" and challenge_ok(challenge)),
            Problem("invalid_request", "code_challenge_method must be S256"),
        ),
        (
            # A method without a challenge is what is left when somebody strips PKCE from a request (RFC 9700 §4.8.2).
            not challenge and method is not None,
            Problem("invalid_request", "Missing required parameter: code_challenge"),
        ),
        (
            bool(parameters.get("max_age")) and request.max_age is None,
            Problem("invalid_request", "max_age must be a number of seconds"),
        ),
        (not request.prompts <= set(PROMPTS), Problem("invalid_request", "Unknown prompt")),
        (
            "none" in request.prompts and len(request.prompts) > 1,
            Problem("invalid_request", "prompt=none cannot be combined with another prompt"),
        ),
        (scopes(parameters.get("scope", "")) is None, Problem("invalid_scope", "Malformed scope")),
    )
    return next((each for wrong, each in found if wrong), None)


def frames_allowed(request: AuthorizationRequest, settings: ClientSettings) -> bool:
    """Whether the page at the redirect URI may get the answer: its origin must be the client's (RFC 9700 §4.17)."""
    return origin_of(request.redirect_uri) in settings.web_origins


def fresh_enough(request: AuthorizationRequest, method: str, authenticated_at: datetime, now: datetime) -> bool:
    """Whether a login from before will do for a request, by its prompt, its ``max_age`` and its ``acr_values``."""
    if request.prompts & {"login", "select_account"} or request.screen_hint == "signup":
        return False
    if request.max_age is not None and now - authenticated_at >= timedelta(seconds=request.max_age):
        return False
    wanted = [each for each in request.acr_values.split() if each in ACR_VALUES]
    return not wanted or method in wanted or method == ACR_VALUES[0]


def needs_consent(settings: ClientSettings, *, asked_by_api: bool) -> bool:
    """Whether people must have allowed a client its scopes: one of a third party, or where the API says so."""
    return asked_by_api or not settings.is_first_party


def covers(allowed: frozenset[str] | None, scope: Iterable[str]) -> bool:
    """Whether what a person consented to holds a scope; ``None`` is of somebody who was never asked.

    To ask for no scope needs a yes too: a code says who somebody is, which is all that a tracker wants.
    """
    return allowed is not None and set(scope) <= allowed


def to_ask(
    request: AuthorizationRequest, settings: ClientSettings, allowed: frozenset[str] | None, public_url: str
) -> Ask:
    """Return what a person is asked before the client gets a code; ``allowed`` is what they consented to before.

    Third-party clients need consent to every scope (ASVS 10.7.1). A redirect to another program on the person's own
    device can be anybody's (RFC 8252 §8.6), so it is confirmed (UL-17), unless we are on that device ourselves. What an
    administrator's command line would get is confirmed there too, each time: another program could be an owner with it.
    """
    lacking = needs_consent(settings, asked_by_api=request.asks_consent) and not covers(allowed, request.scope.split())
    if lacking or "consent" in request.prompts:
        return "consent"
    if settings.skip_non_verifiable_callback_uri_confirmation_prompt or not _unverifiable(request, public_url):
        return "none"
    return "confirmation"


def _unverifiable(request: AuthorizationRequest, public_url: str) -> bool:
    """Whether a redirect URI leads to whatever program of a device claims it, rather than to a host with a name."""
    if request.response_mode == "page":
        return False
    if host_of(public_url) in LOOPBACK:
        return request.client_id == COMMAND_LINE
    return not request.redirect_uri.startswith(("https://", "http://")) or host_of(request.redirect_uri) in LOOPBACK
