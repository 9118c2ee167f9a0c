"""Administrators try action scripts, before they are saved and after; no account of ours is written (CD-11)."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from keystead.db import journal
from keystead.db.connections import ConnectionRecord
from keystead.db.session import Database
from keystead.errors import BadRequest, Busy, TooManyRequests
from keystead.flows import reach
from keystead.flows.journal import Journal
from keystead.flows.operations import Operation
from keystead.flows.script_runs import ScriptRuns
from keystead.ports import Attempts, Entropy
from keystead.rules.action_scripts import ScriptLanguage, ScriptName, ScriptRefusal
from keystead.rules.connection_options import ConnectionOptions
from keystead.rules.identifiers import IdentifierKind
from keystead.rules.script_checks import CHECKS
from keystead.rules.script_contract import Cast, Finding, Person, read_contract, suite
from keystead.rules.script_secrets import masked, masked_refusal
from keystead.rules.script_trials import Tried, meaning, profile_of, read_trial, warnings
from keystead.secrecy import Secret

TRIALS: Final = 60
"""How many trials of a connection's scripts may be made at once; one more a second after that."""

COST_OF_SUITE: Final = 20
"""What the contract suite costs of them."""

WAIT: Final = 5.0
"""Seconds that a trial waits for another one: one runs at a time, and logins have the rest of the machine."""

MOST_SECONDS: Final = 120.0
"""How long scripts may run for one contract suite; after that only what was made is deleted."""

