"""The texts of the hosted pages that a tenant may replace, by Auth0's names for prompts, screens and texts.

What pages say about refusals is not among them: it is made of the policy that refused, and must stay true.
"""

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from keystead.errors import BadRequest, InvalidPath
from keystead.rules.complaints import type_of
from keystead.rules.letter_texts import LANGUAGES

Texts = Mapping[str, Mapping[str, str]]
"""Texts by screen and key."""

LONGEST: Final = 500
PAGE_TITLE: Final = "pageTitle"
"""What the browser's tab says; without one, the heading and the client."""

VARIABLES: Final = ("clientName", "companyName")
"""What a text may put in as ``${clientName}``: the application that is signed in to, and the tenant's name."""

PIECES: Final = re.compile(r"\$\{([^}]*)\}")
"""Splits a text into pieces and the names of variables, in turn."""

_TO: Final = "to continue to ${clientName}"
_CODE_SENT: Final = (
    "If there is an account with these details, we have sent a message with a code. It may take a minute."
)
_WHAT_IT_IS: Final = (
    "A passkey signs you in with your fingerprint, face or screen lock instead of a password. "
    "It cannot be guessed, and a fake site cannot use it."
)
_HERE_TOO: Final = (
    "You signed in with a passkey from another device. "
    "Create one here too, and you will not need the other device for this."
)
_LOCKED: Final = "Wrong passwords were tried too often, so sign-in is blocked. Unblock it to sign in with this browser."
_CHALLENGE: Final = {
    "title": "Enter the code",
    "buttonText": "Continue",
    "resendActionText": "Send another code",
    "backText": "Use other details",
}

PROMPTS: Final[Mapping[str, Texts]] = {
    "login-id": {
        "login-id": {
            "title": "Sign in",
            "description": _TO,
            "buttonText": "Continue",
            "separatorText": "or",
            "passkeyButtonText": "Sign in with a passkey",
            "forgotPasswordText": "Can’t sign in?",  # noqa: RUF001 - an apostrophe
            "signupActionText": "New here?",
            "signupActionLinkText": "Create an account",
        }
    },
    "login-password": {
        "login-password": {
            "title": "Enter your password",
            "description": _TO,
            "passwordPlaceholder": "Password",
            "buttonText": "Sign in",
            "separatorText": "or",
            "passkeyButtonText": "Sign in with a passkey",
            "forgotPasswordText": "Forgot your password?",
        }
    },
    "signup-id": {
        "signup-id": {
            "title": "Create your account",
            "description": _TO,
            "buttonText": "Continue",
            "loginActionText": "Already have an account?",
            "loginActionLinkText": "Sign in",
        }
    },
    "signup-password": {
        "signup-password": {
            "title": "Choose a password",
            "description": _TO,
            "passwordPlaceholder": "Password",
            "buttonText": "Create account",
        }
    },
    "passkeys": {
        "passkey-enrollment": {
            "title": "Create a passkey",
            "description": _WHAT_IT_IS,
            "createButtonText": "Create a passkey",
            "continueButtonText": "Continue without a passkey",
        },
        "passkey-enrollment-local": {
            "title": "Use this device next time",
            "description": _HERE_TOO,
            "createButtonText": "Create a passkey",
            "continueButtonText": "Not now",
        },
    },
    "email-identifier-challenge": {"email-identifier-challenge": _CHALLENGE},
    "phone-identifier-challenge": {"phone-identifier-challenge": _CHALLENGE},
    "reset-password": {
        "reset-password-request": {
            "title": "Forgot your password?",
            "description": "Tell us who you are, and we will send you a way to choose a new one.",
            "usernamePlaceholder": "Account",
            "buttonText": "Send the message",
            "backToLoginLinkText": "Back to sign-in",
        },
        "reset-password-code": {"title": "Enter the code", "description": _CODE_SENT, "buttonText": "Continue"},
        "reset-password": {
            "title": "Choose a new password",
            "passwordPlaceholder": "Password",
            "buttonText": "Set the password",
        },
        "reset-password-success": {
            "eventTitle": "Your password is changed",
            "description": "Sign in with it from now on. The link has been used up.",
        },
    },
    "email-verification": {
        "email-verification-result": {
            "verifiedTitle": "Thank you, that is confirmed",
            "verifiedDescription": "You can close this page and go on where you were.",
        }
    },
    "brute-force-protection": {
        "brute-force-protection-unblock": {
            "title": "Unblock your account?",
            "description": _LOCKED,
            "buttonText": "Unblock my account",
        },
        "brute-force-protection-unblock-success": {
            "title": "Your account is unblocked",
            "description": "You can sign in with this browser now. Your password is the one that you had.",
        },
    },
    "logout": {
        "logout": {"title": "Sign out?", "buttonText": "Sign out"},
        "logout-complete": {
            "title": "You are signed out",
            "description": "Your session here has ended. Applications that you used may keep a session of their own.",
        },
    },
}
"""What pages say where the tenant says nothing."""

