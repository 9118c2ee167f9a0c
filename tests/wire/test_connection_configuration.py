"""``options.configuration``: taken in clear, kept sealed, shown as ciphertext that opens nothing elsewhere (CN-7)."""

import json
import re
from typing import Any

import pytest

from keystead.adapters.sealing import Sealer
from keystead.app import SystemEntropy
from keystead.db import tables
from keystead.errors import InternalError
from keystead.flows.configuration import renew
from keystead.rules.configuration import purpose_of, sealed_in
from keystead.secrecy import Secret
from world import World

pytestmark = pytest.mark.anyio

PLAIN = "postgres://scott:tiger-at-midnight@db/people"
CIPHERTEXT = re.compile(r"2\.0\$[0-9a-f]{56,}")


async def configured(world: World, connection_id: str = "", **values: Any) -> dict[str, str]:
    """Set the whole configuration of a connection, and return it as it is read."""
    path = f"/connections/{connection_id or world.connection_id}"
    options = (await world.manage("GET", path)).json()["options"]
    answer = await world.manage("PATCH", path, {"options": options | {"configuration": values}})
    assert answer.status_code == 200, answer.text
    shown: dict[str, str] = (await world.manage("GET", path)).json()["options"]["configuration"]
    assert answer.json()["options"]["configuration"] == shown
    return shown


async def refused(world: World, connection_id: str = "", **values: Any) -> str:
    """Send a configuration that is refused, and return why."""
    path = f"/connections/{connection_id or world.connection_id}"
    before = (await world.manage("GET", path)).json()
    answer = await world.manage("PATCH", path, {"options": before["options"] | {"configuration": values}})
    assert answer.status_code == 400, answer.text
    assert answer.json()["errorCode"] == "invalid_body"
    assert (await world.manage("GET", path)).json() == before
    return str(answer.json()["message"])


async def test_a_value_is_read_back_as_ciphertext(world: World) -> None:
    shown = await configured(world, DATABASE=PLAIN, EMPTY="")
    assert set(shown) == {"DATABASE", "EMPTY"}
    assert all(CIPHERTEXT.fullmatch(value) for value in shown.values())
    sealer = Sealer(world.settings.secret_keys, SystemEntropy())
    assert sealer.open(sealed_in(shown["DATABASE"]), purpose_of(world.connection_id, "DATABASE")) == PLAIN.encode()


async def test_a_new_connection_can_have_values(world: World) -> None:
    body = {"name": "db1", "strategy": "auth0", "options": {"configuration": {"A": PLAIN}}}
    made = (await world.manage("POST", "/connections", body)).json()
    assert CIPHERTEXT.fullmatch(made["options"]["configuration"]["A"])
    assert (await world.manage("GET", f"/connections/{made['id']}")).json() == made


async def test_what_was_read_is_sent_back_and_changes_nothing(world: World) -> None:
    shown = await configured(world, A="one", B="two")
    before = await world.count(tables.JournalRow)
    assert await configured(world, **shown) == shown
    assert await configured(world, A="one", B=shown["B"]) == shown  # the same in clear is the same
    changed = [row["details"]["changed"] for row in (await world.rows(tables.JournalRow))[before:] if row["details"]]
    assert changed == [[], []]


async def test_an_earlier_ciphertext_of_the_same_value_is_still_its(world: World) -> None:
    first = await configured(world, A="one")
    second = await configured(world, A="two")
    assert first != second
    assert await configured(world, A=first["A"]) == first


async def test_what_is_left_out_is_gone(world: World) -> None:
    shown = await configured(world, A="one", B="two")
    assert await configured(world, A=shown["A"], B=None) == {"A": shown["A"]}
    assert await configured(world) == {}


async def test_options_without_a_configuration_have_none(world: World) -> None:
    await configured(world, A="one")
    path = f"/connections/{world.connection_id}"
    options = (await world.manage("GET", path)).json()["options"]
    del options["configuration"]
    assert "configuration" not in (await world.manage("PATCH", path, {"options": options})).json()["options"]
    with_null = await world.manage("PATCH", path, {"options": options | {"configuration": None}})
    assert "configuration" not in with_null.json()["options"]