_PURPOSE: Final = "script-trials"


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of a trial, with nothing in it that must not be shown."""

    script: ScriptName
    language: ScriptLanguage
    tried: Tried
    value: Any
    more: Sequence[Any]
    console: Sequence[str]
    refusal: ScriptRefusal | None
    message: str
    meaning: str
    profile: Mapping[str, Any] | None
    """What Keystead would take of a returned profile."""
    warnings: Sequence[str]


@dataclass(frozen=True)
class ScriptTrials:
    """Runs scripts for whoever wrote them."""

    db: Database
    runs: ScriptRuns
    attempts: Attempts
    journal: Journal
    entropy: Entropy
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)

    async def run(self, connection_id: str, name: ScriptName, body: Mapping[str, Any], operation: Operation) -> Trial:
        """Run one script once, with what is given.

        Raises ``NoSuchConnection``, ``BadRequest``, ``TooManyRequests``, and ``Busy`` where others try.
        """
        record = await self.db.read(reach.connection, connection_id)
        trial, given = read_trial(name, body)
        script = self.runs.script(
            record, name, "try", source=trial.source, language=trial.language, configuration=trial.configuration
        )
        if script is None:
            raise BadRequest(f"The connection has no script {name}; send one as source", path="source")
        context = (trial.context or {}) if record.policy().enable_script_context or trial.context is not None else None
        async with self._charged(connection_id, 1):
            tried = await self.runs.run(script, given.arguments, context)
        await self._journal(operation, "Try an action script", record, script=name, outcome=tried.outcome)
        profile, refusals = _profile(name, tried, record.policy(), given.arguments)
        hidden = (*given.hidden, *(value.reveal() for value in script.configuration.values()))
        refusal = masked_refusal(tried.refusal, hidden) if tried.refusal else None
        return Trial(
            script=name,
            language=script.language,
            tried=tried,
            value=masked(tried.value, hidden),
            more=masked(list(tried.answer.more), hidden) if tried.answer else [],
            console=masked(list(tried.console), hidden),
            refusal=refusal,
            message=refusal.message if refusal else masked(tried.failure, hidden),
            meaning=meaning(name, tried),
            profile=masked(profile, hidden),
            warnings=masked([*refusals, *warnings(name, tried)], hidden),
        )

    async def test(self, connection_id: str, body: Mapping[str, Any], operation: Operation) -> list[Finding]:
        """Run the contract suite against the scripts of a connection, and return what each check found.

        Somebody is made for it in the customer's database and deleted again, where there are scripts for that and
        nobody was named. Raises ``NoSuchConnection``, ``BadRequest``, ``TooManyRequests``, ``Busy``.
        """
        record = await self.db.read(reach.connection, connection_id)
        options, named = record.policy(), read_contract(body)
        if not options.scripts:
            raise BadRequest("The connection has no scripts", path="")
        cast = self._cast(record, options, named)
        async with self._charged(connection_id, COST_OF_SUITE):
            found = await self._suite(record, cast)
        failed = [each.check for each in found if each.status == "failed"]
        await self._journal(operation, "Test the action scripts", record, failed=failed)
        people = [cast.throw_away, cast.spare, *([cast.named] if cast.named else [])]
        hidden = [*(each.password.reveal() for each in people)]
        hidden += [value.reveal() for value in self.runs.opened(record).values()]
        return [
            Finding(
                each.check,
                each.title,
                each.status,
                masked(each.found, hidden),
                masked(each.advice, hidden),
                each.seconds,
            )
            for each in found
        ]

    async def _suite(self, record: ConnectionRecord, cast: Cast) -> list[Finding]:
        checks = suite(cast, CHECKS)
        spent = 0.0
        try:
            ask = next(checks)
            while True:
                if spent > MOST_SECONDS and ask.name != "delete":
                    tried = Tried(failure=f"the suite has taken longer than {MOST_SECONDS:.0f} s")
                else:
                    context = (ask.context or {}) if cast.has_context else None
                    script = self.runs.script(record, ask.name, "try")
                    assert script is not None  # the suite asks for scripts that there are
                    tried = await self.runs.run(script, ask.arguments, context)
                spent += tried.seconds
                ask = checks.send(tried)
        except StopIteration as ended:
            found: list[Finding] = ended.value
            return found

    def _cast(self, record: ConnectionRecord, options: ConnectionOptions, named: Person | None) -> Cast:
        """Make up who the suite is about: names that nobody has, below a domain that is nobody's (RFC 2606)."""
        first, second, nobody = (self.entropy.bytes(5).hex() for _ in range(3))
        kinds = tuple(dict.fromkeys([*options.active_identifiers(), *options.stored_attributes()]))
        required = tuple(kind for kind, status in options.signup_attributes().items() if status == "required")
        return Cast(
            scripts=frozenset(options.scripts),
            throw_away=_made_up(first, kinds, Secret(f"Kt1! {self.entropy.token(12)}")),
            spare=_made_up(
                second, kinds, Secret(f"Kt2! \N{EURO SIGN}\N{LATIN SMALL LETTER U WITH DIAERESIS} {second}")
            ),
            nobody=next(iter(_identifiers(nobody, kinds).values())),
            named=named,
            about={"tenant": "keystead", "connection": record.name, "client_id": "keystead-scripts-test"},
            has_context=options.enable_script_context,
            required=required,
        )

    @asynccontextmanager
    async def _charged(self, connection_id: str, cost: float) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(WAIT):
                await self._turn.acquire()
        except TimeoutError:
            raise Busy(WAIT, detail="others try scripts") from None
        try:
            charge = await self.attempts.take(f"{_PURPOSE}/{connection_id}", TRIALS, 1.0, cost)
            if not charge.allowed:
                raise TooManyRequests(charge.retry_after, detail=_PURPOSE)
            yield
        finally:
            self._turn.release()

    async def _journal(self, operation: Operation, what: str, record: ConnectionRecord, **about: Any) -> None:
        event = operation.event(self.journal, what, connection_id=record.id, **about)
        await self.db.write(journal.add, event)


def _profile(
    name: ScriptName, tried: Tried, options: ConnectionOptions, arguments: Sequence[Any]
) -> tuple[dict[str, Any] | None, list[str]]:
    """Return what Keystead would take of a profile that a script returned, if it did; and why not."""
    if name not in ("login", "get_user", "create") or tried.value is None:
        return None, []
    return profile_of(tried.value, options, arguments[0] if isinstance(arguments[0], str) else "")


def _made_up(name: str, kinds: tuple[IdentifierKind, ...], password: Secret[str]) -> Person:
    return Person(_identifiers(name, kinds), password)


def _identifiers(name: str, kinds: tuple[IdentifierKind, ...]) -> dict[IdentifierKind, str]:
    digits = f"{int(name, 16) % 10_000_000:07d}"
    found: dict[IdentifierKind, str] = {
        "email": f"keystead-test-{name}@example.com",
        "username": f"kt{name}",
        "phone_number": f"+1555{digits}",
    }
    return {kind: found[kind] for kind in kinds}
