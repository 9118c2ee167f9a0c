"""Metadata comes in, over and over: what it makes of passkeys that are registered after it, and of those before."""

import asyncio
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from threading import Event
from typing import Any
from uuid import UUID

import pytest
from cryptography import x509
from sqlalchemy import insert, update
from sqlmodel import Session, col

from attestation import APPLE, NIL, Maker, Service, entry, metadata_of, text
from authenticator import AAGUID, ES256, Authenticator, Json
from keystead.app import SystemEntropy
from keystead.db import authenticator_models, tables
from keystead.db import passkeys as db_passkeys
from keystead.db.authenticator_models import BATCH
from keystead.errors import Conflict, InvalidMetadata, OlderMetadata
from keystead.flows.fido_metadata import Update
from keystead.flows.journal import Journal
from keystead.flows.operations import Operation
from keystead.rules.authenticators import GRACE
from keystead.rules.events import Caller
from keystead.rules.events import Event as JournalEntry
from program import SECONDS
from world import PUBLIC_URL, World

MAKER = Maker()
SERVICE = Service()
L1 = ("FIDO_CERTIFIED_L1", "2024-01-01")
L2 = ("FIDO_CERTIFIED_L2", "2025-01-01")
REVOKED = ("REVOKED", "2026-01-01")
OTHER = bytes(range(16))
CERTIFIED_AGAIN = ("FIDO_CERTIFIED_L1", "2026-02-01")
REASON = "fido_metadata: REVOKED since 2026-01-01"
DENIED = (403, "invalid_grant")


def device(**more: Any) -> Authenticator:
    """An authenticator of the maker's, that attests."""
    given: dict[str, Any] = {"algorithms": (ES256,), "attester": MAKER.packed()}
    return Authenticator(**given | more)


async def passkeys(world: World) -> dict[str, dict[str, Any]]:
    """Return the passkeys by the e-mail address of their owner."""
    owners = {row["user_id"]: row["value"] for row in await world.rows(tables.AccountIdentifier)}
    return {owners[row["user_id"]]: row for row in await world.rows(tables.Passkey)}


async def trust(world: World) -> dict[str, str]:
    """Return how far the passkey of each is trusted."""
    return {email.partition("@")[0]: row["trust"] for email, row in (await passkeys(world)).items()}


async def entries(world: World, kind: str) -> list[Mapping[str, Any]]:
    """Return the journal's entries of a type."""
    return [row for row in await world.rows(tables.JournalRow) if row["type"] == kind]


async def outcome(world: World, held: Authenticator) -> tuple[int, str]:
    """Try to log in."""
    answer = await world.passkey_login(held)
    return answer.status_code, answer.json().get("error", "")


# --- the metadata itself -----------------------------------------------------------------------------------------


async def test_an_update_is_stored_and_recorded(world: World) -> None:
    assert await metadata_of(world).stored() is None
    done = await SERVICE.brings(world, entry(AAGUID, MAKER), entry(APPLE), {"aaid": "4e4e#4005"}, no=7)
    assert (done.changed, done.passkeys, done.trust, done.quarantined, done.lifted) == (2, 0, 0, 0, 0)
    stored = await metadata_of(world).stored()
    assert stored == done.stored
    assert stored is not None
    assert (stored.edition.no, stored.models, stored.skipped, stored.updated_at) == (7, 2, 1, world.clock.now)
    assert {row["aaguid"] for row in await world.rows(tables.AuthenticatorModel)} == {
        str(UUID(bytes=each)) for each in (AAGUID, APPLE)
    }
    last = await world.last_entry()
    assert (last["type"], last["client_id"], last["description"]) == ("sapi", "cli", "Update the FIDO metadata")
    counts = {
        "no": 7,
        "models": 2,
        "skipped": 1,
        "changed": 2,
        "passkeys": 0,
        "trust": 0,
        "quarantined": 0,
        "lifted": 0,
    }
    assert last["details"] == {"request": {"method": "keystead", "path": "mds update"}} | counts


async def test_the_next_edition_replaces_the_one_before(world: World) -> None:
    await SERVICE.brings(world, entry(AAGUID, MAKER), entry(APPLE), no=7)
    done = await SERVICE.brings(world, entry(AAGUID, MAKER, description="Renamed"), entry(OTHER), no=8)
    assert done.changed == 2, "one came and one went; a name is nothing that passkeys are judged by"
    found = {row["aaguid"]: row["record"]["description"] for row in await world.rows(tables.AuthenticatorModel)}
    assert found == {str(UUID(bytes=AAGUID)): "Renamed", str(UUID(bytes=OTHER)): "A model"}


