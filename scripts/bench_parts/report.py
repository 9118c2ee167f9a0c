"""The figures, and the table that holds them against their aims."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from scripts.bench_parts.load import Load

BEST_PEER = 321
"""Checks a second at rest, of the best of the peers that were measured, with one process."""


@dataclass(frozen=True, slots=True)
class Check:
    """How long a check takes, in milliseconds."""

    p50: float
    p99: float

    @classmethod
    def of(cls, load: Load) -> "Check":
        """Return the two percentiles of a load."""
        return cls(load.percentile(0.5), load.percentile(0.99))


@dataclass
class Figures:
    """What was measured of a server with some number of workers. Rates are per second, costs in milliseconds."""

    workers: int
    ready: float
    sign_ups: float
    userinfo_rest: Check
    jwks_rest: Check
    first_start: float | None = None
    userinfo_storm: Check = Check(0, 0)
    jwks_storm: Check = Check(0, 0)
    logins: float = 0
    bcrypt: tuple[float, ...] = ()
    checks: float = 0
    check_cost: float = 0
    driver_check_cost: float = 0
    passkeys: float = 0
    passkeys_raw: float = 0
    passkey_cost: float = 0
    driver_passkey_cost: float = 0
    signing_cost: float = 0
    previewed: float = 0
    judged_raw: float = 0
    preview_memory: float = 0
    memory: float = 0

    @property
    def bare_bcrypt(self) -> float:
        """bcrypt comparisons a second without a server."""
        return sum(self.bcrypt) / len(self.bcrypt)


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table: a figure, how it is written, and what it should be, where somebody has said so."""

    name: str
    value: Callable[[Figures], float | None]
    form: str = "{:.0f}"
    least: float | None = None
    most: float | None = None

    def cell(self, figures: Figures) -> str:
        """Return the figure and its verdict."""
        value = self.value(figures)
        if value is None:
            return ""
        aimed = self.least is not None or self.most is not None
        met = (self.least is None or value >= self.least) and (self.most is None or value <= self.most)
        return self.form.format(value) + (" ok" if aimed and met else " missed" if aimed else "")

    @property
    def aim(self) -> str:
        """What the figure should be."""
        if self.least is not None:
            return f">= {self.form.format(self.least)}"
        return f"<= {self.form.format(self.most)}" if self.most is not None else ""


ROWS = (
    Row("password logins ÷ bare bcrypt", lambda it: it.logins / it.bare_bcrypt, "{:.2f}", least=0.97),
    Row("  password logins per second", lambda it: it.logins, "{:.1f}"),
    Row("  bare bcrypt per second", lambda it: it.bare_bcrypt, "{:.1f}"),
    Row("userinfo while 32 log in: p50, ms", lambda it: it.userinfo_storm.p50, "{:.1f}"),
    Row("userinfo while 32 log in: p99, ms", lambda it: it.userinfo_storm.p99, "{:.1f}", most=10),
    Row("  over the same at rest: p50", lambda it: it.userinfo_storm.p50 / it.userinfo_rest.p50, "{:.1f}"),
    Row("  over the same at rest: p99", lambda it: it.userinfo_storm.p99 / it.userinfo_rest.p99, "{:.1f}"),
    Row("JWKS while 32 log in: p50, ms", lambda it: it.jwks_storm.p50, "{:.1f}"),
    Row("JWKS while 32 log in: p99, ms", lambda it: it.jwks_storm.p99, "{:.1f}"),
    Row("  over the same at rest: p50", lambda it: it.jwks_storm.p50 / it.jwks_rest.p50, "{:.1f}"),
    Row("  over the same at rest: p99", lambda it: it.jwks_storm.p99 / it.jwks_rest.p99, "{:.1f}"),
    Row("userinfo at rest, per second and worker", lambda it: it.checks / it.workers, least=4 * BEST_PEER),
    Row("  the server's processor time for one, ms", lambda it: it.check_cost, "{:.2f}"),
    Row("  the load's own, on the same cores, ms", lambda it: it.driver_check_cost, "{:.2f}"),
    Row(
        "passkey logins ÷ bare verification and signing", lambda it: it.passkeys / it.passkeys_raw, "{:.2f}", least=0.6
    ),
    Row("  passkey logins per second", lambda it: it.passkeys),
    Row("  bare verification and two signatures per second", lambda it: it.passkeys_raw),
    Row("  the server's processor time for one, ms", lambda it: it.passkey_cost, "{:.2f}"),
    Row("  the load's own, on the same cores, ms", lambda it: it.driver_passkey_cost, "{:.2f}"),
    Row("    of it the authenticator's signature, ms", lambda it: it.signing_cost, "{:.2f}"),
    Row(
        "passkeys previewed ÷ bare judging by two policies",
        lambda it: it.previewed / it.judged_raw,
        "{:.2f}",
        least=0.5,
    ),
    Row("  passkeys previewed per second of processor time", lambda it: it.previewed),
    Row("  bare judging by two policies, the same", lambda it: it.judged_raw),
    Row("  memory of a worker that it needed, MB", lambda it: it.preview_memory, most=20),
    Row("sign-ups per second", lambda it: it.sign_ups, "{:.1f}"),
    Row("seconds to the first answer", lambda it: it.ready, "{:.2f}", most=1),
    Row("  of the very first start", lambda it: it.first_start, "{:.2f}"),
    Row("memory of a worker, MB", lambda it: it.memory, most=100),
)


def printed(found: Mapping[int, Figures], *, database: str) -> str:
    """Return the table, and a warning where the machine was too busy for it to mean much."""
    columns = "".join(f"{f'{workers} worker' + 's' * (workers > 1):>16}" for workers in found)
    lines = [f"{database:<52}{columns}   aim"]
    for row in ROWS:
        cells = "".join(f"{row.cell(figures):>16}" for figures in found.values())
        lines.append(f"{row.name:<52}{cells}   {row.aim}".rstrip())
    rates = [rate for figures in found.values() for rate in figures.bcrypt]
    spread = max(rates) / min(rates) - 1
    lines.append(f"Bare bcrypt, measured {len(rates)} times, differed by {spread:.0%}.")
    if spread > 0.1:
        lines.append("The machine was busy with something else: run this again when it is quiet.")
    return "\n".join(lines)
