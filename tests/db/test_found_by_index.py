"""What is looked for each second and swept out each minute is found by an index, on both databases."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event, text
from sqlmodel import Session

from conftest import Stencil
from keystead.db import jobs, journal, refresh_tokens, sessions
from keystead.db.session import Database
from keystead.errors import ScriptFailed
from keystead.rules.events import Caller, Event
from keystead.rules.script_health import Failed

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
MAIL = ("message",)


@pytest.fixture
def db(installation: Stencil) -> Iterator[Database]:
    opened = Database(installation.settings.database_url.reveal())
    yield opened
    opened.close()


def plans(db: Database, work: Callable[[Session], object]) -> list[str]:
    """Return how the database goes about each statement; PostgreSQL, where it must not read a whole table."""
    seen: list[tuple[str, Any]] = []

    def note(connection: Any, cursor: Any, statement: str, parameters: Any, *rest: Any) -> None:
        seen.append((statement, parameters))

    def explained(session: Session) -> list[str]:
        connection = session.connection()
        if not db.is_sqlite:
            connection.execute(text("SET LOCAL enable_seqscan = off"))
        event.listen(Engine, "before_cursor_execute", note)
        try:
            work(session)
        finally:
            event.remove(Engine, "before_cursor_execute", note)
        explain = "EXPLAIN QUERY PLAN" if db.is_sqlite else "EXPLAIN"
        rows = [connection.exec_driver_sql(f"{explain} {statement}", parameters) for statement, parameters in seen]
        return ["\n".join(str(row[-1]) for row in each) for each in rows]

    return db.write_now(explained)


@pytest.mark.parametrize(
    ("work", "indexes"),
    [
        (lambda session: jobs.due(session, NOW, MAIL), {"ix_job_waiting"}),
        (lambda session: jobs.claim(session, NOW, MAIL), {"ix_job_waiting"}),
        (jobs.waiting, {"ix_job_waiting"}),
        (lambda session: jobs.sweep(session, NOW), {"ix_job_finished_at"}),
        (
            lambda session: refresh_tokens.sweep(session, NOW),
            {"ix_refresh_token_expires_at", "ix_refresh_token_idle_expires_at"},
        ),
        (
            lambda session: sessions.sweep(session, NOW),
            {"ix_login_session_expires_at", "ix_login_session_ended_at"},
        ),
    ],
    ids=["a look for work", "a claim", "how much waits", "old jobs", "old refresh tokens", "old sessions"],
)
def test_nothing_reads_a_whole_table(db: Database, work: Callable[[Session], object], indexes: set[str]) -> None:
    (found,) = plans(db, work)
    assert all(each in found for each in indexes), found


def test_the_newest_failures_of_scripts_are_found_by_their_date(db: Database) -> None:
    """By the id, the whole journal is walked for the failures of one connection."""
    failure = Event(
        log_id="1",
        date=NOW,
        type="f",
        caller=Caller(),
        connection_id="con_1",
        description=ScriptFailed.default_text,
        details={"script": "login", "reason": "it threw"},
    )
    db.write_now(journal.add, failure)
    counted, newest = plans(db, lambda session: journal.failed_scripts(session, "con_1", NOW - timedelta(days=1), 5))
    assert "ix_journal_date" in counted, counted
    assert "ix_journal_date" in newest, newest
    assert db.read_now(journal.failed_scripts, "con_1", NOW, 5) == (1, [Failed(NOW, "login", "it threw")])
    assert db.read_now(journal.failed_scripts, "con_2", NOW, 5) == (0, [])
