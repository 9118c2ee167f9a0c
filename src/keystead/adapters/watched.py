"""What calls somebody else, measured: the same ports, around whoever does the work."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType

from keystead.ports import BreachSource, LogoutCaller, PostOffice, Telemetry, Timing
from keystead.rules.mail_servers import MailServer
from keystead.rules.messages import Letter
from keystead.rules.telemetry import MESSAGE, OUTGOING, Metric
from keystead.secrecy import Secret


@dataclass(frozen=True)
class WatchedOffice:
    """Measures what is handed over, by channel."""

    inner: PostOffice
    telemetry: Telemetry

    async def deliver(self, letter: Letter, server: MailServer | None) -> None:
        """Hand a message over. Raises ``DeliveryFailed``."""
        with self.telemetry.timed(MESSAGE, letter.channel):
            await self.inner.deliver(letter, server)


@dataclass(frozen=True)
class WatchedBreaches:
    """Measures how long passwords are looked up."""

    inner: BreachSource
    telemetry: Telemetry

    async def is_breached(self, password: Secret[str]) -> bool:
        """Whether a password is known. Raises ``PasswordUnchecked``."""
        with self.telemetry.timed(OUTGOING, "breached-passwords"):
            return await self.inner.is_breached(password)

    async def close(self) -> None:
        """Let go of what is held open."""
        await self.inner.close()


@dataclass(frozen=True)
class WatchedLogouts:
    """Measures the calls to clients whose sessions ended."""

    inner: LogoutCaller
    telemetry: Telemetry

    async def call(self, url: str, token: Secret[str]) -> None:
        """Hand a logout token over. Raises ``DeliveryFailed``."""
        with self.telemetry.timed(OUTGOING, "logout"):
            await self.inner.call(url, token)


@dataclass(frozen=True)
class Several:
    """Metrics and traces at once."""

    each: Sequence[Telemetry]

    def timed(self, what: Metric, *labels: str, parent: str = "") -> "_Timings":
        """Measure the block with all of them."""
        return _Timings([each.timed(what, *labels, parent=parent) for each in self.each])

    def count(self, what: Metric, *labels: str, by: float = 1) -> None:
        """Count with all of them."""
        for each in self.each:
            each.count(what, *labels, by=by)

    def observe(self, what: Metric, seconds: float, *labels: str) -> None:
        """Tell all of them."""
        for each in self.each:
            each.observe(what, seconds, *labels)

    def close(self) -> None:
        """End all of them."""
        for each in self.each:
            each.close()


class _Timings:
    def __init__(self, blocks: Sequence[object]) -> None:
        self._blocks, self._stack = blocks, ExitStack()
        self._timings: list[Timing] = []

    @property
    def trace(self) -> str:
        return next((each.trace for each in self._timings if each.trace), "")

    def named(self, *labels: str) -> None:
        for each in self._timings:
            each.named(*labels)

    def note(self, name: str, value: str | int) -> None:
        for each in self._timings:
            each.note(name, value)

    def __enter__(self) -> "_Timings":
        self._timings = [self._stack.enter_context(each) for each in self._blocks]  # type: ignore[arg-type]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)
