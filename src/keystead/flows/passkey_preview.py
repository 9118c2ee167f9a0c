"""What a change of options would do to people: shown before it is saved, and looked at again when it is."""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

from sqlmodel import Session

from keystead.db import census, connections, tenant
from keystead.errors import WouldStrandUsers
from keystead.flows import reach
from keystead.flows.long_reads import LongReads
from keystead.rules import relying_party
from keystead.rules.connections import read_options, replace_options
from keystead.rules.passkey_preview import Outcome, Person, Prospect, WaysIn, Why, prospects, ways_in
from keystead.rules.passkey_report import Example, PreviewReport, counted, example
from keystead.rules.relying_party import RelyingParty


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

    @property
    def shown(self) -> Examples:
        """The examples of a refusal."""
        return Examples(self.examples, outcome="stranded")


@dataclass(frozen=True, slots=True)
class _Change:
    """What becomes of a connection."""

    connection_id: str
    before: WaysIn
    after: WaysIn


@dataclass(frozen=True)
class PasskeyPreview:
    """Looks at everybody, one after the other, before a change and while it is saved."""

    long: LongReads
    public_url: str

    async def __call__(self, connection_id: str, options: Mapping[str, Any], examples: Examples) -> PreviewReport:
        """Return what a PATCH with these options would do. Raises ``NoSuchConnection``, ``InvalidOptions``."""
        return await self.long.read(self._preview, connection_id, options, examples)

    def check_options(
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
        was, will_be = read_options(before), read_options(after)
        if ways_in(was, ()) == ways_in(will_be, ()):
            return None
        census.hold(session)
        rp_ids = self._rp_ids(session)
        change = _Change(connection_id, ways_in(was, rp_ids), ways_in(will_be, rp_ids))
        report = _report(session, [change], allowance.shown)
        return _allowed(report, allowance, f"POST /api/v2/connections/{connection_id}/passkey-policy/preview")

    def check_relying_party(
        self, session: Session, before: RelyingParty, after: RelyingParty, allowance: Allowance
    ) -> PreviewReport | None:
        """Return what it does to everybody, administrators included, that another relying party is saved.

        As above; ``None`` where every id stays in use.
        """
        if set(before.ids) <= set(after.ids):
            return None
        census.hold(session)
        changes = [
            _Change(each.id, ways_in(each.policy(), before.ids), ways_in(each.policy(), after.ids))
            for each in connections.every(session)
        ]
        report = _report(session, changes, allowance.shown).model_copy(update={"next": None})
        return _allowed(report, allowance, "GET /api/v2/keystead/relying-party/report")

    def _preview(
        self, session: Session, connection_id: str, options: Mapping[str, Any], examples: Examples
    ) -> PreviewReport:
        census.at_one_moment(session)
        connection = reach.connection(session, connection_id)
        after, rp_ids = read_options(replace_options(connection.options, options)), self._rp_ids(session)
        change = _Change(connection_id, ways_in(connection.policy(), rp_ids), ways_in(after, rp_ids))
        return _report(session, [change], examples)

    def _rp_ids(self, session: Session) -> tuple[str, ...]:
        return relying_party.read(tenant.get(session, relying_party.SETTING), self.public_url).ids


def _report(session: Session, changes: Sequence[_Change], examples: Examples) -> PreviewReport:
    report = counted(_judged(changes, partial(census.everybody, session)))
    if not examples.count:
        return report
    shown: list[Example] = []
    if report.people.refused or report.people.stranded:
        with closing(_judged(changes, partial(census.behind, session, last=examples.last))) as judged:
            found = filter(examples.has, judged)
            shown = [example(each) for each in islice(found, examples.count + 1)]
    page = shown[: examples.count]
    following = page[-1].user_id if len(shown) > len(page) else None
    return report.model_copy(update={"examples": page, "next": following})


def _judged(changes: Sequence[_Change], people: Callable[[str], Iterator[Person]]) -> Generator[Prospect, None, None]:
    for each in changes:
        yield from prospects(each.before, each.after, people(each.connection_id))


def _allowed(report: PreviewReport, allowance: Allowance, where: str) -> PreviewReport:
    """Return a report that is allowed. Raises ``WouldStrandUsers``, whose text alone is enough to go on."""
    count, because = report.people.stranded, report.stranded_because
    if count <= allowance.stranded:
        return report
    whole = "Options are replaced whole: what is left out goes back to its default. " if "_off" in because else ""
    text = (
        f"{count} {'person' if count == 1 else 'people'} could not sign in any more ({because}), so "
        f"nothing was changed. {whole}{where} tells more. Give them another way to sign in first, or say that you "
        f"accept it with ?accept_stranded={count}"
    )
    raise WouldStrandUsers(text, report.model_dump(exclude_none=True))
