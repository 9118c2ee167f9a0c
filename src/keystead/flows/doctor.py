"""The doctor: everything that an installation needs is looked at. What is wrong with one thing hides no other."""

import asyncio
import importlib.metadata
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from hmac import compare_digest
from typing import Any, Final
from urllib.parse import urlsplit

from sqlmodel import Session

from keystead.db import clients, connections, health, jobs, journal, keys, passkey_counts, schema
from keystead.db.connections import ConnectionRecord
from keystead.db.session import Database
from keystead.errors import Busy, DatabaseUnavailable, DeliveryFailed, DomainError, InternalError, PasswordUnchecked
from keystead.flows.administrator_setup import PURPOSE
from keystead.flows.authenticator_models import stored_metadata
from keystead.flows.mail_provider import stored
from keystead.flows.relying_party import current
from keystead.flows.vitals import MOST_UNSEALED
from keystead.ports import Attempts, BreachSource, Clock, Entropy, Hasher, Prober, Sealer
from keystead.rules import app_links, reachability
from keystead.rules import health as verdicts
from keystead.rules.action_scripts import ScriptLanguage
from keystead.rules.health import Finding, Given, Interpreters, error, ok, skipped, warning
from keystead.rules.mail_servers import MailServer, server_of
from keystead.rules.script_findings import failing, scripts
from keystead.rules.script_health import LATELY
from keystead.secrecy import Secret

PROBE: Final = "doctor"
"""For what the doctor proves itself to a server, and the server to it: only who has the secret keys can."""

PROBE_SECONDS: Final = 300
"""How old a question of the doctor's may be."""

_KEY_PURPOSE: Final = "signing-keys"
_LIBRARIES: Final = ("starlette", "uvicorn", "sqlalchemy", "webauthn", "cryptography", "joserfc", "pydantic", "bcrypt")
_HTTPS: Final = 443

KEPT: Final = timedelta(seconds=10)
"""How long what was found is good for whoever asks again."""

_AGAIN: Final = 10.0

Check = Callable[[], Awaitable[list[Finding]]]


@dataclass(frozen=True)
class Machine:
    """What is around an installation, as the settings name it."""

    given: Given
    version: str
    python: str
    data_dir: str
    key_file: str
    """Empty where the secret keys are not in a file of ours."""
    key_count: int
    mail: MailServer | None
    """The server that the environment names."""
    redis: Callable[[], Attempts] | None
    """Opens where attempts are counted, if that is not the database."""
    breaches: Callable[[], BreachSource | None]
    """Opens where breached passwords are known from."""
    interpreters: Callable[[], Interpreters]
    """Asks what runs action scripts; blocks."""


