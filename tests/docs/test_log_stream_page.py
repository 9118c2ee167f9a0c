"""The page on log streams: its check of signatures against real deliveries, its categories against ours."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from keystead.rules import log_categories
from log_receiver import receiver
from world import World

PAGE = (Path(__file__).parents[2] / "docs/log-streams.md").read_text(encoding="utf-8")


def is_from_keystead(key: str, headers: dict[str, str], body: bytes) -> bool:
    """Run the check of the documentation."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    space: dict[str, Any] = {}
    exec(code, space)  # noqa: S102 - what readers would run
    found: bool = space["is_from_keystead"](key, headers, body)
    return found


async def test_the_check_of_the_documentation(world: World) -> None:
    async with receiver() as end:
        world.clock.now = datetime.now(UTC) - timedelta(hours=1)
        sink = {"httpEndpoint": end.url}
        made = (await world.manage("POST", "/log-streams", {"name": "x", "type": "http", "sink": sink})).json()
        await _delivered(world)
        world.clock.now = datetime.now(UTC)
        await world.signup()
        await _delivered(world)
        rotated = (await world.manage("POST", f"/log-streams/{made['id']}/rotate-secret")).json()
        await _delivered(world)
    old, first, second = end.taken
    key = made["signing_secret"]
    assert is_from_keystead(key, first.headers, first.body)
    assert not is_from_keystead(key, first.headers, first.body + b" ")
    assert not is_from_keystead("another key", first.headers, first.body)
    later = {"keystead-timestamp": str(int(first.headers["keystead-timestamp"]) + 1)}
    assert not is_from_keystead(key, first.headers | later, first.body)
    assert not is_from_keystead(key, old.headers, old.body), "recorded an hour ago"
    assert not is_from_keystead(key, second.headers, second.body)
    assert is_from_keystead(rotated["signing_secret"], second.headers, second.body)


async def _delivered(world: World) -> None:
    world.clock.advance(seconds=3)
    await world.app.state.flows.management.chain.seal()
    await world.app.state.flows.management.log_delivery.deliver_due()


def test_the_categories_are_those_of_the_page() -> None:
    told = dict(re.findall(r"^\| `([\w.]+\.[\w.]+)` \| (.+) \|$", PAGE, flags=re.MULTILINE))
    events = {name: set(re.findall(r"\[`(\w+)`\]", cell)) for name, cell in told.items() if "[`" in cell}
    assert events == {name: set(members) for name, members in log_categories._MEMBERS.items()}
    assert all(f"`{name}`" in PAGE for name in log_categories.CATEGORIES)
