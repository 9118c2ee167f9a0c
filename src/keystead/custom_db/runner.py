"""The script runtime: whatever a customer's code does, its call ends, and only its own connection notices."""

import asyncio
import sys
import weakref
from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import Any

from keystead.custom_db.child_process import Child, Ended, Exchange, started
from keystead.custom_db.commands import NoProgram, plan_of
from keystead.custom_db.limits import Limits, Programs
from keystead.custom_db.messages import Gibberish, Heard, digest, edition, greeting, question
from keystead.custom_db.pool import Full, Pool
from keystead.errors import ScriptFailed
from keystead.ports import Entropy
from keystead.rules.action_scripts import Script, ScriptAnswer

_KIB = 1024


class Children:
    """``ports.ScriptRuntime``: warm child processes, apart for each connection."""

    def __init__(self, entropy: Entropy, limits: Limits | None = None, programs: Programs | None = None) -> None:
        self._entropy = entropy
        self._limits, self._programs = limits or Limits(), programs or Programs()
        self._pools: dict[str, Pool] = {}
        self._living: weakref.WeakSet[Child] = weakref.WeakSet()
        self._closed = False

    async def run(self, script: Script, arguments: Sequence[Any], context: Mapping[str, Any] | None) -> ScriptAnswer:
        """Run a script once. Raises ``ScriptFailed``; see the port."""
        pool = self._pools.setdefault(script.connection_id, Pool(self._limits))
        try:
            await pool.enter()
        except (Full, TimeoutError):
            raise ScriptFailed(script.name, detail="all of its connection's children are at work") from None
        try:
            return await self._run(pool, script, arguments, context)
        finally:
            pool.leave()
            pool.tidy()

    async def close(self) -> None:
        """End the children."""
        self._closed = True
        for child in list(self._living):
            child.end()

    async def _run(
        self, pool: Pool, script: Script, arguments: Sequence[Any], context: Mapping[str, Any] | None
    ) -> ScriptAnswer:
        if self._closed:
            raise ScriptFailed(script.name, detail="the runtime is closed")
        heard, begun = Heard(self._entropy.token()), perf_counter()
        asked = question(heard.id, script, arguments, context)
        child = pool.take(script)
        try:
            if child is None:
                child = await self._started(script)
                asked = greeting(script, packages=self._packages(), modules=self._modules()) + asked
            child.calls += 1
            child.loaded[script.name] = digest(script)
            await self._exchange(child, asked, heard)
        except (Ended, Gibberish, NoProgram, OSError, TimeoutError) as error:
            why = f"it took longer than {self._limits.seconds:g} s" if isinstance(error, TimeoutError) else str(error)
            raise ScriptFailed(script.name, detail=why, console=heard.console()) from None
        finally:
            if child is not None:
                if heard.answer is None or heard.last:
                    child.end()
                pool.put_back(child)
        assert heard.answer is not None
        answer = heard.answer
        return ScriptAnswer(answer.value, answer.refusal, heard.console(), perf_counter() - begun, answer.more)

    async def _exchange(self, child: Child, asked: bytes, heard: Heard) -> None:
        def hear(line: bytes) -> bool:
            heard.line(line)
            return heard.answer is not None

        exchange = Exchange(child, asked, self._limits.output * _KIB, hear)
        try:
            await asyncio.wait_for(exchange.done(), self._limits.seconds)
        finally:
            exchange.close()
            heard.text(exchange.printed.decode("utf-8", "replace"))

    async def _started(self, script: Script) -> Child:
        starting = asyncio.create_task(asyncio.to_thread(self._start, script))
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            starting.add_done_callback(_end_unwanted)
            raise

    def _start(self, script: Script) -> Child:
        plan = plan_of(script.language, self._limits, self._programs, sys.executable)
        child = started(plan, edition(script))
        self._living.add(child)
        return child

    def _packages(self) -> list[str]:
        return [self._programs.packages] if self._programs.packages else []

    def _modules(self) -> str:
        above = self._programs.above_modules
        return str(above.resolve()) if above else "/nonexistent"


def _end_unwanted(starting: "asyncio.Task[Child]") -> None:
    if not starting.cancelled() and starting.exception() is None:
        starting.result().end()