async def test_nothing_is_taken_back_unless_it_is_forced(world: World) -> None:
    """An older blob has a good signature, too: whoever can choose the file must not undo a revocation."""
    await SERVICE.brings(world, entry(AAGUID, MAKER, statuses=[REVOKED]), no=7)
    before = (await world.rows(tables.AuthenticatorModel), await world.rows(tables.JournalRow))
    with pytest.raises(OlderMetadata, match=r"no\. 7; this is no\. 6"):
        await SERVICE.brings(world, entry(AAGUID, MAKER), no=6)
    with pytest.raises(OlderMetadata, match="another service"):
        await Service().brings(world, entry(AAGUID, MAKER), no=8)
    with pytest.raises(InvalidMetadata):
        await SERVICE.brings(world, entry(AAGUID, MAKER), no=8, signer=MAKER.batch)
    assert (await world.rows(tables.AuthenticatorModel), await world.rows(tables.JournalRow)) == before
    assert (await SERVICE.brings(world, entry(AAGUID, MAKER, statuses=[REVOKED]), no=7)).changed == 0, "the same again"
    assert (await SERVICE.brings(world, entry(AAGUID, MAKER), no=6, force=True)).stored.edition.no == 6
    assert (await Service().brings(world, entry(AAGUID, MAKER), no=1, force=True)).stored.edition.no == 1


# --- passkeys that are registered after it -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attester", "aaguid", "level"),
    [
        (None, AAGUID, "none"),
        (MAKER.packed(), AAGUID, "certified_L1"),
        (MAKER.packed([MAKER.leaf(None)]), AAGUID, "certified_L1"),
        (MAKER.tpm(), AAGUID, "certified_L1"),
        (MAKER.android(), AAGUID, "certified_L1"),
        (Maker().packed(), AAGUID, "untrusted_chain"),
        (MAKER.packed([MAKER.leaf(APPLE)]), APPLE, "untrusted_chain"),  # of a model whose roots are not this one
        (MAKER.apple(), APPLE, "untrusted_chain"),
    ],
)
async def test_a_new_passkey_is_trusted_by_the_metadata(world: World, attester: Any, aaguid: bytes, level: str) -> None:
    await SERVICE.brings(world, entry(AAGUID, MAKER, statuses=[L1]))
    await world.register(device(attester=attester, aaguid=aaguid))
    assert await trust(world) == {"ann": level}


async def test_self_attestation_is_trusted_as_such(world: World) -> None:
    await SERVICE.brings(world, entry(AAGUID, MAKER, statuses=[L1]))
    await world.register(Authenticator(attestation="packed"))
    assert await trust(world) == {"ann": "self"}


async def test_without_metadata_no_chain_is_trusted(world: World) -> None:
    await world.register(device())
    found = (await passkeys(world))["ann@example.com"]
    (leaf,) = found["certificates"]
    assert (found["trust"], found["attestation_format"]) == ("untrusted_chain", "packed")
    assert x509.load_der_x509_certificate(b64decode(leaf))


async def test_stale_metadata_vouches_for_nobody_new(world: World) -> None:
    """Attestation is closed, and passkeys without are as before (plain ones stay open)."""
    model = entry(AAGUID, MAKER, statuses=[L1])
    await SERVICE.brings(world, model, next_update="2026-06-10", no=1)
    await world.register(device(), "early@example.com")
    world.clock.advance(days=9 + GRACE.days)
    await world.register(device(), "still@example.com")
    world.clock.advance(days=1)
    await world.register(device(), "late@example.com")
    await world.register(Authenticator(), "plain@example.com")
    untrusted = {"early": "certified_L1", "still": "certified_L1", "late": "untrusted_chain", "plain": "none"}
    assert await trust(world) == untrusted
    done = await SERVICE.brings(world, model, next_update="2026-09-01", no=2)
    assert (done.passkeys, done.trust) == (4, 1)
    assert await trust(world) == untrusted | {"late": "certified_L1"}


