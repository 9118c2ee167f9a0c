"""Claims that nobody proved: incidents 1 and 7 of what went wrong elsewhere, tried at the doors of the APIs.

CVE-2026-6856 and CVE-2025-12150: a rule that names a model was satisfied by whoever wrote its AAGUID down, attested by
themselves, or below an authority that the whole system trusts. GHSA-6hxq-p678-4hr2: a chain that brought its own root.
"""

import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import pytest

from account import MyAccount
from attestation import APPLE, NIL, Maker, Service, entry
from authenticator import AAGUID, ES256, Attester, Authenticator
from keystead.db import tables
from program import SECONDS, environment
from world import PUBLIC_URL, World

MAKER, STRANGER, SERVICE = Maker(), Maker("Somebody's authority"), Service()
NAMESAKE = Maker(MAKER.name)
BELOW_A_LEAF = Maker("Authenticator", MAKER.batch)
"""Who has an authenticator of the maker's, and signs certificates with its attestation key."""

MODEL: Final = str(UUID(bytes=AAGUID))
OTHER: Final = bytes.fromhex("00112233445566778899aabbccddeeff")
L1: Final = ("FIDO_CERTIFIED_L1", "2024-01-01")
ENDED: Final = datetime(2025, 1, 1, tzinfo=UTC)
NOT_ALLOWED: Final = "Passkeys of this kind are not allowed here."
NOT_VERIFIED: Final = "Passkey could not be verified."


@dataclass(frozen=True)
class Claim:
    """A device that says that it is of a model."""

    attester: Attester | None = None
    packed: bool = False
    aaguid: bytes = AAGUID
    answer: str = NOT_ALLOWED
    """What it is told: that the policy does not want it, or that its statement is wrong in itself."""

    def device(self) -> Authenticator:
        """Return it."""
        attestation: Any = "packed" if self.packed else "none"
        return Authenticator((ES256,), attestation, self.attester, self.aaguid)


CLAIMS = {
    "no attestation": Claim(),
    "self attestation": Claim(packed=True),
    "a chain that nobody knows": Claim(STRANGER.packed()),
    "a chain with its own root": Claim(STRANGER.packed([STRANGER.leaf(), STRANGER.certificate])),
    "a root of the maker's name": Claim(NAMESAKE.packed([NAMESAKE.leaf(), NAMESAKE.certificate])),
    "the maker's certificates behind somebody's": Claim(
        STRANGER.packed([STRANGER.leaf(), STRANGER.certificate, MAKER.leaf(), MAKER.certificate])
    ),
    "a certificate by an attestation key": Claim(
        BELOW_A_LEAF.packed([BELOW_A_LEAF.leaf(), MAKER.leaf(), MAKER.certificate])
    ),
    "an expired certificate": Claim(MAKER.packed([MAKER.leaf(end=ENDED)])),
    "a TPM of another maker's": Claim(STRANGER.tpm()),
    "an Android key of another maker's": Claim(STRANGER.android()),
    "an Apple statement of another maker's": Claim(STRANGER.apple()),
    "a certificate of another model": Claim(MAKER.packed([MAKER.leaf(OTHER)]), answer=NOT_VERIFIED),
    "an authority as a leaf": Claim(MAKER.packed([MAKER.leaf(authority=True)]), answer=NOT_VERIFIED),
    "the maker's certificate and another's signature": Claim(STRANGER.packed([MAKER.leaf()]), answer=NOT_VERIFIED),
    "U2F, which signs no AAGUID": Claim(MAKER.u2f(), answer=NOT_VERIFIED),
    "another model of the same maker's": Claim(MAKER.packed([MAKER.leaf(OTHER)]), aaguid=OTHER),
    "Apple's AAGUID": Claim(MAKER.packed([MAKER.leaf(APPLE)]), aaguid=APPLE),
    "no AAGUID": Claim(MAKER.packed([MAKER.leaf(None)]), aaguid=NIL),
}
each_claim = pytest.mark.parametrize("claim", CLAIMS.values(), ids=CLAIMS)


