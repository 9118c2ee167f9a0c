"""The doctor's verdicts on what is configured and stored: values in, findings out."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final, Literal

from keystead.rules.authenticators import Stored
from keystead.rules.oauth import LOOPBACK, host_of
from keystead.rules.relying_party import MOST_LABELS, RelyingParty, covers, labels_of

Status = Literal["ok", "warning", "error", "skipped"]

GOOD_COST: Final = 10
"""What bcrypt should cost where real people log in."""

_FAST_HASH: Final = 25.0
_SLOW_HASH: Final = 1000.0
_LATE: Final = timedelta(minutes=5)
_SOON: Final = timedelta(days=2)
_SLOW_CLOCK: Final = 5.0
LEEWAY: Final = 60.0
"""Seconds that clocks may differ before tokens are refused."""

_ASKED_FOR: Final = ("users_import", "users_archive_import")
"""Jobs that fail for what they were sent, which whoever waits for them is told: nothing of ours does not work."""
_LITTLE: Final = 1 << 30
_TOO_LITTLE: Final = 100 << 20
_OPEN_TO_OTHERS: Final = 0o077
_HERE: Final = (*LOOPBACK, "::1")
_WIDE: Final = {4: 8, 6: 16}
_PARTY: Final = "PATCH /api/v2/keystead/relying-party"
_SPARE: Final = 3
"""Connections that PostgreSQL keeps for its owner."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found, and the line to change."""

    id: str
    status: Status
    found: str
    remedy: str = ""
    setting: str = field(default="")
    """The variable at fault, where it is one."""

    @property
    def is_bad(self) -> bool:
        """Whether somebody should look at it."""
        return self.status in ("warning", "error")

    @property
    def line(self) -> str:
        """The finding as a start tells it."""
        return f"{self.setting or self.id}: {self.found}"

    def on_wire(self) -> dict[str, str]:
        """Return it for programs."""
        return {"id": self.id, "status": self.status, "found": self.found, "remedy": self.remedy}


@dataclass(frozen=True, slots=True)
class Given:
    """The settings, as far as the doctor looks at them: no secret is among them."""

    public_url: str
    host: str
    workers: int = 1
    pool: int = 8
    hash_cost: int = GOOD_COST
    same_site: str = "lax"
    proxies: tuple[tuple[int, int, str], ...] = ()
    """Of each network: the version of IP, the length of its prefix, and how it is written."""
    has_outbox: bool = False
    has_mail: bool = False
    has_texts: bool = False
    metrics_host: str = ""
    lacks_otel: bool = False
    scripts_reach_database: bool = False
    """Whether the database may let in whatever runs as our system user, and scripts do, without a wrapper."""
    unknown: tuple[str, ...] = ()
    """Variables that are no settings, each with what may have been meant."""

    @property
    def is_https(self) -> bool:
        """Whether people reach us over TLS."""
        return self.public_url.startswith("https://")

    @property
    def is_local(self) -> bool:
        """Whether only this machine reaches us."""
        name = host_of(self.public_url)
        return name in LOOPBACK or name.endswith(".localhost")


@dataclass(frozen=True, slots=True)
class Interpreters:
    """What runs action scripts on a machine."""

    node: str
    """The version of Node.js; empty where there is none that works."""
    node_permission: str
    """Its flag that restricts what scripts do; empty where it has none."""
    node_lacks: str
    python: str
    python_lacks: str
    closes_files: bool
    """Whether the kernel has Landlock, which keeps files and processes from scripts of either language."""
    filters_calls: bool
    """Whether it filters system calls, which keeps limits and priorities of the server from them."""


def ok(id: str, found: str) -> Finding:
    """Return that all is well."""
    return Finding(id, "ok", found)


def skipped(id: str, why: str) -> Finding:
    """Return that nothing was looked at."""
    return Finding(id, "skipped", why)


def warning(id: str, found: str, remedy: str = "", setting: str = "") -> Finding:
    """Return what can hardly be meant."""
    return Finding(id, "warning", found, remedy, setting and f"KEYSTEAD_{setting}")


def error(id: str, found: str, remedy: str = "", setting: str = "") -> Finding:
    """Return what does not work."""
    return Finding(id, "error", found, remedy, setting and f"KEYSTEAD_{setting}")


# --- what the settings alone say: told at every start -----------------------------------------------------------------


