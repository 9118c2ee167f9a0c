"""Calls to the receivers of log streams."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from keystead.adapters.outward_calls import OutwardCalls
from keystead.ports import Clock, Received
from keystead.secrecy import Secret


@dataclass(frozen=True)
class HttpLogReceiver:
    """Posts entries to where streams lead."""

    clock: Clock
    calls: OutwardCalls

    async def post(self, url: str, headers: Mapping[str, Secret[str]], body: bytes) -> Received:
        """Post once. Raises ``DeliveryFailed``. Of the answer only its status is read, and when to come back."""
        shown = {name: value.reveal() for name, value in headers.items()}
        answer = await self.calls.post(url, shown, body)
        return Received(answer.status, self._seconds(answer.retry_after))

    def _seconds(self, text: str) -> float | None:
        """Read ``Retry-After``: a number of seconds, or a date."""
        if text.isascii() and text.isdigit():
            return float(text[:9])
        try:
            moment = parsedate_to_datetime(text)
        except ValueError:
            return None
        aware: datetime = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max((aware - self.clock()).total_seconds(), 0.0)