async def allow(world: World, trust: str = "trusted_chain", **policy: Any) -> None:
    """Let nothing in but the model, known that well."""
    rules = {"allow": [{"aaguid": MODEL, "trust": trust}]}
    answer = await world.patch_options(passkey_policy={"attestation": "direct", "authenticators": rules} | policy)
    assert answer.status_code == 200, answer.text


async def sign_up(world: World, device: Authenticator, email: str = "eve@example.com") -> str:
    """Try to sign up with a passkey; return what the answer says, empty for a yes."""
    begun = (await world.begin_register(email)).json()
    response = device.create(begun["authn_params_public_key"], origin=PUBLIC_URL)
    answer = await world.exchange(begun["auth_session"], response)
    return "" if answer.status_code == 200 else str(answer.json()["error_description"])


async def enrol(world: World, device: Authenticator) -> bool:
    """Try to add a passkey to an account; return whether it is there."""
    await world.person("ann@example.com")
    account = await MyAccount.of(world)
    begun = await account.begin()
    response = device.create(begun["authn_params_public_key"], origin=PUBLIC_URL)
    answer = await account.verify(begun, response)
    assert answer.status_code in (201, 400), answer.text
    return answer.status_code == 201


@each_claim
async def test_incident_1_a_claim_opens_no_door_to_an_allowed_model(world: World, claim: Claim) -> None:
    await SERVICE.brings(world, entry(AAGUID, MAKER, statuses=[L1]), entry(OTHER, MAKER, statuses=[L1]))
    await allow(world)
    before = await world.counts()
    assert await sign_up(world, claim.device()) == claim.answer
    assert await world.counts() == before
    assert not await enrol(world, claim.device())
    assert await world.count(tables.Passkey) == 0


async def test_proof_opens_the_doors(world: World) -> None:
    await SERVICE.brings(world, entry(AAGUID, MAKER, statuses=[L1]), entry(OTHER, MAKER, statuses=[L1]))
    await allow(world, "certified_L1")
    device = Claim(MAKER.packed()).device()
    assert await sign_up(world, device) == ""
    assert await enrol(world, Claim(MAKER.packed([MAKER.leaf(), MAKER.certificate])).device())
    assert (await world.passkey_login(device)).status_code == 200


@pytest.mark.parametrize("metadata", ["none", "of others", "without a root", "stale"])
async def test_without_metadata_of_the_model_there_is_no_proof(world: World, metadata: str) -> None:
    if metadata == "of others":
        await SERVICE.brings(world, entry(OTHER, MAKER))
    elif metadata == "without a root":
        await SERVICE.brings(world, entry(AAGUID))
    elif metadata == "stale":
        await SERVICE.brings(world, entry(AAGUID, MAKER), next_update="2026-01-01")
    await allow(world)
    assert await sign_up(world, Claim(MAKER.packed()).device()) == NOT_ALLOWED


@pytest.mark.parametrize(
    ("trust", "statuses", "lets_in"),
    [
        ("trusted_chain", [], True),
        ("certified_L1", [], False),
        ("certified_L1", [("FIDO_CERTIFIED", "2024-01-01")], False),
        ("certified_L1", [L1], True),
        ("certified_L2", [L1], False),
        ("certified_L2", [L1, ("FIDO_CERTIFIED_L2", "2025-01-01")], True),
        ("certified_L2", [L1, ("FIDO_CERTIFIED_L2", "2027-01-01")], False),
        ("certified_L1", [("FIDO_CERTIFIED_L3plus", "2024-01-01")], True),
        ("trusted_chain", [L1, ("REVOKED", "2025-01-01")], False),
    ],
)
async def test_a_model_counts_at_the_level_that_its_rule_names(
    world: World, trust: str, statuses: list[tuple[str, str]], lets_in: bool
) -> None:
    await SERVICE.brings(world, entry(AAGUID, MAKER, statuses=statuses))
    await allow(world, trust)
    assert await sign_up(world, Claim(MAKER.packed()).device()) == ("" if lets_in else NOT_ALLOWED)


