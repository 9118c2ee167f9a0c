"""Columns that are there to be searched."""

from typing import Any

from sqlalchemy import Column, String
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlmodel import Field

from keystead.rules.folding import FOLDED, LONGEST, searched_by


def searched(length: int) -> String:
    """A text that is compared byte by byte on both databases, so that beginnings and orders are the same."""
    return String(length).with_variant(String(length, collation="C"), "postgresql")


def also(of: str) -> Any:
    """A column that follows from another whenever a row is made; whoever changes the one changes the other."""
    column = FOLDED.get(of, f"{of}_domain")

    def default(context: DefaultExecutionContext) -> str | None:
        given: dict[str, Any] = context.get_current_parameters()  # type: ignore[no-untyped-call]
        return searched_by({of: given.get(of)})[column]

    return Field(sa_column=Column(searched(LONGEST), nullable=True, default=default), default=None)
