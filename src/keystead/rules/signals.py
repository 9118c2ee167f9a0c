"""What a browser is told so that the passkeys it keeps agree with the account (Signal API, WebAuthn Level 3 §5.1.10).

Every signal is of how things stand, never of a step from before to after, so that it can be said again, late, or to a
browser that missed the last ones. A signal is about one RP id; somebody may have passkeys under several.

``unknownCredential`` may delete for good what it names, so it is for a credential id that no account has, in any
connection. ``allAcceptedCredentials`` lists all that an account has, whatever a policy or a quarantine makes of it
today: not every provider brings back what it was told to leave out. Only a blocked account lists nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from keystead.rules import base64url

SignalType = Literal["unknownCredential", "allAcceptedCredentials", "currentUserDetails"]


@dataclass(frozen=True, slots=True)
class Signal:
    """One call of ``PublicKeyCredential.signal…()``: which, and with what. Octets are base64url, as it takes them."""

    type: SignalType
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Holder:
    """An account as far as signals speak of it."""

    handle: bytes
    name: str
    display_name: str
    passkeys: Mapping[str, tuple[bytes, ...]]
    """Credential ids by RP id; one without any is there too, or nothing would be said of it."""
    blocked: bool = False


def unknown(rp_id: str, credential_id: str) -> tuple[Signal, ...]:
    """Return what is said after a login with a passkey that nobody owns; the credential id is base64url."""
    return (Signal("unknownCredential", {"rpId": rp_id, "credentialId": credential_id}),)


def of_owner(holder: Holder) -> tuple[Signal, ...]:
    """Return what is said to whoever is signed in: what is accepted, and what the account is called now."""
    user_id = base64url.encode(holder.handle)
    named = {"userId": user_id, "name": holder.name, "displayName": holder.display_name}
    return (
        *of_passkey(holder),
        *(Signal("currentUserDetails", {"rpId": rp_id, **named}) for rp_id in holder.passkeys),
    )


def of_passkey(holder: Holder) -> tuple[Signal, ...]:
    """Return what is said where a passkey has shown whose it is and nobody is signed in: no name, no address.

    Nothing of a blocked account is accepted: its passkeys are no longer offered, until it is not blocked any more.
    """
    user_id = base64url.encode(holder.handle)
    return tuple(
        Signal(
            "allAcceptedCredentials",
            {
                "rpId": rp_id,
                "userId": user_id,
                "allAcceptedCredentialIds": [] if holder.blocked else [base64url.encode(each) for each in known],
            },
        )
        for rp_id, known in holder.passkeys.items()
    )
