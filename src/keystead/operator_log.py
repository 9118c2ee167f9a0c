"""What the operator is told of what happens beside requests."""

import structlog

from keystead.flows.journal_chain import Word
from keystead.ports import Telemetry
from keystead.rules.journal_chain import Head
from keystead.rules.telemetry import LOST
from keystead.secrecy import trace_of

log = structlog.get_logger("keystead")


def tell_of_redis(telemetry: Telemetry, what: str, why: str) -> None:
    """Tell of Redis that is lost, or back."""
    telemetry.count(LOST, by=1 if what == "lost" else -1)
    where = "the database" if what == "lost" else "Redis"
    log.warning(f"redis is {what}: attempts are counted in {where}", why=why)


def tell_of_chain(what: Word, head: Head) -> None:
    """Tell the operator of a batch of the journal: whoever keeps the line can tell a journal that was cut off."""
    about = head._asdict()
    if what == "cut":
        log.error("the journal's chain was cut off: a batch is gone that this process has seen", **about)
    elif what == "withheld":
        log.error("the journal is not pruned: nothing shows that its oldest batch is as it was sealed", **about)
    else:
        log.info(f"journal {what}", **about)


def tell_of_stream(stream_id: str, error: Exception) -> None:
    """Tell the operator of a log stream that something unforeseen is wrong with."""
    log.warning(
        "a log stream was not delivered", stream=stream_id, error=type(error).__name__, exception=trace_of(error)
    )


def tell_of_import(job_id: str, error: Exception) -> None:
    """Tell of a defect that rows of an import met: the rows end as errors, and whoever sent them cannot mend it."""
    log.warning("rows were not imported", job=job_id, error=type(error).__name__, exception=trace_of(error))
