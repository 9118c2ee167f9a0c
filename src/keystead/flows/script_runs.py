"""Action scripts run apart from those that people wait for: by administrators who try them, and by shadow mode."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from keystead.db.connections import ConnectionRecord
from keystead.errors import BadRequest, InternalError, ScriptFailed
from keystead.flows.configuration import opened
from keystead.ports import ScriptRuntime, Sealer
from keystead.rules.action_scripts import Script, ScriptLanguage, ScriptName
from keystead.rules.script_trials import Tried
from keystead.secrecy import Secret

Apart = Literal["try", "shadow"]
"""Who else runs scripts of a connection. Each has children and a circuit of its own: an edited script that is broken,
or a database that is slow to answer comparisons, must not stop anybody's login."""

_UNKNOWN: Final = "the script failed"


@dataclass(frozen=True)
class ScriptRuns:
    """Runs scripts, and returns what came of it whatever came of it."""

    runtime: ScriptRuntime
    sealer: Sealer

    def script(
        self,
        record: ConnectionRecord,
        name: ScriptName,
        apart: Apart,
        *,
        source: str | None = None,
        language: ScriptLanguage | None = None,
        configuration: Mapping[str, str] | None = None,
    ) -> Script | None:
        """Return a script of a connection, or what is given instead of it; ``None`` where there is neither.

        Raises ``BadRequest`` where a secret key is gone that a value of the configuration was sealed with.
        """
        options = record.policy()
        source = source if source is not None else options.scripts.get(name)
        if source is None:
            return None
        try:
            values = self.opened(record)
        except InternalError:
            path = "options.configuration"
            raise BadRequest("A value cannot be opened: the secret key that sealed it is gone", path=path) from None
        values |= {key: Secret(value) for key, value in (configuration or {}).items()}
        return Script(f"{record.id}/{apart}", name, language or options.script_language, source, values)

    def opened(self, record: ConnectionRecord) -> dict[str, Secret[str]]:
        """Return the configuration values of a connection. Raises ``InternalError`` where a secret key is gone."""
        return opened(self.sealer, record.id, record.options)

    async def run(self, script: Script, arguments: Sequence[Any], context: Mapping[str, Any] | None) -> Tried:
        """Run a script once."""
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            answer = await self.runtime.run(script, arguments, context)
        except ScriptFailed as failed:
            return Tried(failure=failed.detail or _UNKNOWN, console=failed.console, seconds=clock() - began)
        return Tried(answer, console=answer.console, seconds=answer.seconds)