async def test_a_compromised_model_cannot_register_and_says_so_in_the_log(world: World) -> None:
    await SERVICE.brings(world, entry(AAGUID, MAKER, statuses=[L1, REVOKED]))
    before = await world.counts()
    for held in (device(), Authenticator()):
        begun = (await world.begin_register()).json()
        response = held.create(begun["authn_params_public_key"], origin=PUBLIC_URL)
        answer = await world.exchange(begun["auth_session"], response)
        assert (answer.status_code, answer.json()["error"]) == DENIED
        assert REASON in (await world.last_entry())["details"]["reason"]
    assert await world.counts() == before
    await world.register(Authenticator(aaguid=bytes(15) + b"1"))


async def test_a_status_of_the_future_does_not_count_yet(world: World) -> None:
    to_come = ("REVOKED", "2026-06-03")
    await SERVICE.brings(world, entry(AAGUID, MAKER, statuses=[L1, to_come]), no=1)
    ann = device()
    await world.register(ann)
    world.clock.advance(days=2)
    assert (await outcome(world, ann))[0] == 200, "with the next update"
    done = await SERVICE.brings(world, entry(AAGUID, MAKER, statuses=[L1, to_come]), no=1)
    assert (done.changed, done.quarantined) == (1, 1)
    assert await outcome(world, ann) == DENIED


# --- passkeys that were there before it --------------------------------------------------------------------------


async def test_trust_follows_the_metadata(world: World) -> None:
    await world.register(device(), "attested@example.com")
    await world.register(Authenticator(), "plain@example.com")
    await world.register(Authenticator(attestation="packed"), "own@example.com")
    await world.register(device(aaguid=APPLE, attester=MAKER.packed([MAKER.leaf(APPLE)])), "other@example.com")
    same = {"plain": "none", "own": "self", "other": "untrusted_chain"}

    steps: list[tuple[list[Any], str, int]] = [
        ([entry(AAGUID, MAKER, statuses=[L1])], "certified_L1", 1),
        ([entry(AAGUID, MAKER, statuses=[L1, L2])], "certified_L2", 1),
        ([entry(AAGUID, MAKER, statuses=[L1, L2])], "certified_L2", 0),
        ([entry(AAGUID, MAKER, statuses=[])], "trusted_chain", 1),
        ([entry(AAGUID, Maker(), statuses=[])], "untrusted_chain", 1),
        ([entry(AAGUID, Maker(), MAKER, statuses=[L1])], "certified_L1", 1),
        ([], "untrusted_chain", 1),
    ]
    for number, (models, level, changed) in enumerate(steps):
        done = await SERVICE.brings(world, *models, no=number)
        assert await trust(world) == same | {"attested": level}
        assert done.trust == changed


async def test_certificates_count_as_of_the_registration(world: World) -> None:
    until = world.clock.now + timedelta(days=10)
    await world.register(device(attester=MAKER.packed([MAKER.leaf(end=until)])), "early@example.com")
    world.clock.advance(days=20)
    await world.register(device(attester=MAKER.packed([MAKER.leaf(end=until)])), "late@example.com")
    await SERVICE.brings(world, entry(AAGUID, MAKER, statuses=[L1]))
    assert await trust(world) == {"early": "certified_L1", "late": "untrusted_chain"}


async def test_a_revoked_model_quarantines_its_passkeys_until_it_is_lifted(world: World) -> None:
    held = {"attested": device(), "plain": Authenticator(), "other": Authenticator(aaguid=APPLE)}
    for name, each in held.items():
        await world.register(each, f"{name}@example.com")
    await SERVICE.brings(world, entry(AAGUID, MAKER, statuses=[L1]), no=1)
    assert {(await outcome(world, each))[0] for each in held.values()} == {200}

    done = await SERVICE.brings(world, entry(AAGUID, MAKER, statuses=[L1, REVOKED]), no=2)
    assert (done.passkeys, done.trust, done.quarantined, done.lifted) == (2, 1, 2, 0)
    assert [await outcome(world, held[name]) for name in held] == [DENIED, DENIED, (200, "")]
    found = await passkeys(world)
    assert found["plain@example.com"]["quarantine"] == REASON
    assert found["plain@example.com"]["quarantined_at"] == world.clock.now
    assert found["other@example.com"]["quarantine"] is None
    noted = await entries(world, "passkey_quarantined")
    assert {row["user_id"] for row in noted} == {
        found[f"{name}@example.com"]["user_id"] for name in ("attested", "plain")
    }
    for row in noted:
        assert row["connection_id"] == world.connection_id
        assert (row["details"]["reason"], row["details"]["aaguid"]) == (REASON, str(UUID(bytes=AAGUID)))
        assert row["details"]["passkey"] in {each["id"] for each in found.values()}

    assert (await SERVICE.brings(world, entry(AAGUID, MAKER, statuses=[L1, REVOKED]), no=3)).quarantined == 0

    done = await SERVICE.brings(world, entry(AAGUID, MAKER, statuses=[L1, REVOKED, CERTIFIED_AGAIN]), no=4)
    assert (done.trust, done.quarantined, done.lifted) == (1, 0, 2)
    assert {(await outcome(world, each))[0] for each in held.values()} == {200}
    assert {row["quarantined_at"] for row in (await passkeys(world)).values()} == {None}
    assert len(await entries(world, "passkey_quarantine_lifted")) == 2


