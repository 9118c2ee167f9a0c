"""The SQL side of the ``Attempts`` port, on both databases."""

from collections.abc import Iterator

import pytest

from conformance.attempts import AttemptsConformance, Counted
from conftest import Stencil
from keystead.db.attempts import SqlAttempts
from keystead.db.session import Database
from world import Clock


class TestSqlAttempts(AttemptsConformance):
    """Two processes on one database."""

    @pytest.fixture
    def attempts(self, installation: Stencil) -> Iterator[Counted]:
        clock = Clock()
        databases = [Database(installation.settings.database_url.reveal(), pool=8) for _ in range(2)]
        here, there = (SqlAttempts(db, clock) for db in databases)
        yield Counted(here, there, clock)
        for db in databases:
            db.close()
