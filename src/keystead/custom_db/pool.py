"""The children of one connection: how many at once, which may run which script, and when they go."""

import asyncio
from collections import defaultdict, deque
from collections.abc import Iterable
from time import perf_counter

from keystead.custom_db.child_process import Child
from keystead.custom_db.failures import Failure
from keystead.custom_db.limits import Limits
from keystead.custom_db.messages import digest, edition
from keystead.rules.action_scripts import Script, ScriptName
from keystead.rules.circuits import Circuit, worst
from keystead.rules.script_health import ScriptHealth, state_of


class Pool:
    """Used on one event loop at a time; nothing here waits but whoever asks for a place."""

    def __init__(self, limits: Limits) -> None:
        self.circuits: defaultdict[ScriptName, Circuit] = defaultdict(Circuit)
        """One for each script: a ``get_user`` that fails for strangers, whom anybody can name, stops no login."""
        self.calls, self.failures, self.last_failure = 0, 0, ""
        self._limits = limits
        self._idle: list[Child] = []
        self._taken = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._tidied_at = 0.0

    def health(self) -> ScriptHealth:
        """Return how it fares; the circuit is that of the script that fares worst."""
        circuit = worst(self.circuits.values())
        state, seconds = state_of(circuit, perf_counter())
        return ScriptHealth(
            *(state, seconds, circuit.failures, self.calls, self.failures, self.last_failure),
            *(self._taken, len(self._waiting), len(self._idle)),
        )

    @property
    def is_full(self) -> bool:
        """Whether whoever enters has to wait."""
        return self._taken >= self._limits.concurrency

    async def enter(self) -> None:
        """Wait for a place; ``leave`` gives it back. Raises ``Failure``."""
        if not self.is_full:
            self._taken += 1
            return
        if len(self._waiting) >= self._limits.queue:
            raise Failure("busy", "all children of its connection are at work, and as many calls wait as may")
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(mine)
        try:
            async with asyncio.timeout(self._limits.seconds):
                await mine
        except BaseException as error:
            if mine.done() and not mine.cancelled():
                self.leave()  # it was handed over in the very moment that nobody wanted it any more
            elif mine in self._waiting:
                self._waiting.remove(mine)
            if isinstance(error, TimeoutError):
                raise Failure("busy", "no child of its connection came free in time") from None
            raise

    def leave(self) -> None:
        """Give a place to whoever waits longest, or back."""
        while self._waiting:
            next_ = self._waiting.popleft()
            if not next_.done():
                next_.set_result(None)
                return
        self._taken -= 1

    def take(self, script: Script) -> Child | None:
        """Take an idle child that may run the script, if there is one; where others are in its way, one goes.

        One that has loaded another source of the same name is not used: a new source begins in a new process.
        """
        wanted, source = edition(script), digest(script)
        self._drop([each for each in self._idle if not each.is_there()])
        for child in reversed(self._idle):
            if child.edition == wanted and child.loaded.get(script.name, source) == source:
                self._idle.remove(child)
                return child
        while self._idle and len(self._idle) + self._taken > self._limits.concurrency:
            self._idle.pop(0).end()
        return None

    def put_back(self, child: Child) -> None:
        """Keep a child for the next call, unless it has had its share."""
        if child.calls >= self._limits.calls or child.resident() > self._limits.memory << 20:
            child.end()
        if child.ended:
            return
        child.idle_since = perf_counter()
        self._idle.append(child)
        self._tidy_later()

    def _tidy_later(self) -> None:
        # By the clock, not by whether a timer is set: a loop that was closed takes its timers with it.
        if self._idle and perf_counter() >= self._tidied_at:
            self._tidied_at = perf_counter() + self._limits.idle
            asyncio.get_running_loop().call_later(self._limits.idle, self._tidy)

    def _tidy(self) -> None:
        since = perf_counter() - self._limits.idle
        self._drop([each for each in self._idle if each.idle_since <= since or not each.is_there()])
        self._tidied_at = 0.0
        self._tidy_later()

    def _drop(self, children: Iterable[Child]) -> None:
        for child in children:
            self._idle.remove(child)
            child.end()