async def test_a_quarantine_goes_with_the_model_that_asked_for_it(world: World) -> None:
    ann = device()
    await world.register(ann)
    await SERVICE.brings(world, entry(AAGUID, MAKER, statuses=[REVOKED]), no=1)
    assert await outcome(world, ann) == DENIED
    assert (await SERVICE.brings(world, no=2)).lifted == 1
    assert (await outcome(world, ann))[0] == 200


async def test_the_reason_follows_what_is_wrong(world: World) -> None:
    await world.register(device())
    await SERVICE.brings(world, entry(AAGUID, MAKER, statuses=[("USER_VERIFICATION_BYPASS", "2025-01-01")]), no=1)
    await SERVICE.brings(
        world, entry(AAGUID, MAKER, statuses=[("USER_VERIFICATION_BYPASS", "2025-01-01"), REVOKED]), no=2
    )
    assert (await passkeys(world))["ann@example.com"]["quarantine"] == REASON


async def test_an_administrators_quarantine_is_left_alone(world: World) -> None:
    ann, at = device(), world.clock.now - timedelta(days=1)
    await world.register(ann)

    def take_out(session: Session) -> None:
        values = {"quarantine": "administrator: stolen", "quarantined_at": at}
        session.connection().execute(update(tables.Passkey).values(values))

    await world.db.write(take_out)
    for number, statuses in enumerate(([L1], [L1, REVOKED], [L1, REVOKED, CERTIFIED_AGAIN])):
        done = await SERVICE.brings(world, entry(AAGUID, MAKER, statuses=statuses), no=number)
        assert (done.quarantined, done.lifted) == (0, 0)
        found = (await passkeys(world))["ann@example.com"]
        assert (found["quarantine"], found["quarantined_at"]) == ("administrator: stolen", at)
        assert await outcome(world, ann) == DENIED
    assert found["trust"] == "certified_L1", "how well it is known is another matter"


@pytest.mark.parametrize("installation", ["postgres"], indirect=True)
async def test_an_administrators_quarantine_that_is_under_way_is_waited_for(world: World) -> None:
    """On SQLite one writes at a time. What was read before it would be written back after it."""
    ann = device()
    await world.register(ann)
    (user_id,) = {row["user_id"] for row in await world.rows(tables.Passkey)}
    known = (await passkeys(world))["ann@example.com"]
    has_imposed, may_end = Event(), Event()

    def impose(session: Session) -> None:
        db_passkeys.quarantine(session, user_id, known["id"], "administrator: stolen", world.clock())
        has_imposed.set()
        assert may_end.wait(SECONDS)

    imposing = asyncio.create_task(world.db.write(impose))
    assert await asyncio.to_thread(has_imposed.wait, SECONDS)
    updating = asyncio.create_task(SERVICE.brings(world, entry(AAGUID, MAKER, statuses=[L1]), no=1))
    done, _ = await asyncio.wait({updating}, timeout=0.3)  # long enough to go ahead, if it could
    assert not done
    may_end.set()
    await imposing
    assert (await updating).trust == 1
    assert (await passkeys(world))["ann@example.com"]["quarantine"] == "administrator: stolen"


