"""Whoever wants to be told of a logout is told, and of nothing that they did not ask for."""

from typing import get_args

import pytest

from keystead.rules.clients import ClientSettings, Initiator, new_settings
from keystead.rules.logout_notices import INITIATORS, addresses
from keystead.rules.revocation import FATE, Artefact, Event, Outcome

URL = "https://shop.example/out"


def client(**settings: object) -> ClientSettings:
    return new_settings({"name": "Shop", "oidc_logout": {"backchannel_logout_urls": [URL], **settings}})


def selected(*initiators: str) -> ClientSettings:
    return client(backchannel_logout_initiators={"mode": "custom", "selected_initiators": list(initiators)})


@pytest.mark.parametrize("event", Event)
def test_every_event_that_ends_sessions_has_a_name(event: Event) -> None:
    assert (FATE[event][Artefact.SESSION].outcome is Outcome.ENDS) == (event in INITIATORS)


@pytest.mark.parametrize("initiator", get_args(Initiator))
def test_what_is_told(initiator: Initiator) -> None:
    always = initiator == "rp-logout"
    assert addresses(client(backchannel_logout_initiators={"mode": "all"}), initiator) == (URL,)
    assert addresses(selected(initiator), initiator) == (URL,)
    assert bool(addresses(selected(), initiator)) == always
    assert bool(addresses(client(), initiator)) == (initiator in ("rp-logout", "idp-logout"))
    assert addresses(new_settings({"name": "Shop"}), initiator) == ()
    assert addresses(new_settings({"name": "Shop", "oidc_logout": {}}), initiator) == ()
