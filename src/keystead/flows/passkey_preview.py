"""What a change of options would do to people: shown before it is saved, and looked at again when it is."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlmodel import Session

from keystead.db import census, connections
from keystead.db.session import Database
from keystead.errors import NoSuchConnection, WouldStrandUsers
from keystead.rules.connections import read_options, replace_options
from keystead.rules.passkey_preview import Outcome, Prospect, WaysIn, Why, prospects, ways_in
from keystead.rules.passkey_report import Example, PreviewReport, counted, example


@dataclass(frozen=True, slots=True)
class Examples:
    """Which people a report shows."""

    count: int = 0
    last: str = ""
    """Whom the page before ended with."""
    outcome: Outcome | None = None
    reason: Why | None = None

    def has(self, prospect: Prospect) -> bool:
        """Whether somebody is one of them."""
        wanted = self.outcome in (None, *prospect.outcomes) and self.reason in (None, *prospect.reasons)
        return wanted and bool(prospect.outcomes)


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many people a change may leave without a way to sign in, and how many of them a refusal names."""

    stranded: int = 0
    examples: int = 0


@dataclass(frozen=True)
class PasskeyPreview:
    """``rp_ids`` are the relying party ids whose passkeys log in."""

    db: Database
    rp_ids: tuple[str, ...]

    async def __call__(self, connection_id: str, options: Mapping[str, Any], examples: Examples) -> PreviewReport:
        """Return what a PATCH with these options would do. Raises ``NoSuchConnection``, ``InvalidOptions``."""
        return await self.db.read(self._preview, connection_id, options, examples)

    def check(
        self,
        session: Session,
        connection_id: str,
        before: Mapping[str, Any],
        after: Mapping[str, Any],
        allowance: Allowance,
    ) -> PreviewReport | None:
        """Return what options do that are saved in this unit of work; ``None`` where they can do nothing to anybody.

        Nobody's passkeys change from here to its end: who was counted as having two must not lose the one that would
        be left. Raises ``WouldStrandUsers`` where more are stranded than is allowed.
        """
        was, will_be = self._ways_in(before), self._ways_in(after)
        if was == will_be:
            return None
        census.hold(session)
        examples = Examples(allowance.examples, outcome="stranded")
        report = _report(session, connection_id, was, will_be, examples)
        if report.people.stranded > allowance.stranded:
            raise WouldStrandUsers(_refusal(report, connection_id), report.model_dump(exclude_none=True))
        return report

    def _preview(
        self, session: Session, connection_id: str, options: Mapping[str, Any], examples: Examples
    ) -> PreviewReport:
        census.at_one_moment(session)
        connection = connections.get(session, connection_id)
        if connection is None or connection.for_administrators:
            raise NoSuchConnection
        after = self._ways_in(replace_options(connection.options, options))
        return _report(session, connection_id, self._ways_in(connection.options), after, examples)

    def _ways_in(self, options: Mapping[str, Any]) -> WaysIn:
        return ways_in(read_options(options), self.rp_ids)


def _report(session: Session, connection_id: str, before: WaysIn, after: WaysIn, examples: Examples) -> PreviewReport:
    report = counted(prospects(before, after, census.everybody(session, connection_id)))
    if not examples.count:
        return report
    shown: list[Example] = []
    if report.people.refused or report.people.stranded:
        with closing(census.behind(session, connection_id, examples.last)) as people:
            found = filter(examples.has, prospects(before, after, people))
            shown = [example(each) for each in islice(found, examples.count + 1)]
    page = shown[: examples.count]
    following = page[-1].user_id if len(shown) > len(page) else None
    return report.model_copy(update={"examples": page, "next": following})


def _refusal(report: PreviewReport, connection_id: str) -> str:
    """Return what somebody can act on who sees nothing but this text."""
    count = report.people.stranded
    return (
        f"{count} {'person' if count == 1 else 'people'} could not sign in any more ({report.stranded_because}), so "
        f"nothing was changed. POST /api/v2/connections/{connection_id}/passkey-policy/preview shows who. Give them "
        f"another way to sign in first, or say that you accept it with ?accept_stranded={count}"
    )