async def test_a_compromised_batch_is_told_from_the_others_by_its_certificate(world: World) -> None:
    leaf, other = MAKER.leaf(), MAKER.leaf()
    held = {"bad": device(attester=MAKER.packed([leaf])), "good": device(attester=MAKER.packed([other]))}
    for name, each in held.items():
        await world.register(each, f"{name}@example.com")
    compromised: Json = {
        "status": "ATTESTATION_KEY_COMPROMISE",
        "effectiveDate": "2026-01-01",
        "certificate": text(leaf),
    }
    done = await SERVICE.brings(world, entry(AAGUID, MAKER, statuses=[L1, compromised]))
    assert done.quarantined == 1
    assert await trust(world) == {"bad": "untrusted_chain", "good": "certified_L1"}
    assert [await outcome(world, held[name]) for name in held] == [DENIED, (200, "")]


async def test_models_older_than_aaguids_are_known_by_their_attestation_keys(world: World) -> None:
    ann = device(attester=MAKER.u2f(), aaguid=NIL)
    await world.register(ann, "before@example.com")
    leaf = x509.load_der_x509_certificate(MAKER.leaf(None))
    identifier = x509.SubjectKeyIdentifier.from_public_key(leaf.public_key()).digest.hex()

    def u2f(*statuses: tuple[str, str]) -> dict[str, object]:
        found = entry(NIL, MAKER, statuses=statuses) | {"attestationCertificateKeyIdentifiers": [identifier]}
        del found["aaguid"]
        return found

    await SERVICE.brings(world, u2f(L1), no=1)
    await world.register(device(attester=MAKER.u2f(), aaguid=NIL), "after@example.com")
    await world.register(device(attester=Maker().u2f(), aaguid=NIL), "other@example.com")
    assert await trust(world) == {"before": "certified_L1", "after": "certified_L1", "other": "untrusted_chain"}
    assert (await SERVICE.brings(world, u2f(L1, REVOKED), no=2)).quarantined == 2
    assert await outcome(world, ann) == DENIED


async def test_many_passkeys_are_looked_at_in_batches_each_once(world: World) -> None:
    many, owner = 2 * BATCH + 1, await world.person()
    await world.register(device(), "model@example.com")
    model = (await passkeys(world))["model@example.com"]

    def fill(session: Session) -> None:
        rows = [
            model | {"id": f"passkey|dev_{number:06d}", "credential_id": str(number).encode(), "user_id": owner}
            for number in range(many)
        ]
        session.connection().execute(insert(tables.Passkey), rows)
        session.connection().execute(
            update(tables.Passkey).where(col(tables.Passkey.id) == model["id"]).values(aaguid=str(UUID(bytes=APPLE)))
        )

    await world.db.write(fill)
    done = await SERVICE.brings(world, entry(AAGUID, MAKER, statuses=[L1]), no=1)
    assert (done.passkeys, done.trust) == (many, many)
    done = await SERVICE.brings(world, entry(AAGUID, MAKER, statuses=[L1, REVOKED]), no=2)
    assert (done.passkeys, done.quarantined) == (many, many)
    found = await world.rows(tables.Passkey)
    assert {row["quarantine"] for row in found if row["user_id"] == owner} == {REASON}
    assert [row["quarantine"] for row in found if row["user_id"] != owner] == [None]
    assert len({row["details"]["passkey"] for row in await entries(world, "passkey_quarantined")}) == many


async def test_a_registration_that_is_under_way_is_not_missed(world: World) -> None:
    """It was judged by the models before, and is stored after the update has begun: that must wait for it."""
    await SERVICE.brings(world, entry(AAGUID, MAKER, statuses=[L1]), no=1)
    await world.register(device())
    known = (await passkeys(world))["ann@example.com"]
    has_judged, may_store = Event(), Event()

    def register(session: Session) -> None:
        assert authenticator_models.find(session, known["aaguid"])
        has_judged.set()
        assert may_store.wait(SECONDS)
        session.connection().execute(
            insert(tables.Passkey), known | {"id": "passkey|dev_late", "credential_id": b"late"}
        )

    registering = asyncio.create_task(world.db.write(register))
    assert await asyncio.to_thread(has_judged.wait, SECONDS)
    updating = asyncio.create_task(SERVICE.brings(world, entry(AAGUID, MAKER, statuses=[L1, REVOKED]), no=2))
    done, _ = await asyncio.wait({updating}, timeout=0.3)  # long enough to go ahead, if it could
    assert not done
    may_store.set()
    await registering
    assert (await updating).quarantined == 2
    assert {row["quarantine"] for row in await world.rows(tables.Passkey)} == {REASON}


