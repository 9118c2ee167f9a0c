"""Metrics, as Prometheus reads them. Of several processes each counts in files in memory that all can read."""

import os
import resource
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import Any, Final, Self

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest, values
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.core import Metric as Family
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from keystead.rules.telemetry import COUNTED, CPU, MEMORY, PROCESSES, Metric, Reading, outcome_of

_STATM: Final = Path("/proc/self/statm")


class Prometheus:
    """Counts what happens in this process, and shows what happened in all.

    Whether there are several is said by ``PROMETHEUS_MULTIPROC_DIR``, which the library reads when it is imported.
    """

    media: Final = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._families = {each: _made(each, self._registry) for each in COUNTED}
        self._children: dict[tuple[Metric, tuple[str, ...]], Any] = {}
        self._spent = 0.0
        self._resident = 0.0
        self.count(PROCESSES)

    def timed(self, what: Metric, *labels: str, parent: str = "") -> "_Timing":
        """Measure the block."""
        return _Timing(self, what, labels)

    def count(self, what: Metric, *labels: str, by: float = 1) -> None:
        """Add to a counter or a gauge."""
        self._child(what, labels).inc(by)

    def observe(self, what: Metric, seconds: float, *labels: str) -> None:
        """Note how long something took."""
        self._child(what, labels).observe(seconds)

    def close(self) -> None:
        """End: what was counted stays for whoever is asked next."""
        self.count(PROCESSES, by=-1)

    def sample(self) -> None:
        """Note what this process uses, by how much it has grown: gauges of several processes are added up."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        spent, resident = used.ru_utime + used.ru_stime, float(_resident())
        self.count(CPU, by=spent - self._spent)
        self.count(MEMORY, by=resident - self._resident)
        self._spent, self._resident = spent, resident

    def text(self, readings: Iterable[Reading]) -> bytes:
        """Return everything in Prometheus's text format."""
        self.sample()
        registry = CollectorRegistry()
        if values.ValueClass._multiprocess:
            together = MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
            _bury_the_dead(Path(together._path))
        else:
            registry = self._registry
        return generate_latest(registry) + generate_latest(_Readings(list(readings)))

    def _child(self, what: Metric, labels: tuple[str, ...]) -> Any:
        found = self._children.get((what, labels))
        if found is None:
            family = self._families[what]
            found = self._children[what, labels] = family.labels(*labels) if what.labels else family
        return found


class _Timing:
    """One piece of work."""

    trace: Final = ""
    __slots__ = ("_began", "_labels", "_to", "_what")

    def __init__(self, to: Prometheus, what: Metric, labels: tuple[str, ...]) -> None:
        self._to, self._what, self._labels = to, what, labels

    def named(self, *labels: str) -> None:
        self._labels = labels

    def note(self, name: str, value: str | int) -> None:
        """Say nothing: a metric has its labels alone."""

    def __enter__(self) -> Self:
        self._began = perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        labels = (*self._labels, outcome_of(kind)) if self._what.outcome else self._labels
        self._to.observe(self._what, perf_counter() - self._began, *labels)


class _Readings:
    """What was looked up just now, as a registry."""

    def __init__(self, readings: Sequence[Reading]) -> None:
        self._readings = readings

    def collect(self) -> Iterator[Family]:
        families: dict[str, GaugeMetricFamily] = {}
        for what, labels, value in self._readings:
            if what.name not in families:
                families[what.name] = GaugeMetricFamily(what.name, what.says, labels=what.labels)
            families[what.name].add_metric(labels, value)
        yield from families.values()


def _made(what: Metric, registry: CollectorRegistry) -> Any:
    if what.kind == "histogram":
        return Histogram(what.name, what.says, what.labels, registry=registry, buckets=what.buckets)
    if what.kind == "counter":
        return Counter(what.name, what.says, what.labels, registry=registry)
    return Gauge(what.name, what.says, what.labels, registry=registry, multiprocess_mode=what.spread)


def _bury_the_dead(directory: Path) -> None:
    """Forget the gauges of processes that ended: what they had under way they have no more."""
    for pid in {int(each.stem.rpartition("_")[2]) for each in directory.glob("gauge_live*.db")}:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            with suppress(FileNotFoundError):  # somebody else was asked at the same time
                mark_process_dead(pid)  # type: ignore[no-untyped-call]
        except PermissionError:
            continue


def _resident() -> int:
    """Return the memory that is resident: now where the system says so, at most where it does not."""
    try:
        return int(_STATM.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return largest if sys.platform == "darwin" else largest * 1024