def of_settings(given: Given) -> list[Finding]:
    """Return what the settings say by themselves."""
    return [
        *(warning("settings", each.partition(": ")[2], f"unset {each.partition(':')[0]}",
                  each.partition(":")[0].removeprefix("KEYSTEAD_")) for each in given.unknown),
        public_url(given),
        cookies(given),
        trusted_proxies(given),
        hash_cost(given),
        *_outlets(given),
    ]  # fmt: skip


def public_url(given: Given) -> Finding:
    """Judge whether browsers make passkeys there."""
    url, host = given.public_url, host_of(given.public_url).strip("[]")
    remedy = "KEYSTEAD_PUBLIC_URL=https://login.example.com"
    if ":" in host or host.rpartition(".")[2].isdecimal():
        found = f"browsers refuse passkeys on {url}, whose host is an address, not a name"
        return warning("public_url", found, remedy, "PUBLIC_URL")
    if not given.is_https and host != "localhost" and not host.endswith(".localhost"):
        found = f"browsers refuse passkeys on {url}, which is neither https nor localhost"
        return warning("public_url", found, remedy, "PUBLIC_URL")
    return ok("public_url", url)


def cookies(given: Given) -> Finding:
    """Judge how cookies travel."""
    if given.is_https:
        return ok("cookies", f"Secure, __Host-, SameSite={given.same_site}")
    if given.is_local:
        return ok("cookies", f"without Secure, on this machine alone; SameSite={given.same_site}")
    # The public URL is told of by itself at a start: this one is for whoever asks about cookies.
    return skipped("cookies", f"they travel in clear, as {given.public_url} does; see public_url")


def trusted_proxies(given: Given) -> Finding:
    """Judge who may say whose address a request comes from."""
    wide = [text for version, length, text in given.proxies if length < _WIDE[version]]
    if wide:
        found = f"{', '.join(wide)} is so wide that strangers may write whose address they have"
        remedy = "KEYSTEAD_TRUSTED_PROXIES=<the addresses of your proxies, and nothing wider>"
        return warning("trusted_proxies", found, remedy, "TRUSTED_PROXIES")
    if not given.proxies:
        return ok("trusted_proxies", "none: every caller has the address of its connection")
    return ok("trusted_proxies", ", ".join(text for _, _, text in given.proxies))


def hash_cost(given: Given) -> Finding:
    """Judge what a hash costs by its setting."""
    if given.is_https and given.hash_cost < GOOD_COST:
        found = f"{given.hash_cost} is for tests; use {GOOD_COST} or more for people"
        return warning("hash_cost", found, f"KEYSTEAD_HASH_COST={GOOD_COST}", "HASH_COST")
    return ok("hash_cost", f"bcrypt at {given.hash_cost}")


def _outlets(given: Given) -> Iterator[Finding]:
    if not given.has_outbox and not given.has_mail:
        found = "none; unless a server is stored through the Management API, no mail is sent"
        yield warning("mail_setting", found, "KEYSTEAD_SMTP_URL=smtp://user:password@mail.example.com:587", "SMTP_URL")
    if given.has_outbox and given.host not in _HERE and not (given.has_mail and given.has_texts):
        found = f"whoever reaches {given.host} can read the messages at {given.public_url}/dev/outbox"
        yield warning("outbox", found, "KEYSTEAD_HOST=127.0.0.1", "HOST")
    if given.metrics_host and given.metrics_host not in _HERE:
        found = f"whoever reaches {given.metrics_host} can read the metrics"
        yield warning("metrics", found, "KEYSTEAD_METRICS_LISTEN=127.0.0.1:9090", "METRICS_LISTEN")
    if given.lacks_otel:
        found = "no trace is sent: the extra 'otel' is not installed"
        yield warning("traces", found, "pip install 'keystead[otel]'", "OTEL_ENDPOINT")


# --- what is stored ---------------------------------------------------------------------------------------------------


def relying_party(now: RelyingParty, passkeys: Mapping[str, int] | None) -> list[Finding]:
    """Judge whether the stored relying party fits the public URL.

    ``passkeys`` are how many there are of each id, if they were counted.
    """
    labels, found = labels_of(now.published), []
    if not covers(now.id, now.origin):
        host = host_of(now.origin)
        text = f"the id {now.id} is not {host} or a parent of it: browsers refuse passkeys on {now.origin}"
        found.append(error("relying_party", text, f'{_PARTY} {{"id": "{host}", "retiring": ["{now.id}"]}}'))
    if len(labels) > MOST_LABELS:
        text = f"{len(labels)} domains are published, and browsers heed {MOST_LABELS}"
        found.append(error("relying_party", text, f"{_PARTY} with fewer related_origins"))
    found += [] if passkeys is None else _of_other_ids(now, passkeys)
    return found or [ok("relying_party", f"{now.id}, for {len(now.pages)} origins and {len(labels)} related domains")]


