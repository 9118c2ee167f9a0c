"""The script runtime: whatever a customer's code does, its call ends, and only its own connection notices."""

import asyncio
import os
import weakref
from collections.abc import Callable, Mapping, Sequence
from time import perf_counter
from typing import Any

from keystead.custom_db.child_process import Child, how_it_ended, started
from keystead.custom_db.commands import plan_of
from keystead.custom_db.exchange import Exchange
from keystead.custom_db.failures import Failure
from keystead.custom_db.limits import Limits, Programs
from keystead.custom_db.messages import Heard, digest, edition, greeting, is_ready, question
from keystead.custom_db.pool import Pool
from keystead.errors import ScriptFailed
from keystead.ports import Entropy, Telemetry
from keystead.rules import circuits
from keystead.rules.action_scripts import Script, ScriptAnswer, ScriptName
from keystead.rules.circuits import Circuit
from keystead.rules.script_health import ScriptHealth
from keystead.rules.telemetry import OPEN_CIRCUITS, SCRIPT, SCRIPT_CHILDREN, SCRIPT_FAILURES, SILENCE

_OUT_OF_HEAP = b"JavaScript heap out of memory"
_LAST_WORDS = 500


class Children:
    """``ports.ScriptRuntime``: warm child processes, apart for each connection.

    Used on one event loop at a time. In a process that was forked it begins anew, without the children of its parent.
    """

    def __init__(
        self,
        entropy: Entropy,
        limits: Limits | None = None,
        programs: Programs | None = None,
        telemetry: Telemetry = SILENCE,
        seconds: Callable[[], float] = perf_counter,
    ) -> None:
        """``seconds`` is by which circuits count how long they are open."""
        self._entropy, self._telemetry, self._seconds = entropy, telemetry, seconds
        self._limits, self._programs = limits or Limits(), programs or Programs()
        self._pools: dict[str, Pool] = {}
        self._living: set[Child] = set()
        self._owner = os.getpid()
        self._closed = False
        # Whoever forgets to close it leaves no process behind, but for the moment until it is collected.
        weakref.finalize(self, _end_all, self._living)

    async def run(self, script: Script, arguments: Sequence[Any], context: Mapping[str, Any] | None) -> ScriptAnswer:
        """Run a script once. Raises ``ScriptFailed``; see the port."""
        self._look_where_we_are()
        pool = self._pools.setdefault(script.connection_id, Pool(self._limits))
        heard = Heard(self._entropy.token())
        asked = question(heard.id, script, arguments, context)
        with self._telemetry.timed(SCRIPT, script.name, script.language):
            pool.calls += 1
            try:
                return await self._counted(pool, script, asked, heard)
            except Failure as failed:
                pool.failures, pool.last_failure = pool.failures + 1, f"{script.name}: {failed}"
                self._telemetry.count(SCRIPT_FAILURES, failed.reason)
                raise ScriptFailed(script.name, detail=str(failed), console=heard.console()) from None

    def health(self, connection_id: str) -> ScriptHealth:
        """Return how the scripts of a connection fare in this process."""
        self._look_where_we_are()
        pool = self._pools.get(connection_id)
        return pool.health() if pool else ScriptHealth()

    async def close(self) -> None:
        """End the children; calls under way fail, and so does whatever is called afterwards."""
        self._closed = True
        _end_all(self._living)

    async def _counted(self, pool: Pool, script: Script, asked: bytes, heard: Heard) -> ScriptAnswer:
        """Run it where its circuit lets it, and tell the circuit."""
        name, known, began = script.name, pool.circuits, self._seconds()
        admitted = circuits.admitted(known[name], began)
        if admitted is None or (known[name].trying and pool.is_full):
            raise Failure("open", "it failed too often, and is left alone for a while")
        known[name] = admitted
        try:
            answer = await self._placed(pool, script, asked, heard, decides=admitted.trying)
        except Failure as failed:
            waited_since = began if failed.reason == "timeout" else None
            after = circuits.after_failure(known[name], self._seconds(), waited_since)
            self._turn(pool, name, after if failed.breaks else circuits.given_up(known[name]))
            raise
        except BaseException:
            self._turn(pool, name, circuits.given_up(known[name]))
            raise
        self._turn(pool, name, circuits.after_success(self._seconds()))
        return answer

    def _turn(self, pool: Pool, name: ScriptName, circuit: Circuit) -> None:
        self._telemetry.count(OPEN_CIRCUITS, by=circuit.is_open - pool.circuits[name].is_open)
        pool.circuits[name] = circuit

    async def _placed(self, pool: Pool, script: Script, asked: bytes, heard: Heard, *, decides: bool) -> ScriptAnswer:
        await pool.enter()
        try:
            circuit = pool.circuits[script.name]
            if circuit.is_open and not (decides and circuit.trying):
                raise Failure("open", "it failed too often while this call waited")
            begun = perf_counter()
            await self._answered(pool, script, asked, heard)
            assert heard.answer is not None
            answer, seconds = heard.answer, perf_counter() - begun
            return ScriptAnswer(answer.value, answer.refusal, heard.console(), seconds, answer.more)
        finally:
            pool.leave()

    async def _answered(self, pool: Pool, script: Script, asked: bytes, heard: Heard) -> None:
        if self._closed:
            raise Failure("closed", "the runtime is closed")
        child = pool.take(script) or await self._started(script)
        try:
            child.calls += 1
            child.loaded[script.name] = digest(script)
            await self._asked(child, asked, heard)
        finally:
            if heard.answer is None or heard.last:
                child.end()
            pool.put_back(child)
            self._forget_ended()

    async def _asked(self, child: Child, asked: bytes, heard: Heard) -> None:
        exchange = Exchange(child, self._limits, heard.line)
        try:
            await exchange.ask(asked, self._limits.seconds)
        except Failure as failed:
            raise await _explained(failed, child, bytes(exchange.printed)) from None
        finally:
            heard.text(exchange.printed.decode("utf-8", "replace"))

    # --- a new child --------------------------------------------------------------------------------------------------

    async def _started(self, script: Script) -> Child:
        """Start a child and wait until it is ready: that is not the script's time. Raises ``Failure``."""
        starting = asyncio.create_task(asyncio.to_thread(self._start, script))
        try:
            child = await asyncio.shield(starting)
        except asyncio.CancelledError:
            starting.add_done_callback(_end_unwanted)
            raise
        except OSError as error:
            raise Failure("start", f"its process cannot be started: {error}") from None
        if self._closed:
            child.end()
            raise Failure("closed", "the runtime is closed")
        self._living.add(child)
        self._telemetry.count(SCRIPT_CHILDREN, by=1)
        exchange = Exchange(child, self._limits, is_ready)
        try:
            await exchange.ask(self._greeting(script), self._limits.start)
        except BaseException as error:
            how = await how_it_ended(child) if isinstance(error, Failure) and error.reason == "ended" else str(error)
            child.end()
            self._forget_ended()
            if not isinstance(error, Failure):
                raise
            said = exchange.printed.decode("utf-8", "replace").strip()[-_LAST_WORDS:]
            raise Failure("start", f"its process did not start ({how}): {said}") from None
        return child

    def _start(self, script: Script) -> Child:
        return started(plan_of(script.language, self._limits, self._programs), edition(script))

    def _greeting(self, script: Script) -> bytes:
        node, packages = script.language == "node", self._programs.packages
        return greeting(script, place=self._programs.above_modules if node else packages)

    # --- children that are gone ---------------------------------------------------------------------------------------

    def _forget_ended(self) -> None:
        gone = {child for child in self._living if child.ended}
        self._living -= gone
        self._telemetry.count(SCRIPT_CHILDREN, by=-len(gone))

    def _look_where_we_are(self) -> None:
        """In a process that was forked off, let go of what belongs to the other: two must not ask one child."""
        if os.getpid() != self._owner:
            _end_all(self._living)  # which kills nothing that it did not start
            self._living.clear()
            self._pools.clear()
            self._owner = os.getpid()


async def _explained(failed: Failure, child: Child, printed: bytes) -> Failure:
    """Return the failure with what can be known of the end of a process."""
    if failed.reason != "ended" or str(failed) != "its process ended":
        return failed
    how = await how_it_ended(child)
    if _OUT_OF_HEAP in printed:
        return Failure("memory", "it took more memory than it may")
    if how == "SIGXCPU":
        return Failure("timeout", "it took more processor time than it may")
    return Failure("ended", f"its process ended ({how})")


def _end_all(children: set[Child]) -> None:
    for child in list(children):
        child.end()


def _end_unwanted(starting: "asyncio.Task[Child]") -> None:
    if not starting.cancelled() and starting.exception() is None:
        starting.result().end()