@each_claim
async def test_incident_7_a_claim_with_a_root_of_its_own_or_without_gives_no_trust_to_any_model(
    world: World, claim: Claim
) -> None:
    """``authenticators.trust`` names no model: any will do that is proved, and no other."""
    await SERVICE.brings(world, entry(AAGUID, MAKER, statuses=[L1]))
    policy = {"attestation": "direct", "authenticators": {"trust": "trusted_chain"}}
    assert (await world.patch_options(passkey_policy=policy)).status_code == 200
    assert await sign_up(world, claim.device()) == claim.answer


async def test_advice_lets_a_claim_in_and_writes_it_down(world: World) -> None:
    await SERVICE.brings(world, entry(AAGUID, MAKER, statuses=[L1]))
    await allow(world, mode="advise")
    assert await sign_up(world, Claim(STRANGER.packed()).device()) == ""
    (advice,) = [row for row in await world.rows(tables.JournalRow) if row["type"] == "passkey_policy_advice"]
    assert [reason["field"] for reason in advice["details"]["policy"]] == ["authenticators"]
    assert "has untrusted_chain" in advice["details"]["policy"][0]["why"]


async def test_a_claim_does_not_help_against_being_denied(world: World) -> None:
    """Whoever says to be of a model that is denied is believed: it is to their disadvantage."""
    await SERVICE.brings(world, entry(AAGUID, MAKER, statuses=[L1]))
    rules = {"deny": [{"aaguid": MODEL}]}
    answer = await world.patch_options(passkey_policy={"attestation": "indirect", "authenticators": rules})
    assert answer.status_code == 200, answer.text
    for claim in (Claim(), Claim(packed=True), Claim(STRANGER.packed()), Claim(MAKER.packed())):
        assert await sign_up(world, claim.device()) == NOT_ALLOWED
    assert await sign_up(world, Claim(aaguid=OTHER).device()) == ""


async def test_a_login_is_held_to_what_the_metadata_says_now(world: World) -> None:
    await SERVICE.brings(world, entry(AAGUID, MAKER, statuses=[L1]), no=1)
    await allow(world, "certified_L1")
    device = Claim(MAKER.packed()).device()
    assert await sign_up(world, device) == ""
    await SERVICE.brings(world, entry(AAGUID, MAKER, statuses=[L1, ("NOT_FIDO_CERTIFIED", "2026-01-01")]), no=2)
    answer = await world.passkey_login(device)
    assert (answer.status_code, answer.json()["error_description"]) == (403, NOT_ALLOWED)


def test_whom_the_system_trusts_vouches_for_nobody(tmp_path: Path) -> None:
    """OpenSSL would find them by itself, where somebody let it."""
    (tmp_path / "system.pem").write_bytes(STRANGER.pem)
    program = (
        "import sys; from datetime import datetime, UTC\n"
        "from keystead.adapters.attestation import path_to\n"
        "chain, root = bytes.fromhex(sys.argv[1]), bytes.fromhex(sys.argv[2])\n"
        "print(bool(path_to([root], [chain], datetime(2026, 6, 1, tzinfo=UTC))))"
    )
    trusted = environment() | {"SSL_CERT_FILE": str(tmp_path / "system.pem"), "SSL_CERT_DIR": str(tmp_path)}
    for maker, root, vouched in ((STRANGER, MAKER, False), (STRANGER, STRANGER, True)):
        command = [sys.executable, "-c", program, maker.leaf().hex(), root.certificate.hex()]
        told = subprocess.run(command, capture_output=True, text=True, env=trusted, timeout=SECONDS, check=True)
        assert told.stdout.strip() == str(vouched)
