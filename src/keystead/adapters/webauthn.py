"""WebAuthn ceremonies: options out, verified facts back. Values in, values out; no I/O, no state.

Meant to be read beside WebAuthn Level 3 §7.1 (registering a credential) and §7.2 (verifying an assertion). What both
demand stands in ``SHARED_STEPS``; what only one demands is a line of ``verify_registration`` or ``verify_assertion``.
py_webauthn comes last and checks signatures; everything that it reads kindly or does not look at has been settled
before it is asked, for statements of attestation in ``adapters/attestation``. Whatever a response holds, only
``CeremonyRefused`` comes of it.

Not here, because they need the database: consuming the challenge (§7.1 step 1), who vouches for an authenticator (steps
23 and 24), a credential id that exists already (step 26), storing (step 27), and what a signature counter means (§7.2
steps 22 and 24).
"""

import hashlib
import hmac
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, NamedTuple
from uuid import UUID

from webauthn import verify_authentication_response, verify_registration_response
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.structs import (
    AuthenticationCredential,
    AuthenticatorAssertionResponse,
    AuthenticatorAttestationResponse,
    RegistrationCredential,
)

from keystead.adapters.attestation import by_library, check_statement
from keystead.adapters.client_response import (
    AUTHENTICATION,
    REGISTRATION,
    AttestationResponse,
    AttestedCredential,
    AuthenticatorData,
    Flag,
    Procedure,
    check_public_key,
    parse_assertion,
    parse_attestation,
    read_attestation_object,
    read_authenticator_data,
    read_client_data,
)
from keystead.errors import CeremonyRefused, WrongSignature
from keystead.rules import base64url
from keystead.rules.ceremonies import Assertion, AssertionResponse, Ceremony, KnownPasskey, NewPasskey
from keystead.rules.passkey_terms import PasskeyPolicy

__all__ = ["creation_options", "parse_assertion", "request_options", "verify_assertion", "verify_registration"]

CREDENTIAL_ID_BYTES: Final = 1023


# --- options -----------------------------------------------------------------------------------------------------


def creation_options(
    ceremony: Ceremony,
    *,
    rp_name: str,
    user_name: str,
    user_display_name: str,
    policy: PasskeyPolicy,
    exclude: Iterable[tuple[bytes, Sequence[str]]] = (),
) -> dict[str, object]:
    """Return ``PublicKeyCredentialCreationOptionsJSON`` as it goes over the wire (PK-22).

    ``policy`` is what the browser is only told; what it is held to stands in the ceremony. ``exclude`` are the
    credential ids that the person has already, each with its transports.
    """
    selection: dict[str, str] = {"residentKey": "required", "userVerification": ceremony.asked_verification}
    if ceremony.asked_attachment != "any":
        selection["authenticatorAttachment"] = ceremony.asked_attachment.replace("_", "-")
    options: dict[str, object] = {
        "challenge": ceremony.challenge,
        "timeout": policy.timeout_ms,
        "rp": {"id": ceremony.rp_id, "name": rp_name},
        "pubKeyCredParams": [{"type": "public-key", "alg": algorithm} for algorithm in ceremony.offered],
        "authenticatorSelection": selection,
        "user": {"id": ceremony.user_handle, "name": user_name, "displayName": user_display_name},
    }
    if ceremony.attestation != "none":
        options["attestation"] = ceremony.attestation
    if policy.hints:
        options["hints"] = list(policy.hints)
    excluded = [_descriptor(credential_id, transports) for credential_id, transports in exclude]
    return {**options, "excludeCredentials": excluded} if excluded else options


def request_options(ceremony: Ceremony, *, policy: PasskeyPolicy) -> dict[str, object]:
    """Return ``PublicKeyCredentialRequestOptionsJSON``: nobody is named, any passkey of ours may answer (PK-26)."""
    options: dict[str, object] = {
        "challenge": ceremony.challenge,
        "timeout": policy.timeout_ms,
        "rpId": ceremony.rp_id,
        "userVerification": ceremony.asked_verification,
    }
    return {**options, "hints": list(policy.hints)} if policy.hints else options


def _descriptor(credential_id: bytes, transports: Sequence[str]) -> dict[str, object]:
    descriptor: dict[str, object] = {"id": base64url.encode(credential_id), "type": "public-key"}
    return {**descriptor, "transports": list(transports)} if transports else descriptor


# --- what both procedures demand ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Claim:
    """What the shared steps look at: our own record of the ceremony, and what browser and authenticator say of it."""

    ceremony: Ceremony
    procedure: Procedure
    client: Mapping[str, object]
    authenticator: AuthenticatorData


