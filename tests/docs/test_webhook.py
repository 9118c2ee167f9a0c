"""The check of a webhook's signature, as the documentation has it, against what is really posted."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from keystead.adapters.mail import WebhookSender
from keystead.rules.messages import Letter
from keystead.secrecy import Secret
from post_box import gateway

PAGE = Path(__file__).parents[2] / "docs/operations.md"


def is_ours(key: str, headers: dict[str, str], body: bytes) -> bool:
    """Run the check of the documentation."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    space: dict[str, Any] = {}
    exec(code, space)  # noqa: S102 - what readers would run
    found: bool = space["is_ours"](key, headers, body)
    return found


async def test_the_check_of_the_documentation() -> None:
    letter = Letter(channel="sms", to="+15005550006", text="123456 is your code")
    async with gateway() as found:
        url = f"http://127.0.0.1:{found.port}/"
        await WebhookSender(url, Secret("key"), lambda: datetime.now(UTC)).deliver(letter)
        await WebhookSender(url, Secret("key"), lambda: datetime(2026, 1, 1, tzinfo=UTC)).deliver(letter)
    (_, headers, body), (_, old_headers, old_body) = found.requests
    assert is_ours("key", headers, body)
    assert not is_ours("another key", headers, body)
    assert not is_ours("key", headers, body + b" ")
    assert not is_ours("key", headers | {"keystead-timestamp": str(int(headers["keystead-timestamp"]) + 1)}, body)
    assert not is_ours("key", old_headers, old_body)