def _of_other_ids(now: RelyingParty, passkeys: Mapping[str, int]) -> Iterator[Finding]:
    for each in now.retiring:
        if not passkeys.get(each):
            rest = json.dumps([other for other in now.retiring if other != each])
            remedy = f'{_PARTY} {{"retiring": {rest}}}'
            yield warning("relying_party", f"the id {each} retires and has no passkey left", remedy)
    for rp_id, count in passkeys.items():
        if count and rp_id not in now.ids:
            text = f"{count} passkeys are of {rp_id}, which is not in use: nobody signs in with them"
            yield warning("relying_party", text, f'{_PARTY} {{"retiring": {json.dumps([*now.retiring, rp_id])}}}')


def secret_keys(count: int, mode: int | None) -> Finding:
    """Judge the secret keys; ``mode`` is of the file that they are in, if they are in one of ours."""
    if mode is not None and mode & _OPEN_TO_OTHERS:
        return error("secret_keys", "others can read the file of the secret keys", "chmod 600 DATA_DIR/secret-keys")
    return ok("secret_keys", f"{count}, the first of which seals")


def sealed(broken: Sequence[str], opened: int) -> Finding:
    """Judge whether what is stored sealed opens."""
    if broken:
        remedy = "KEYSTEAD_SECRET_KEYS=<today's>,<the key before>: put back the one that sealed it"
        return error("sealed", f"{', '.join(broken)}: sealed with a key that is not listed", remedy, "SECRET_KEYS")
    return ok("sealed", f"{opened} signing keys and what else is sealed open with the secret keys")


def schema(found: str | None, needed: str) -> Finding:
    """Judge where the schema stands."""
    if found == needed:
        return ok("schema", f"at {found}, as this version needs it")
    return error("schema", f"at {found or 'nothing'}, and this version needs {needed}", "keystead migrate")


