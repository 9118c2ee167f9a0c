"""The revocation matrix as a value: whole, and able to be run."""

import pytest

from keystead.db.selection import of_people, of_tokens
from keystead.db.tables import RefreshToken, Ticket
from keystead.flows import revocation as flow
from keystead.rules.revocation import (
    FATE,
    NOTES,
    SWITCHES,
    Artefact,
    Event,
    Outcome,
    SessionOptions,
    Subject,
    Whose,
    endings,
    whose,
)

SUBJECT = Subject("auth0|ann", "a session", "a client", "con_1", ("a family",))
OFF = SessionOptions(end_others_when_credentials_change=False, end_refresh_tokens_at_logout=False)


def test_every_cell_is_filled() -> None:
    assert set(FATE) == set(Event)
    for row in FATE.values():
        assert list(row) == list(Artefact)
        for fate in row.values():
            assert (fate.scope is not None) is (fate.outcome in (Outcome.ENDS, Outcome.REFUSED))
            assert (fate.because in NOTES.values()) is (fate.outcome in (Outcome.REFUSED, Outcome.LIVES))


@pytest.mark.parametrize("event", Event)
def test_what_ends_is_somebody_s_in_particular(event: Event) -> None:
    for artefact, scope in endings(event, SessionOptions()).items():
        assert artefact in flow._ENDERS
        assert whose(scope, SUBJECT) != Whose()


@pytest.mark.parametrize("event", Event)
def test_an_option_lets_live_what_it_is_about(event: Event) -> None:
    on, off = endings(event, SessionOptions()), endings(event, OFF)
    optional = {artefact for artefact, fate in FATE[event].items() if fate.optional}
    assert set(on) - set(off) == optional
    assert bool(optional) is (event in SWITCHES)


def test_the_session_in_which_it_happens_is_not_among_the_others() -> None:
    (scope,) = {endings(Event.PASSWORD_CHANGED, SessionOptions())[Artefact.SESSION]}
    assert whose(scope, SUBJECT) == Whose(user_id="auth0|ann", but_session="a session")


def test_nobody_in_particular_is_nobody() -> None:
    """A statement without conditions would end what everybody has."""
    with pytest.raises(ValueError, match="nobody"):
        of_tokens(RefreshToken, Whose())
    with pytest.raises(ValueError, match="nobody"):
        of_people(Ticket.__table__.columns.subject, Whose())  # type: ignore[attr-defined]
