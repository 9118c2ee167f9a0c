"""Whom a refusal is about: administrators ask, the answer never says."""

from collections.abc import Iterator
from contextlib import contextmanager

from keystead.errors import DomainError
from keystead.rules.events import Event
from keystead.rules.identifiers import Identifier


def whose(identifier: Identifier | None, **facts: str | None) -> dict[str, str | None]:
    """Return the facts about somebody.

    Only what was read as an identifier may be among them: any other text may be a password in the wrong field.
    """
    return facts | ({"identifier": f"{identifier.kind}:{identifier.value}"} if identifier else {})


def told(event: Event, refusal: DomainError) -> Event:
    """Return an entry of the journal that says why something was refused, and by which action script, if by one."""
    script = refusal.facts.get("script")
    said = {"reason": refusal.detail or refusal.code} | ({"script": script} if script else {})
    return event.model_copy(update={"description": refusal.text, "details": event.details | said})


@contextmanager
def concerning(identifier: Identifier | None = None, **facts: str | None) -> Iterator[None]:
    """Add the facts about somebody to every refusal in the block; what a refusal says of itself stays."""
    try:
        yield
    except DomainError as refusal:
        of_itself = {name: value for name, value in refusal.facts.items() if value is not None}
        refusal.facts = whose(identifier, **facts) | of_itself
        raise