def _of_this_kind(claim: Claim) -> bool:
    """Without it, a signature made for one purpose would serve another."""
    return claim.client.get("type") == claim.procedure.client_data_type


def _answers_our_challenge(claim: Claim) -> bool:
    """Compared as text: decoding first would let several spellings of one challenge pass."""
    shown = claim.client.get("challenge")
    return isinstance(shown, str) and hmac.compare_digest(
        shown.encode("utf-8", "surrogatepass"), claim.ceremony.challenge.encode()
    )


def _from_our_origin(claim: Claim) -> bool:
    """The phishing check: a look-alike page has another origin."""
    return claim.client.get("origin") in claim.ceremony.origins


def _not_framed(claim: Claim) -> bool:
    """A ceremony inside somebody else's page can be a trick of clicks."""
    return claim.client.get("crossOrigin", False) is False


def _no_page_around(claim: Claim) -> bool:
    """The same, by the name of the page around."""
    return "topOrigin" not in claim.client


def _for_our_relying_party(claim: Claim) -> bool:
    """The authenticator's own word on whom it answered."""
    expected = hashlib.sha256(claim.ceremony.rp_id.encode()).digest()
    return hmac.compare_digest(claim.authenticator.rp_id_hash, expected)


def _somebody_was_there(claim: Claim) -> bool:
    """§7.1 step 15 excepts conditional creation: as the ceremony was begun, whatever the response says it is."""
    return Flag.UP in claim.authenticator.flags or not claim.ceremony.needs_presence


def _verified_if_required(claim: Claim) -> bool:
    """As the ceremony was begun, not as today's policy or the response would have it."""
    return Flag.UV in claim.authenticator.flags or claim.ceremony.asked_verification != "required"


def _backup_flags_agree(claim: Claim) -> bool:
    """What cannot be backed up is not backed up."""
    return Flag.BE in claim.authenticator.flags or Flag.BS not in claim.authenticator.flags


class Step(NamedTuple):
    """One demand, and its number in either procedure."""

    registration: int
    authentication: int
    holds: Callable[[Claim], bool]
    complaint: str

    def number_in(self, procedure: Procedure) -> int:
        """Return the number that the procedure gives it."""
        return self.registration if procedure is REGISTRATION else self.authentication


SHARED_STEPS: Final = (
    # §7.1, §7.2
    Step(7, 10, _of_this_kind, "the client data is of another kind of ceremony"),
    Step(8, 11, _answers_our_challenge, "the challenge is not the one that was handed out"),
    Step(9, 12, _from_our_origin, "the origin is not one that the ceremony allows"),
    Step(10, 13, _not_framed, "crossOrigin is not false"),
    Step(11, 14, _no_page_around, "there is a topOrigin"),
    Step(14, 15, _for_our_relying_party, "the answer is for another relying party"),
    Step(15, 16, _somebody_was_there, "nobody was present"),
    Step(16, 17, _verified_if_required, "the user was not verified"),
    Step(17, 18, _backup_flags_agree, "backed up without being eligible for it"),
)


def _check_shared_steps(claim: Claim) -> None:
    for step in SHARED_STEPS:
        if not step.holds(claim):
            raise claim.procedure.refusal(step.number_in(claim.procedure), step.complaint)


# --- §7.1 --------------------------------------------------------------------------------------------------------


def verify_registration(ceremony: Ceremony, response: object) -> NewPasskey:
    """Verify the answer to ``navigator.credentials.create()`` and return the passkey that it made (§7.1).

    ``response`` is the decoded JSON of ``PublicKeyCredential.toJSON()``. An attestation statement must be right in
    itself. Nothing has said yet who made it, so that no chain is trusted, and the AAGUID is a hint.
    Raises ``CeremonyRefused``.
    """
    if not ceremony.is_registration:
        raise REGISTRATION.refusal(1, "the ceremony was begun as a login")
    answer = parse_attestation(response)
    client = read_client_data(answer.client_data, REGISTRATION)
    attestation = read_attestation_object(answer.attestation_object)
    authenticator, credential = attestation.authenticator, attestation.credential
    _check_shared_steps(Claim(ceremony, REGISTRATION, client, authenticator))
    algorithm = check_public_key(credential.cose, ceremony.offered)
    certificates = check_statement(attestation, answer.client_data)
    _check_credential_id(credential, answer)
    if by_library(attestation.format):
        _check_with_library(ceremony, answer, algorithm)
    return NewPasskey(
        credential_id=credential.id,
        public_key=credential.public_key,
        algorithm=algorithm,
        sign_count=authenticator.sign_count,
        aaguid=str(UUID(bytes=credential.aaguid)),
        transports=answer.transports,
        backup_eligible=Flag.BE in authenticator.flags,
        backed_up=Flag.BS in authenticator.flags,
        user_verified=Flag.UV in authenticator.flags,
        attestation_format=attestation.format,
        trust="none" if attestation.format == "none" else "untrusted_chain" if certificates else "self",
        certificates=certificates,
        attachment=answer.attachment,
    )


