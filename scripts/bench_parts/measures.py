"""What is measured of one running server."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any

from scripts.bench_parts import previews, raw
from scripts.bench_parts.load import Caller, Load, callers, each, get, post, storm
from scripts.bench_parts.report import Check, Figures
from scripts.bench_parts.server import Server

from authenticator import ES256, Authenticator

PASSWORD = "correct horse battery"  # noqa: S105 - of nobody
PASSKEY_GRANT = "urn:okta:params:oauth:grant-type:webauthn"
SCOPE = "openid profile email"
JWKS = get("/.well-known/jwks.json")

STORMING = 32
"""Clients that log in with a password, without pause."""
EACH = 4
"""Accounts of each of them, so that nobody logs in more often than one person may in a minute."""
ACCOUNTS = EACH * STORMING
CALLING = 16
"""Clients of everything else."""
ROUNDS = 2
"""How often the storm and its yardstick take turns: what else runs on the machine then hits both."""
PAUSE = 0.01
"""Seconds between two checks of one caller, where it is latency that is measured."""


@dataclass(frozen=True)
class Bench:
    """A server, and what its first start told scripts."""

    server: Server
    accounts: list[str]

    @property
    def client_id(self) -> str:
        """The default client."""
        return str(self.server.first_run["clients"]["default"]["client_id"])

    def sign_up(self, email: str) -> bytes:
        """Return a request to sign up with a password."""
        connection = self.server.first_run["connection"]["name"]
        body = {"client_id": self.client_id, "connection": connection, "email": email, "password": PASSWORD}
        return post("/dbconnections/signup", body)

    def log_in(self, email: str) -> bytes:
        """Return a request to log in with a password."""
        return self._token(grant_type="password", username=email, password=PASSWORD)

    def answer(self, auth_session: str, response: object) -> bytes:
        """Return a request to finish a ceremony."""
        return self._token(grant_type=PASSKEY_GRANT, auth_session=auth_session, authn_response=response)

    def _token(self, **members: object) -> bytes:
        return post("/oauth/token", {"client_id": self.client_id, "scope": SCOPE, **members})


async def of(server: Server, workers: int) -> Figures:
    """Measure everything; some 45 seconds."""
    bench = Bench(server, [f"person-{number}.of-{workers}@example.com" for number in range(ACCOUNTS)])
    sign_ups = await _sign_ups(bench)
    token = await _token(bench)
    userinfo = get("/userinfo", token)
    rest = await _checks(server, userinfo, 3.0)
    figures = Figures(
        workers=workers,
        ready=server.ready_after,
        sign_ups=sign_ups.rate,
        userinfo_rest=Check.of(rest[0]),
        jwks_rest=Check.of(rest[1]),
    )
    figures = await _checks_per_second(server, userinfo, figures)
    figures = await _password_logins(bench, userinfo, figures)
    figures = await _passkey_logins(bench, workers, figures)
    figures = await _previews(server, workers, figures)
    return replace(figures, memory=server.memory())


async def _sign_ups(bench: Bench) -> Load:
    async def sign_up(caller: Caller, number: int) -> None:
        (await caller.send(bench.sign_up(bench.accounts[number]))).json()

    async with callers(bench.server.port, CALLING) as together:
        return await each(together, ACCOUNTS, sign_up)


async def _token(bench: Bench) -> str:
    async with callers(bench.server.port, 1) as (caller,):
        return str((await caller.send(bench.log_in(bench.accounts[0]))).json()["access_token"])


async def _checks(server: Server, userinfo: bytes, seconds: float) -> tuple[Load, Load]:
    """Time ``/userinfo`` and the JWKS, one caller each that pauses between two."""
    async with callers(server.port, 2) as (one, other):
        return await asyncio.gather(
            storm([one], seconds, _asking(userinfo), pause=PAUSE),
            storm([other], seconds, _asking(JWKS), pause=PAUSE),
        )


async def _checks_per_second(server: Server, userinfo: bytes, figures: Figures) -> Figures:
    async with callers(server.port, CALLING) as together:
        await storm(together, 0.5, _asking(userinfo))
        load, cost = await _costed(server, storm(together, 4.0, _asking(userinfo)))
    return replace(figures, checks=load.rate, check_cost=cost.server, driver_check_cost=cost.driver)


async def _password_logins(bench: Bench, userinfo: bytes, figures: Figures) -> Figures:
    """Take turns: bare bcrypt, a storm alone (for its rate), and a storm that others are timed beside."""
    alone, bare, userinfo_load, jwks_load = Load(), [], Load(), Load()
    for _ in range(ROUNDS):
        bare.append(await asyncio.to_thread(raw.bcrypt_per_second, 3.0))
        async with callers(bench.server.port, STORMING) as together:
            alone.add(await storm(together, 6.0, _logging_in(bench)))
        async with callers(bench.server.port, STORMING) as together:
            # Those who log in go on for a little longer than those who are timed.
            _, checked = await asyncio.gather(
                storm(together, 6.0, _logging_in(bench)), _checks_later(bench.server, userinfo, 5.0)
            )
            userinfo_load.add(checked[0])
            jwks_load.add(checked[1])
    bare.append(await asyncio.to_thread(raw.bcrypt_per_second, 3.0))
    return replace(
        figures,
        logins=alone.rate,
        bcrypt=tuple(bare),
        userinfo_storm=Check.of(userinfo_load),
        jwks_storm=Check.of(jwks_load),
    )


async def _passkey_logins(bench: Bench, workers: int, figures: Figures) -> Figures:
    """Let callers with a passkey each log in: a challenge, and its answer at the token endpoint."""
    origin = bench.server.origin
    devices = [Authenticator(algorithms=(ES256,)) for _ in range(CALLING)]

    async def register(caller: Caller, number: int) -> None:
        profile = {"email": f"passkey-{number}.of-{workers}@example.com"}
        body = {"client_id": bench.client_id, "user_profile": profile}
        begun = (await caller.send(post("/passkey/register", body))).json()
        response = devices[number].create(begun["authn_params_public_key"], origin=origin)
        (await caller.send(bench.answer(begun["auth_session"], response))).json()

    challenge = post("/passkey/challenge", {"client_id": bench.client_id})

    async def log_in(caller: Caller) -> None:
        begun = (await caller.send(challenge)).json()
        response = devices[caller.number].get(begun["authn_params_public_key"], origin=origin)
        (await caller.send(bench.answer(begun["auth_session"], response))).json()

    before = await asyncio.to_thread(raw.passkeys_per_second, 2.0, workers)
    async with callers(bench.server.port, CALLING) as together:
        await each(together, CALLING, register)
        load, cost = await _costed(bench.server, storm(together, 5.0, log_in))
    after = await asyncio.to_thread(raw.passkeys_per_second, 2.0, workers)
    return replace(
        figures,
        passkeys=load.rate,
        passkeys_raw=(before + after) / 2,
        passkey_cost=cost.server,
        driver_passkey_cost=cost.driver,
        signing_cost=raw.signing_cost(),
    )


async def _previews(server: Server, workers: int, figures: Figures) -> Figures:
    """Ask what another policy would do to many passkeys, between two rounds of judging them without a server."""
    before, memory = await asyncio.to_thread(raw.judgements_per_second, 1.0), server.memory()
    previewed = await previews.per_second(server, workers)
    after = await asyncio.to_thread(raw.judgements_per_second, 1.0)
    return replace(
        figures,
        previewed=previewed,
        judged_raw=(before + after) / 2,
        preview_memory=server.memory() - memory,
    )


def _asking(request: bytes) -> Callable[[Caller], Coroutine[Any, Any, None]]:
    async def ask(caller: Caller) -> None:
        (await caller.send(request)).json()

    return ask


def _logging_in(bench: Bench) -> Callable[[Caller], Coroutine[Any, Any, None]]:
    turns = [0] * STORMING

    async def log_in(caller: Caller) -> None:
        turns[caller.number] += 1
        account = bench.accounts[EACH * caller.number + turns[caller.number] % EACH]
        (await caller.send(bench.log_in(account))).json()

    return log_in


@dataclass(frozen=True, slots=True)
class _Cost:
    """Milliseconds of processor time for one answer: the server's workers', and this process's."""

    server: float
    driver: float


async def _costed(server: Server, work: Coroutine[Any, Any, Load]) -> tuple[Load, _Cost]:
    served, driven = server.processor_seconds(), time.process_time()
    load = await work
    answers = max(len(load.latencies), 1)
    spent = server.processor_seconds() - served
    return load, _Cost(spent * 1000 / answers, (time.process_time() - driven) * 1000 / answers)


async def _checks_later(server: Server, userinfo: bytes, seconds: float) -> tuple[Load, Load]:
    await asyncio.sleep(0.5)
    return await _checks(server, userinfo, seconds)
