"""``/api/v2/keystead/authenticators``: what a rule about models of authenticators would mean."""

import pytest

from attestation import APPLE, Maker, Service, entry
from authenticator import AAGUID
from keystead.rules.authenticator_names import names
from keystead.rules.authenticators import GRACE
from world import World

PATH = "/keystead/authenticators"
MODEL = "b84e4048-15dc-4dd0-839e-fc3ec0ee5b16"
GOOGLE = "ea9b8d66-4d01-1d21-3ce4-b6b48cb575d4"
APPLES = "f24a8e70-d0d3-f82c-2937-32523cc4de5a"
MAKER, SERVICE = Maker(), Service()


async def test_a_model_of_the_metadata_is_shown(world: World) -> None:
    statuses = [("FIDO_CERTIFIED_L2", "2025-01-01"), ("FIDO_CERTIFIED_L1", "2020-01-01"), ("REVOKED", "2027-01-01")]
    await SERVICE.brings(world, entry(AAGUID, MAKER, Maker(), statuses=statuses, description="Key with NFC"))
    for spelling in (MODEL, MODEL.upper()):
        answer = await world.manage("GET", f"{PATH}/{spelling}", scope="read:connections")
        assert answer.status_code == 200
        assert answer.json() == {
            "aaguid": MODEL,
            "name": "Key with NFC",
            "trust": "certified_L2",
            "compromised": None,
            "roots": 2,
            "statuses": [
                {"status": "FIDO_CERTIFIED_L1", "effective_date": "2020-01-01"},
                {"status": "FIDO_CERTIFIED_L2", "effective_date": "2025-01-01"},
                {"status": "REVOKED", "effective_date": "2027-01-01"},
            ],
        }
    world.clock.advance(days=300)
    world.forget_tokens()
    shown = (await world.manage("GET", f"{PATH}/{MODEL}")).json()
    assert (shown["compromised"], shown["trust"]) == ("REVOKED", "untrusted_chain")


async def test_a_model_that_only_has_a_name_is_shown_with_it(world: World) -> None:
    answer = await world.manage("GET", f"{PATH}/{GOOGLE}")
    assert answer.json() == {
        "aaguid": GOOGLE,
        "name": "Google Password Manager",
        "trust": "untrusted_chain",
        "compromised": None,
        "roots": 0,
        "statuses": [],
    }
    assert (await world.manage("GET", f"{PATH}/{APPLES}")).json()["trust"] == "trusted_chain"


async def test_the_metadatas_name_comes_first_where_it_has_one(world: World) -> None:
    await SERVICE.brings(world, entry(APPLE, description=""))
    assert (await world.manage("GET", f"{PATH}/{APPLES}")).json()["name"] == "Apple device"
    await SERVICE.brings(world, entry(APPLE, description="Apple's own"), no=2)
    assert (await world.manage("GET", f"{PATH}/{APPLES}")).json()["name"] == "Apple's own"


async def test_stale_metadata_promises_nothing(world: World) -> None:
    await SERVICE.brings(world, entry(AAGUID, MAKER), next_update="2026-06-02")
    assert (await world.manage("GET", f"{PATH}/{MODEL}")).json()["trust"] == "certified_L1"
    world.clock.advance(days=2 + GRACE.days)
    world.forget_tokens()
    assert (await world.manage("GET", f"{PATH}/{MODEL}")).json()["trust"] == "untrusted_chain"


@pytest.mark.parametrize("aaguid", [MODEL, "00000000-0000-0000-0000-000000000000", "nonsense", "x" * 500])
async def test_nothing_is_known_of_others(world: World, aaguid: str) -> None:
    answer = await world.manage("GET", f"{PATH}/{aaguid}")
    assert (answer.status_code, answer.json()["errorCode"]) == (404, "inexistent_authenticator")


async def test_the_list_has_pages_and_every_model_once(world: World) -> None:
    identifier = "0" * 40
    u2f = entry(bytes(16)) | {"attestationCertificateKeyIdentifiers": [identifier]}
    del u2f["aaguid"]
    await SERVICE.brings(world, entry(AAGUID, MAKER), entry(APPLE), u2f)
    expected = sorted({*names(), MODEL, identifier})
    found: list[str] = []
    for page in range(5):
        answer = await world.manage("GET", PATH, params={"page": page, "per_page": 100, "include_totals": "true"})
        body = answer.json()
        assert (body["start"], body["limit"], body["total"]) == (page * 100, 100, len(expected))
        found += [each["aaguid"] for each in body["authenticators"]]
    assert found == expected
    bare = (await world.manage("GET", PATH, params={"per_page": 2})).json()
    assert [each["aaguid"] for each in bare] == expected[:2]
