"""A preview of many passkeys: exact, and in little memory, whoever many there are."""

import gc
import tracemalloc
from collections import Counter
from dataclasses import dataclass

import pytest
from sqlalchemy import text
from sqlmodel import Session

from world import World

PASSKEYS, PEOPLE = 20_000, 6_000
MOST_BYTES = 4_000_000
"""Held at once; the passkeys alone would be three times as much."""

_PEOPLE = """
WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < :people)
INSERT INTO account (user_id, connection_id, email, email_verified, phone_verified, password_hash, user_handle,
  created_at, updated_at, logins_count, must_verify)
SELECT printf('auth0|%06d', n), :connection_id, 'person' || n || '@example.com', 1, 0,
  CASE WHEN n % 3 = 0 THEN 'a hash' END, CAST('handle' || n AS BLOB), '2026-01-01', '2026-01-01', 0, '[]'
FROM numbers
"""
_PASSKEYS = """
WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < :passkeys)
INSERT INTO passkey (id, user_id, credential_id, public_key, algorithm, sign_count, transports, aaguid,
  backup_eligible, backed_up, user_verified, attestation_format, trust, attachment, rp_id, user_agent, created_at)
SELECT 'passkey|dev_' || n, printf('auth0|%06d', (n * 7919) % :owners), CAST('id' || n AS BLOB), zeroblob(77), -7, 0,
  '["internal"]', printf('%08x-0000-0000-0000-000000000000', n % 40), n % 4 > 0, n % 8 > 0, n % 5 > 0,
  'none', 'none', '', 'localhost', '', '2026-01-01'
FROM numbers
"""


@dataclass(frozen=True)
class Made:
    """A passkey as the statement above makes it."""

    n: int

    @property
    def owner(self) -> int:
        return self.n * 7919 % OWNERS

    @property
    def is_refused(self) -> bool:
        return self.n % 4 > 0 or self.n % 5 == 0

    @property
    def model(self) -> str:
        return f"{self.n % 40:08x}-0000-0000-0000-000000000000"


OWNERS = PEOPLE - 500
"""The others have no passkey."""


def fill(session: Session, connection_id: str) -> None:
    values = {"connection_id": connection_id, "people": PEOPLE, "passkeys": PASSKEYS, "owners": OWNERS}
    for statement in (_PEOPLE, _PASSKEYS):
        session.connection().execute(text(statement), values)


@pytest.mark.parametrize("installation", ["sqlite"], indirect=True)
async def test_many_passkeys_are_counted_one_by_one_and_never_held(world: World) -> None:
    await world.db.write(fill, world.connection_id)
    path = f"/connections/{world.connection_id}/passkey-policy/preview?take=1"
    options = (await world.manage("GET", f"/connections/{world.connection_id}")).json()["options"]
    options["passkey_policy"] = {"backup": "device_bound_only", "user_verification": "required"}
    gc.freeze()  # or cycles wait for a collection of all that earlier tests have left, and are counted as held
    tracemalloc.start()
    report = (await world.manage("POST", path, {"options": options})).json()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    gc.unfreeze()
    assert peak < MOST_BYTES

    made = [Made(n) for n in range(PASSKEYS)]
    refused = [each for each in made if each.is_refused]
    losing, left = {each.owner for each in refused}, {each.owner for each in made if not each.is_refused}
    stranded = {owner for owner in losing - left if owner % 3}
    assert report["passkeys"] == {
        "total": PASSKEYS,
        "refused": len(refused),
        "newly_refused": len(refused),
        "advised_against": 0,
    }
    assert report["people"] == {
        "total": PEOPLE,
        "with_passkeys": OWNERS,
        "refused": len(losing),
        "re_enrol": len(losing - left - stranded),
        "stranded": len(stranded),
        "enrol": 0,
    }
    assert 0 < len(stranded) < len(losing) < OWNERS
    models = Counter(each.model for each in refused)
    assert {each["aaguid"]: each["passkeys"]["refused"] for each in report["by_aaguid"]} == models
    assert report["next"] == report["examples"][0]["user_id"] == f"auth0|{min(losing):06d}"