SCREENS: Final[Texts] = {screen: texts for prompt in PROMPTS.values() for screen, texts in prompt.items()}

_PROMPTS: Final = (
    "login login-passwordless login-email-verification signup phone-identifier-enrollment custom-form consent "
    "customized-consent mfa-push mfa-otp mfa-voice mfa-phone mfa-webauthn mfa-sms mfa-email mfa-recovery-code "
    "mfa status device-flow email-otp-challenge organizations invitation common captcha async-approval-flow "
    "confirmation"
)
_LOCALES: Final = (
    "am ar ar-EG ar-SA az bg bn bs ca-ES cnr cs cy da de el en en-CA es es-419 es-AR es-MX et eu-ES fa fi fr "
    "fr-CA fr-FR gl-ES gu he hi hr hu hy id is it ja ka kk kn ko lt lv mk ml mn mr ms my nb nl nn no pa pl pt "
    "pt-BR pt-PT ro ru sk sl so sq sr sv sw ta te th tl tr uk ur vi zgh zh-CN zh-HK zh-MO zh-TW"
)
_ELSEWHERE: Final = frozenset(_PROMPTS.split())
"""Prompts of Auth0 that have no page here, or none with texts to replace."""
_LANGUAGES: Final = frozenset(_LOCALES.split())


class Place(NamedTuple):
    """Which texts are meant: of a prompt, in a language."""

    prompt: str
    language: str

    @property
    def setting(self) -> str:
        """Under which name they are stored."""
        return f"custom_text/{self.prompt}/{self.language}"

    @property
    def has_page(self) -> bool:
        """Whether anybody would ever see them."""
        return self.prompt in PROMPTS and self.language in LANGUAGES


PLACES: Final = tuple(Place(prompt, language) for prompt in PROMPTS for language in LANGUAGES)
"""Everywhere that there may be texts."""


def place(prompt: str, language: str) -> Place:
    """Return a place that there is here or at Auth0. Raises ``InvalidPath``."""
    if prompt not in PROMPTS and prompt not in _ELSEWHERE:
        raise InvalidPath(f"No enum match for: {prompt[:100]}", path="prompt")
    if language not in _LANGUAGES:
        raise InvalidPath(f"No enum match for: {language[:100]}", path="language")
    return Place(prompt, language)


def read(at: Place, body: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Return the texts of a PUT. Raises ``InvalidPath`` where no page would show them, ``BadRequest`` by path."""
    if body and at.prompt not in PROMPTS:
        raise InvalidPath(f"There is no page with texts of {at.prompt}", path="prompt")
    if body and at.language not in LANGUAGES:
        raise InvalidPath(f"Pages are shown in {' and '.join(LANGUAGES)} alone", path="language")
    return {screen: _screen(at.prompt, screen, texts) for screen, texts in body.items()}


def _screen(prompt: str, screen: str, texts: object) -> dict[str, str]:
    known = PROMPTS[prompt].get(screen)
    if known is None:
        raise BadRequest(f"Additional properties not allowed: {screen[:100]}", path="")
    if not isinstance(texts, dict):
        raise BadRequest(f"Expected type object but found type {type_of(texts)}", path=screen)
    for key, text in texts.items():
        if key not in known and key != PAGE_TITLE:
            raise BadRequest(f"Additional properties not allowed: {key[:100]}", path=screen)
        _check(text, f"{screen}.{key}")
    return dict(texts)


def _check(text: object, path: str) -> None:
    if not isinstance(text, str):
        raise BadRequest(f"Expected type string but found type {type_of(text)}", path=path)
    if not 1 <= len(text) <= LONGEST:
        limit = f"long ({len(text)} chars), maximum {LONGEST}" if text else "short (0 chars), minimum 1"
        raise BadRequest(f"String is too {limit}", path=path)
    if not text.isprintable():
        raise BadRequest("Texts are one line, of characters that can be seen", path=path)
    unknown = next((name for name in PIECES.findall(text) if name not in VARIABLES), None)
    if unknown is not None:
        raise BadRequest(f"There is no variable ${{{unknown[:100]}}}", path=path)