def _check_credential_id(credential: AttestedCredential, answer: AttestationResponse) -> None:
    """§7.1 steps 25 and 27: the one id is the one inside the authenticator data, and the browser says the same."""
    if not 1 <= len(credential.id) <= CREDENTIAL_ID_BYTES:
        raise REGISTRATION.refusal(25, f"a credential id of {len(credential.id)} bytes")
    if credential.id != answer.credential_id:
        raise REGISTRATION.refusal(27, "id and the credential id in the authenticator data differ")


def _check_with_library(ceremony: Ceremony, answer: AttestationResponse, algorithm: int) -> None:
    """§7.1 step 22. The library is told of no roots: it would believe one for every model of its format."""
    with REGISTRATION.step(22):
        verify_registration_response(
            credential=RegistrationCredential(
                id=base64url.encode(answer.credential_id),
                raw_id=answer.credential_id,
                response=AuthenticatorAttestationResponse(
                    client_data_json=answer.client_data, attestation_object=answer.attestation_object
                ),
            ),
            expected_challenge=base64url.decode(ceremony.challenge),
            expected_rp_id=ceremony.rp_id,
            expected_origin=list(ceremony.origins),
            require_user_presence=ceremony.needs_presence,
            require_user_verification=ceremony.asked_verification == "required",
            supported_pub_key_algs=[COSEAlgorithmIdentifier(algorithm)],
        )


# --- §7.2 --------------------------------------------------------------------------------------------------------


def verify_assertion(ceremony: Ceremony, answer: AssertionResponse, known: KnownPasskey) -> Assertion:
    """Verify the answer to ``navigator.credentials.get()`` with the passkey that was looked up for it (§7.2).

    The signature counter is reported as it came; what it means is policy. Raises ``CeremonyRefused``, of which
    ``WrongSignature`` where everything else is right.
    """
    if ceremony.is_registration:
        raise AUTHENTICATION.refusal(1, "the ceremony was begun as a registration")
    _check_owner(answer, known)
    client = read_client_data(answer.client_data, AUTHENTICATION)
    authenticator = read_authenticator_data(answer.authenticator_data, AUTHENTICATION)
    _check_shared_steps(Claim(ceremony, AUTHENTICATION, client, authenticator))
    if (Flag.BE in authenticator.flags) != known.backup_eligible:
        raise AUTHENTICATION.refusal(19, "backup eligibility changed since the registration")
    _check_signature(ceremony, answer, known)
    return Assertion(
        sign_count=authenticator.sign_count,
        backed_up=Flag.BS in authenticator.flags,
        user_verified=Flag.UV in authenticator.flags,
        attachment=answer.attachment,
    )


def _check_owner(answer: AssertionResponse, known: KnownPasskey) -> None:
    """§7.2 step 6: the key that will verify is the key that was named, and it is the named person's."""
    if not hmac.compare_digest(answer.credential_id, known.credential_id):
        raise AUTHENTICATION.refusal(6, "another passkey than the one that answered")
    if not hmac.compare_digest(answer.user_handle, known.user_handle):
        raise AUTHENTICATION.refusal(6, "the userHandle is not that of the passkey's owner")


@contextmanager
def _signature() -> Iterator[None]:
    """Say of whatever is refused inside that it is the key that was not shown: that alone is a guess."""
    try:
        yield
    except CeremonyRefused as refusal:
        raise WrongSignature(detail=refusal.detail) from refusal


def _check_signature(ceremony: Ceremony, answer: AssertionResponse, known: KnownPasskey) -> None:
    """§7.2 steps 20 and 21. The library would judge the counter before the signature, so it is told of none."""
    with _signature(), AUTHENTICATION.step(21):
        verify_authentication_response(
            credential=AuthenticationCredential(
                id=base64url.encode(answer.credential_id),
                raw_id=answer.credential_id,
                response=AuthenticatorAssertionResponse(
                    client_data_json=answer.client_data,
                    authenticator_data=answer.authenticator_data,
                    signature=answer.signature,
                ),
            ),
            expected_challenge=base64url.decode(ceremony.challenge),
            expected_rp_id=ceremony.rp_id,
            expected_origin=list(ceremony.origins),
            credential_public_key=known.public_key,
            credential_current_sign_count=0,
            require_user_verification=ceremony.asked_verification == "required",
        )