def database(facts: Any, given: Given) -> list[Finding]:
    """Judge how the database is set up, by what it says of itself (``db/health.py``)."""
    name = f"{facts.kind} {facts.version}"
    if facts.kind == "SQLite":
        if facts.journal_mode != "wal":
            found = f"{name} in mode {facts.journal_mode}: readers and the writer wait for each other"
            return [warning("database", found, "move the file to a local disk: WAL needs shared memory")]
        return [ok("database", f"{name}, WAL, synchronous={facts.synchronous}")]
    bad = []
    if facts.encoding.upper() != "UTF8":
        remedy = "createdb --encoding=UTF8 --template=template0 keystead"
        bad.append(error("database", f"the encoding is {facts.encoding}: not every name can be stored", remedy))
    wanted = given.workers * given.pool
    if wanted > facts.most_connections - _SPARE:
        found = f"{given.workers} processes with {given.pool} connections each want {wanted}, and it allows "
        fit = max(1, (facts.most_connections - _SPARE) // given.workers)
        remedy = f"KEYSTEAD_DATABASE_POOL={fit}"
        bad.append(error("database", f"{found}{facts.most_connections}", remedy, "DATABASE_POOL"))
    if facts.synchronous == "off":
        found = "synchronous_commit is off: a crash forgets what was answered, such as a password that was changed"
        bad.append(warning("database", found, "ALTER DATABASE keystead SET synchronous_commit = on"))
    return bad or [ok("database", f"{name}, {facts.connections} of {facts.most_connections} connections in use")]


def files(modes: Mapping[str, int]) -> Finding:
    """Judge who can read the files; by path, as ``stat`` has their modes."""
    loose = [path for path, mode in modes.items() if mode & _OPEN_TO_OTHERS]
    if loose:
        commands = "; ".join(f"chmod {'700' if modes[path] & 0o040000 else '600'} {path}" for path in loose)
        return warning("files", f"others can read {', '.join(loose)}", commands)
    return ok("files", f"{len(modes)} are their owner's alone")


def disk(path: str, free: int, total: int) -> Finding:
    """Judge how much room is left where the data is."""
    room = f"{free / (1 << 30):.1f} GiB of {total / (1 << 30):.1f} are free at {path}"
    remedy = f"make room at {path}, or KEYSTEAD_DATA_DIR=<a larger disk>"
    if free < _TOO_LITTLE:
        return error("disk", room, remedy)
    return warning("disk", room, remedy) if free < _LITTLE and free < total // 10 else ok("disk", room)


def clock(id: str, whose: str, seconds: float) -> Finding:
    """Judge how far another clock is from ours."""
    found = f"{whose} is {abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'} this machine"
    remedy = "timedatectl set-ntp true, on both machines"
    if abs(seconds) > LEEWAY:
        return error(id, found, remedy)
    return warning(id, found, remedy) if abs(seconds) > _SLOW_CLOCK else ok(id, f"{whose} goes like this machine's")


def metadata(stored: Stored | None, today: date) -> Finding:
    """Judge the FIDO metadata."""
    remedy = "keystead mds update --file blob.jwt"
    if stored is None:
        return skipped(
            "fido_metadata", "there is none: no passkey is trusted further than its own word, but for Apple's"
        )
    if stored.pending:
        return warning("fido_metadata", "an update broke off, or is under way", remedy)
    due = f"no. {stored.edition.no}; the next was due on {stored.edition.next_update}"
    if stored.edition.is_stale(today):
        return warning("fido_metadata", f"{due}: no new passkey is trusted on its word", remedy)
    return ok("fido_metadata", due.replace("was", "is"))


def jobs(standing: Iterable[tuple[str, str, int, float]]) -> Finding:
    """Judge the work that waits: by type and status, how many, and for how many seconds the oldest is due."""
    found = list(standing)
    late = [(type_, oldest) for type_, status, _, oldest in found if status != "failed" and oldest > _LATE.seconds]
    failed = sum(count for type_, status, count, _ in found if status == "failed" and type_ not in _ASKED_FOR)
    waiting = sum(count for _, status, count, _ in found if status in ("pending", "processing"))
    if late:
        names = ", ".join(f"{type_} for {oldest / 60:.0f} min" for type_, oldest in late)
        return warning("jobs", f"overdue: {names}", "keystead serve: only a server that runs does them")
    if failed:
        remedy = "keystead jobs list --status failed says why"
        return warning("jobs", f"{failed} failed for good in the last day; {waiting} wait", remedy)
    return ok("jobs", f"{waiting} wait, none is late")


def journal(unsealed: int, most: int) -> Finding:
    """Judge how far the journal is sealed."""
    if unsealed >= most:
        return warning("journal", f"{most} entries and more have no seal yet", "keystead serve: only it seals them")
    return ok("journal", f"{unsealed} entries wait for their seal")


def administrators(
    counts: Mapping[str, int], link_until: datetime | None, now: datetime, *, invited: int = 0
) -> Finding:
    """Judge whether anybody owns this installation: ``counts`` of those who can sign in, ``invited`` owners apart."""
    if not counts.get("owner") and invited:
        found = f"no owner can sign in: {invited} invited, and no invitation is accepted"
        return warning("administrators", found, "open the link of the invitation, or keystead administrators recover")
    if counts.get("owner"):
        return ok("administrators", ", ".join(f"{count} {role}" for role, count in sorted(counts.items())))
    if link_until is None or link_until <= now:
        found = "there is no owner who may sign in, and no link that makes one"
        return warning("administrators", found, "keystead administrators recover")
    left = link_until - now
    found = f"there is no owner yet; the link in first-run.json makes one until {link_until:%Y-%m-%d %H:%M} UTC"
    remedy = "keystead first-run: open the link of the first owner"
    return warning("administrators", found, remedy) if left < _SOON else ok("administrators", found)


def hashing(milliseconds: float, given: Given) -> Finding:
    """Judge how long one hash takes on this machine."""
    found = f"one takes {milliseconds:.0f} ms here at cost {given.hash_cost}"
    if milliseconds > _SLOW_HASH:
        return warning("hashing", found, f"KEYSTEAD_HASH_COST={given.hash_cost - 1}", "HASH_COST")
    if milliseconds < _FAST_HASH and given.is_https:
        return warning("hashing", found, f"KEYSTEAD_HASH_COST={given.hash_cost + 1}", "HASH_COST")
    return ok("hashing", found)