async def test_a_ciphertext_opens_nowhere_else(world: World) -> None:
    shown = await configured(world, A=PLAIN)
    other = await world.new_connection()
    said = "looks encrypted, but not as the value of this name and connection; send it in plain text"
    for message in (
        await refused(world, B=shown["A"]),
        await refused(world, other, A=shown["A"]),
        await refused(world, A=shown["A"][:-1] + ("0" if shown["A"][-1] != "0" else "1")),
        await refused(world, A="2.0$" + "0" * 56),
    ):
        assert said in message
        assert shown["A"] not in message
    body = {"name": "copy", "strategy": "auth0", "options": {"configuration": {"A": shown["A"]}}}
    assert (await world.manage("POST", "/connections", body)).status_code == 400


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"A": "x" * 4097}, "String is too long (4097 chars), maximum 4096' on property options.configuration.A."),
        ({"A": 1}, "Expected type string but found type integer' on property options.configuration.A."),
        ({"A": {"secret": PLAIN}}, "Expected type string but found type object' on property options.configuration.A."),
        ({"": "x"}, "String is too short (0 chars), minimum 1' on property options.configuration"),
        ({"n" * 129: "x"}, "String is too long (129 chars), maximum 128' on property options.configuration"),
        (
            {str(n): "x" for n in range(101)},
            "Too many properties defined (101), maximum 100' on property options.configuration.",
        ),
    ],
)
async def test_values_have_limits(world: World, values: dict[str, Any], message: str) -> None:
    said = await refused(world, **values)
    assert message in said
    assert PLAIN not in said


async def test_the_longest_value_comes_back(world: World) -> None:
    shown = await configured(world, A="\U0001f511" * 4096)
    assert await configured(world, **shown) == shown


async def test_nothing_but_the_database_under_its_seal_has_a_value(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    await configured(world, A="other")
    await configured(world, A=PLAIN)
    await refused(world, A=PLAIN, B=1)
    path = f"/connections/{world.connection_id}"
    options = (await world.manage("GET", path)).json()["options"] | {"configuration": {"A": PLAIN}}
    preview = await world.manage("POST", f"{path}/passkey-policy/preview", {"options": options})
    assert preview.status_code == 200
    kept = (tables.Connection, tables.JournalRow, tables.Decision, tables.Job)
    everything = [preview.text, *[json.dumps(await world.rows(table), default=str) for table in kept]]
    written = capsys.readouterr()
    assert "tiger-at-midnight" not in "".join((*everything, written.out, written.err))
    assert '"options.configuration.A"' in everything[2]


async def test_values_need_the_scopes_of_options(world: World) -> None:
    await configured(world, A="one")
    path = f"/connections/{world.connection_id}"
    assert "options" not in (await world.manage("GET", path, scope="read:connections")).json()
    answer = await world.manage("PATCH", path, {"options": {}}, scope="update:connections")
    assert answer.status_code == 403


async def test_a_new_secret_key_seals_anew(world: World) -> None:
    """What ``keystead serve`` does first, with the list that the operator changed."""
    shown = await configured(world, A=PLAIN)
    entropy, fresh = SystemEntropy(), Secret("a new secret key of at least thirty-two bytes")
    both, newest = Sealer((fresh, *world.settings.secret_keys), entropy), Sealer((fresh,), entropy)
    await world.db.write(renew, both, newest)
    (stored,) = [row["options"] for row in await world.rows(tables.Connection) if row["id"] == world.connection_id]
    renewed = stored["configuration"]["A"]
    assert renewed != shown["A"]
    assert newest.open(sealed_in(renewed), purpose_of(world.connection_id, "A")) == PLAIN.encode()
    await world.db.write(renew, newest, newest)
    (again,) = [row["options"] for row in await world.rows(tables.Connection) if row["id"] == world.connection_id]
    assert again == stored


async def test_a_value_whose_key_is_gone_is_shown_and_can_be_sent_back(world: World) -> None:
    shown = await configured(world, A=PLAIN)
    entropy = SystemEntropy()
    gone = Sealer((Secret("a new secret key of at least thirty-two bytes"),), entropy)
    with pytest.raises(InternalError):
        gone.open(sealed_in(shown["A"]), purpose_of(world.connection_id, "A"))
    await world.db.write(renew, gone, gone)
    assert (await configured(world, **shown)) == shown