@dataclass(frozen=True)
class Doctor:
    """Looks. It changes nothing, and sends nothing but a mail that was asked for."""

    machine: Machine
    db: Database
    sealer: Sealer
    hasher: Hasher
    prober: Prober
    clock: Clock
    entropy: Entropy

    async def __call__(self, *, offline: bool, send_to: str = "") -> list[Finding]:
        """Return what was found, in the order of the documentation."""
        checks: list[Check] = [self._settings, self._machine, partial(self._stored, thorough=True), self._sealed]
        checks += [self._scripts, self._hash]
        if not offline:
            checks += [self._public, self._documents, partial(self._mail, send_to), self._counters, self._breaches]
        # One after the other: a slow host must not make another one look slow, nor the hash.
        return await _all(checks)

    async def at_start(self) -> list[Finding]:
        """Return what needs neither the network nor time, beside the settings: for whoever starts a server."""
        return await _all([self._machine, partial(self._stored, thorough=False)])

    def answer(self, question: str, seen: dict[str, Any]) -> dict[str, Any] | None:
        """Return how a request arrived, to a doctor of this installation; ``None`` to anybody else."""
        moment, _, rest = question.partition(".")
        nonce, _, proof = rest.partition(".")
        fresh = moment.isascii() and moment.isdigit() and len(moment) < 12
        if not fresh or abs(self.clock().timestamp() - int(moment)) > PROBE_SECONDS:
            return None
        if not compare_digest(proof.encode("utf-8"), self.sealer.fingerprint(f"ask {moment}.{nonce}", PROBE).encode()):
            return None
        return {"proof": self.sealer.fingerprint(f"answer {moment}.{nonce}", PROBE), **seen}

    async def _settings(self) -> list[Finding]:
        given = self.machine.given
        if not given.has_mail:
            provider = await self.db.read(stored, self.sealer)
            given = replace(given, has_mail=bool(provider and provider.enabled))
        return verdicts.of_settings(given)

    async def _machine(self) -> list[Finding]:
        machine, found = self.machine, await self.db.read(health.facts)
        paths = [machine.data_dir, *([found.file, f"{found.file}-wal"] if found.file else [])]
        modes = self.prober.modes(*paths, f"{machine.data_dir}/first-run.json", machine.key_file)
        file_mode = modes.pop(machine.key_file, None)
        findings = [
            verdicts.secret_keys(machine.key_count, file_mode),
            *verdicts.database(found, machine.given),
            verdicts.files(modes),
            verdicts.disk(machine.data_dir, *self.prober.room(machine.data_dir)),
        ]
        if found.now is not None:
            apart = (found.now - self.clock()).total_seconds()
            findings.append(verdicts.clock("database_clock", "the database's clock", apart))
        return findings

    async def _stored(self, *, thorough: bool) -> list[Finding]:
        needed = await asyncio.to_thread(schema.latest)
        stands = verdicts.schema(await self.db.read(schema.stands_at), needed)
        if stands.is_bad:
            return [stands, skipped("stored", "what is stored cannot be read until the schema is as needed")]
        return [stands, *await self.db.read(self._looked, thorough)]

    def _looked(self, session: Session, thorough: bool) -> list[Finding]:
        """Look at what is stored; ``thorough`` counts passkeys, which takes a while where there are many."""
        now, party = self.clock(), current(session, self.machine.given.public_url)
        counts: Counter[str] | None = Counter() if thorough else None
        if counts is not None:
            for _, tally in passkey_counts.by_rp_id(session, party.id):
                counts[tally.rp_id] += tally.passkeys
        roles, link = health.administrators(session), health.tickets_until(session, PURPOSE)
        return [
            *verdicts.relying_party(party, counts),
            verdicts.administrators(roles, link, now, invited=health.invited_owners(session)),
            verdicts.jobs(jobs.standing(session, now)),
            verdicts.journal(health.unsealed(session, MOST_UNSEALED), MOST_UNSEALED),
            verdicts.metadata(stored_metadata(session), now.date()),
        ]

    async def _sealed(self) -> list[Finding]:
        broken, opened = [], 0
        for key in await self.db.read(keys.known):
            if key.has_private_half:
                try:
                    self.sealer.open(key.sealed_private, _KEY_PURPOSE)
                except InternalError:
                    broken.append(f"signing key {key.kid}")
                else:
                    opened += 1
        try:
            await self.db.read(stored, self.sealer)
        except InternalError:
            broken.append("the mail provider")
        return [verdicts.sealed(broken, opened)]

    async def _scripts(self) -> list[Finding]:
        needed = await self.db.read(_with_scripts)
        tools = await asyncio.to_thread(self.machine.interpreters) if needed else None
        found = scripts(needed, tools, reach_database=self.machine.given.scripts_reach_database)
        return [*found, *await self.db.read(_failing, self.clock() - LATELY)]

    async def _hash(self) -> list[Finding]:
        began = time.perf_counter()
        await self.hasher.hash(b"a password of nobody")
        milliseconds = (time.perf_counter() - began) * 1000
        machine = self.machine
        libraries = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in _LIBRARIES)
        about = f"Keystead {machine.version}, Python {machine.python}; {libraries}"
        return [verdicts.hashing(milliseconds, machine.given), ok("versions", about)]

    async def _public(self) -> list[Finding]:
        given, now = self.machine.given, self.clock()
        url, parts = given.public_url, urlsplit(given.public_url)
        question = f"{int(now.timestamp())}.{self.entropy.token(12)}"
        proof = self.sealer.fingerprint(f"ask {question}", PROBE)
        fetched = await self.prober.fetch(f"{url}/healthz?probe={question}.{proof}")
        findings = [reachability.reached(url, fetched, self.sealer.fingerprint(f"answer {question}", PROBE))]
        if given.is_https:
            shown = await self.prober.certificate(parts.hostname or "", parts.port or _HTTPS)
            findings.append(reachability.tls(shown, now))
        if fetched.date is not None:
            apart = (fetched.date - self.clock()).total_seconds()
            findings.append(verdicts.clock("public_clock", f"the clock at {url}", apart))
        if findings[0].status == "ok":
            findings.append(reachability.proxy(fetched.document()["probe"], given.is_https, parts.netloc))
        return findings

    async def _documents(self) -> list[Finding]:
        if not self.machine.given.is_https:
            why = "browsers and platforms look under https alone"
            return [skipped("related_origins", why), skipped("app_links", why)]
        party, apps = await self.db.read(_published, self.machine.given.public_url)
        wanted = {
            "webauthn": {"origins": list(party.published)} if party.published else None,
            "assetlinks.json": app_links.for_android(apps) or None,
            "apple-app-site-association": app_links.for_apple(apps),
        }
        found = []
        for name, document in wanted.items():
            check = "related_origins" if name == "webauthn" else "app_links"
            url = f"https://{party.id}/.well-known/{name}"
            if document is None:
                found.append(ok(check, f"nobody needs {name}"))
            else:
                found.append(reachability.published(check, url, await self.prober.fetch(url), document))
        return found

    async def _mail(self, send_to: str) -> list[Finding]:
        provider = await self.db.read(stored, self.sealer)
        is_stored = bool(provider and provider.enabled)
        server = server_of(provider) if provider and provider.enabled else self.machine.mail
        if server is None:
            return [skipped("mail", "no server is configured"), self._texts()]
        where = f"{server.host}:{server.port}, {'stored' if is_stored else 'of KEYSTEAD_SMTP_URL'}"
        remedy = "PATCH /api/v2/emails/provider" if is_stored else "KEYSTEAD_SMTP_URL=smtp://user:password@host:587"
        try:
            await self.prober.mail(server, send_to, self.clock())
        except DeliveryFailed as failed:
            found = error("mail", f"{where}: {failed.detail}", remedy, "" if is_stored else "SMTP_URL")
        else:
            did = f"took a test message to {send_to}" if send_to else "lets us in"
            found = ok("mail", f"{where}: {did}")
        return [found, self._texts()]

    def _texts(self) -> Finding:
        if self.machine.given.has_texts:
            return ok("texts", "a gateway is configured; texts cost, so that none is sent")
        return skipped("texts", "no gateway is configured (KEYSTEAD_SMS_URL)")

    async def _counters(self) -> list[Finding]:
        if self.machine.redis is None:
            return [skipped("redis", "attempts are counted in the database")]
        counted = self.machine.redis()
        try:
            await counted.list("doctor/")
        except DatabaseUnavailable as failed:
            found = f"lost: attempts are counted in the database: {failed.detail}"
            return [error("redis", found, "KEYSTEAD_REDIS_URL=redis://user:password@host:6379/0", "REDIS_URL")]
        finally:
            await counted.close()
        return [ok("redis", "it answers, and counts attempts")]

    async def _breaches(self) -> list[Finding]:
        source = self.machine.breaches()
        if source is None:
            return [skipped("breached_passwords", "no source is configured: the test values alone count as breached")]
        try:
            known = await source.is_breached(Secret("password"))
        except PasswordUnchecked as failed:
            remedy = "KEYSTEAD_BREACHED_PASSWORDS=<a file, or https://api.pwnedpasswords.com/range>"
            return [error("breached_passwords", failed.detail, remedy, "BREACHED_PASSWORDS")]
        finally:
            await source.close()
        if not known:
            text = "the source answers, and does not know the commonest password of all"
            return [warning("breached_passwords", text, "KEYSTEAD_BREACHED_PASSWORDS=<a larger file>")]
        return [ok("breached_passwords", "the source answers")]


