"""What is measured: every metric with its labels, each of few values and none about a person; and names that travel."""

import re
from dataclasses import KW_ONLY, dataclass
from typing import Final, Literal

from keystead.errors import DomainError
from keystead.rules.decisions import RULES

Kind = Literal["counter", "gauge", "histogram"]
Spread = Literal["sum", "livesum", "mostrecent", "max"]
"""What a gauge of several processes is: the sum of all that there were, of those that live, the newest, the largest."""

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_LONG: Final = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0)


@dataclass(frozen=True, slots=True, eq=False)
class Metric:
    """One metric. What is timed is a histogram, and a span of the same work where traces are wanted."""

    name: str
    says: str
    labels: tuple[str, ...] = ()
    _: KW_ONLY
    kind: Kind = "histogram"
    buckets: tuple[float, ...] = _SECONDS
    spread: Spread = "livesum"
    outcome: bool = False
    """Whether its last label is how the work ended."""
    side: Literal["server", "client", "internal"] = "internal"
    """Who the work is done for or by, in the words of traces."""


REQUEST: Final = Metric(
    "keystead_request_seconds", "Requests, by route and class of status.", ("method", "route", "status"), side="server"
)
REFUSALS: Final = Metric("keystead_refusals_total", "Refusals, by rule.", ("rule",), kind="counter")
LOGIN: Final = Metric("keystead_login_seconds", "Logins that were tried.", ("method", "outcome"), outcome=True)
HASH: Final = Metric("keystead_hash_seconds", "Password hashes, with their wait.", ("outcome",), outcome=True)
HASH_WAIT: Final = Metric("keystead_hash_wait_seconds", "How long a hash waited for a thread.")
HASHES: Final = Metric("keystead_hashes_under_way", "Hashes that wait or are made.", kind="gauge")
UNIT: Final = Metric("keystead_database_seconds", "Units of work, with their wait.", ("kind",), side="client")
UNIT_WAIT: Final = Metric("keystead_database_wait_seconds", "How long a unit of work waited for a thread.", ("kind",))
JOB: Final = Metric(
    "keystead_job_seconds", "Tries at a job.", ("type", "outcome"), outcome=True, buckets=_LONG, side="internal"
)
MESSAGE: Final = Metric(
    "keystead_message_seconds",
    "Messages handed over, or not.",
    ("channel", "outcome"),
    outcome=True,
    buckets=_LONG,
    side="client",
)
OUTGOING: Final = Metric(
    "keystead_outgoing_seconds", "Other calls to somebody else.", ("to", "outcome"), outcome=True, side="client"
)
SCRIPT: Final = Metric(
    "keystead_script_seconds",
    "Calls of action scripts, with their wait.",
    ("script", "language", "outcome"),
    outcome=True,
    buckets=_LONG,
    side="client",
)
SCRIPT_FAILURES: Final = Metric(
    "keystead_script_failures_total",
    "Calls of action scripts without an answer, by reason.",
    ("reason",),
    kind="counter",
)
SCRIPT_CHILDREN: Final = Metric("keystead_script_children", "Processes that run action scripts.", kind="gauge")
OPEN_CIRCUITS: Final = Metric(
    "keystead_script_circuits_open", "Scripts that failed too often, and are left alone.", kind="gauge"
)
LOST: Final = Metric("keystead_redis_lost", "Processes that count in the database, since Redis is lost.", kind="gauge")
CPU: Final = Metric("keystead_cpu_seconds", "Processor time of all processes.", kind="gauge", spread="sum")
MEMORY: Final = Metric("keystead_memory_bytes", "Resident memory of all processes.", kind="gauge")
PROCESSES: Final = Metric("keystead_processes", "Processes that serve.", kind="gauge")

BUILD: Final = Metric("keystead_build_info", "The version that runs: always 1.", ("version", "python"), kind="gauge")
DATABASE_UP: Final = Metric("keystead_database_up", "Whether the database answered just now.", kind="gauge")
JOBS: Final = Metric("keystead_jobs", "Jobs by type and status.", ("type", "status"), kind="gauge")
OLDEST_JOB: Final = Metric(
    "keystead_job_oldest_seconds", "For how long the oldest job is due.", ("type",), kind="gauge"
)
UNSEALED: Final = Metric("keystead_journal_unsealed", "Journal entries without a seal, 10,000 at most.", kind="gauge")
KEY_AGE: Final = Metric(
    "keystead_signing_key_age_seconds", "How long the current key signs.", ("algorithm",), kind="gauge"
)

COUNTED: Final = (
    *(REQUEST, REFUSALS, LOGIN, HASH, HASH_WAIT, HASHES, UNIT, UNIT_WAIT),
    *(SCRIPT, SCRIPT_FAILURES, SCRIPT_CHILDREN, OPEN_CIRCUITS),
    *(JOB, MESSAGE, OUTGOING, LOST, CPU, MEMORY, PROCESSES),
)
"""What each process counts as it happens."""

READ: Final = (BUILD, DATABASE_UP, JOBS, OLDEST_JOB, UNSEALED, KEY_AGE)
"""What is looked up when somebody asks, by whichever process answers: it is the same for all."""

Reading = tuple[Metric, tuple[str, ...], float]
"""A metric, its labels, and how much it is."""

_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_OTHER: Final = "other"
_PARENT: Final = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{8,40}")


class Silence:
    """Measures nothing, and is the work that it measures, too: what there is where nobody asked for telemetry."""

    trace: Final = ""

    def timed(self, what: Metric, *labels: str, parent: str = "") -> "Silence":
        """Begin."""
        return self

    def count(self, what: Metric, *labels: str, by: float = 1) -> None:
        """Count."""

    def observe(self, what: Metric, seconds: float, *labels: str) -> None:
        """Note how long something took."""

    def named(self, *labels: str) -> None:
        """Give the labels."""

    def note(self, name: str, value: str | int) -> None:
        """Say something of the work."""

    def close(self) -> None:
        """End."""

    def __enter__(self) -> "Silence":
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        return None


SILENCE: Final = Silence()


def outcome_of(kind: type[BaseException] | None) -> str:
    """Return how work ended, in one of few words: ``ok``, the code of what was raised, or ``failed``."""
    if kind is None:
        return "ok"
    return kind.code if issubclass(kind, DomainError) else "failed"


def request_labels(method: str, route: str, status: int) -> tuple[str, str, str]:
    """Return the labels of a request: never what a stranger made up."""
    return method if method in _METHODS else _OTHER, route or "none", f"{status // 100}xx" if status else "none"


def rule_label(rule: str) -> str:
    """Return the label of a refusal."""
    return rule if rule in RULES else _OTHER


def trace_of(parent: str) -> str:
    """Return the id of the trace that a ``traceparent`` names (W3C Trace Context §3.2); empty where it is none."""
    found = _PARENT.fullmatch(parent)
    return found[1] if found else ""


def is_request_id(text: str) -> bool:
    """Whether somebody else's id of a request can be ours: short, and nothing that a log would have to escape."""
    return _REQUEST_ID.fullmatch(text) is not None