async def test_what_a_compromised_authenticator_opened_ends_with_it(world: World) -> None:
    """Whoever broke it may be in already."""
    tokens: dict[str, dict[str, Any]] = {}
    for name, aaguid in (("bad", AAGUID), ("good", APPLE)):
        held = Authenticator(aaguid=aaguid)
        await world.register(held, f"{name}@example.com")
        tokens[name] = (await world.passkey_login(held, scope="openid offline_access")).json()
    await SERVICE.brings(world, entry(AAGUID, MAKER, statuses=[L1]), no=1)

    async def works(name: str) -> list[int]:
        refreshed = await world.token("refresh_token", refresh_token=tokens[name]["refresh_token"])
        return [refreshed.status_code, (await world.userinfo(tokens[name]["access_token"])).status_code]

    assert await works("bad") == await works("good") == [200, 200]
    world.clock.advance(seconds=1)
    await SERVICE.brings(world, entry(AAGUID, MAKER, statuses=[L1, REVOKED]), no=2)
    assert await works("bad") == [403, 401]
    assert await works("good") == [200, 200]


@dataclass(frozen=True)
class Breaking(Journal):
    """A journal whose disk is full from an entry on."""

    after: int = 0
    written: list[str] = field(default_factory=list)

    def event(self, type: str, caller: Caller, **about: Any) -> JournalEntry:
        """Make an entry, or fail."""
        self.written.append(type)
        if len(self.written) > self.after:
            raise OSError("No space left on device")
        return super().event(type, caller, **about)


async def test_an_update_that_breaks_off_is_taken_up_by_the_next(world: World) -> None:
    for number in range(3):
        await world.register(Authenticator(), f"p{number}@example.com")
    await _copies(world, BATCH)
    revoked = entry(AAGUID, MAKER, statuses=[REVOKED])
    breaking = replace(metadata_of(world), journal=Breaking(world.clock, SystemEntropy(), after=BATCH + 1))
    operation = Operation("cli", Caller(), "keystead", "mds update")
    with pytest.raises(OSError, match="No space left"):
        await breaking.update(SERVICE.blob(revoked), SERVICE.root.pem, operation, force=False)
    quarantined = [row for row in await world.rows(tables.Passkey) if row["quarantine"]]
    assert len(quarantined) == BATCH, "the first batch is done, and nothing of the second"
    stored = await metadata_of(world).stored()
    assert stored is not None
    assert stored.pending == (str(UUID(bytes=AAGUID)),)
    with pytest.raises(AssertionError):
        await world.register(Authenticator(), "new@example.com")

    done = await SERVICE.brings(world, revoked)
    assert (done.passkeys, done.quarantined, done.stored.pending) == (BATCH + 3, 3, ())
    assert await metadata_of(world).stored() == done.stored
    assert len(await entries(world, "passkey_quarantined")) == BATCH + 3


async def test_of_two_updates_at_once_the_later_goes_on(world: World) -> None:
    await world.register(device())
    metadata, operation = metadata_of(world), Operation("cli", Caller(), "keystead", "mds update")
    blobs = [SERVICE.blob(entry(AAGUID, MAKER, statuses=[L1, REVOKED]), no=2), SERVICE.blob(entry(AAGUID, MAKER), no=1)]
    updates = [metadata.update(blob, SERVICE.root.pem, operation, force=True) for blob in blobs]
    outcomes = await asyncio.gather(*updates, return_exceptions=True)
    assert {type(each) for each in outcomes} <= {Update, Conflict}
    stored = await metadata.stored()
    assert stored is not None
    assert stored.pending == ()
    found = (await passkeys(world))["ann@example.com"]
    assert (found["quarantine"] is not None) == (stored.edition.no == 2)
    assert found["trust"] == ("untrusted_chain" if stored.edition.no == 2 else "certified_L1")


async def _copies(world: World, many: int) -> None:
    """Give the first account many passkeys more, like its own."""
    model = (await world.rows(tables.Passkey))[0]
    rows = [
        model | {"id": f"passkey|dev_{number:06d}", "credential_id": str(number).encode()} for number in range(many)
    ]
    await world.db.write(lambda session: session.connection().execute(insert(tables.Passkey), rows))