@dataclass
class AskedOften:
    """The doctor of a server, whom many may ask: it hashes and calls hosts, so there is one look at a time."""

    doctor: Doctor
    clock: Clock
    _found: dict[bool, tuple[datetime, list[Finding]]] = field(default_factory=dict)
    _looking: bool = False

    async def __call__(self, *, offline: bool) -> list[Finding]:
        """Return what was found, a moment ago where it was. Raises ``Busy`` while it is looked for."""
        now = self.clock()
        at, found = self._found.get(offline, (now - KEPT, []))
        if now - at < KEPT:
            return found
        if self._looking:
            raise Busy(_AGAIN, detail="the doctor is looking")
        self._looking = True
        try:
            found = await self.doctor(offline=offline)
        finally:
            self._looking = False
        self._found[offline] = (now, found)
        return found


def _published(session: Session, public_url: str) -> Any:
    return current(session, public_url), clients.mobile_apps(session)


def _scripted(session: Session) -> Iterator[tuple[ConnectionRecord, ScriptLanguage]]:
    for each in connections.every(session):
        options = each.policy()
        if options.scripts and (options.custom_database or options.shadow_mode):
            yield each, options.script_language


def _with_scripts(session: Session) -> dict[ScriptLanguage, list[str]]:
    found: dict[ScriptLanguage, list[str]] = {}
    for each, language in _scripted(session):
        found.setdefault(language, []).append(each.name)
    return found


def _failing(session: Session, since: datetime) -> list[Finding]:
    looked = [(each.name, *journal.failed_scripts(session, each.id, since, 1)) for each, _ in _scripted(session)]
    return [failing(name, failures, newest[0]) for name, failures, newest in looked if newest]


async def _all(checks: Iterable[Check]) -> list[Finding]:
    """Return the findings of some checks, each once: a database that is away is the same for all of them."""
    return list(dict.fromkeys([each for check in checks for each in await _held(check)]))


async def _held(check: Check) -> list[Finding]:
    """Return what a check found, or that it could not be made."""
    try:
        return await check()
    except DatabaseUnavailable as failed:
        return [error("database", f"it does not answer: {failed.detail}", "KEYSTEAD_DATABASE_URL=...", "DATABASE_URL")]
    except DomainError as failed:
        return [error("check", f"could not be made: {failed.detail or failed.text}")]
