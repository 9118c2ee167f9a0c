"""What the metadata's statuses mean, level by level and day by day."""

from base64 import b64encode
from datetime import UTC, date, datetime

import pytest

from keystead.rules.authenticators import (
    APPLE_DEVICE,
    COMPROMISES,
    GRACE,
    Attested,
    Edition,
    Model,
    StatusReport,
    certification,
    changed,
    compromise,
    compromise_of_all,
    most_trust,
    quarantine_of,
    said,
    trust_of,
)
from keystead.rules.passkey_terms import TRUST_LEVELS, Trust
from keystead.rules.quarantine import is_an_administrators

TODAY = date(2026, 6, 1)
Report = tuple[str, str | None]
LEAF, OTHER = b"a certificate", b"another"


def model(*reports: Report | StatusReport, roots: tuple[str, ...] = ("cm9vdA==",)) -> Model:
    """A model with status reports."""
    read = [
        each
        if isinstance(each, StatusReport)
        else StatusReport(status=each[0], effective=date.fromisoformat(each[1]) if each[1] else None)
        for each in reports
    ]
    return Model(key="k", roots=roots, reports=tuple(read))


def attested(form: str = "packed", *certificates: bytes) -> Attested:
    """A passkey's attestation."""
    return Attested(format=form, aaguid="a", certificates=certificates, at=datetime(2026, 1, 1, tzinfo=UTC))


# --- levels ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reports", "level"),
    [
        ([], "trusted_chain"),
        ([("FIDO_CERTIFIED", "2020-01-01")], "trusted_chain"),  # it works; nothing is said of how it keeps keys
        ([("FIDO_CERTIFIED_L1", "2020-01-01")], "certified_L1"),
        ([("FIDO_CERTIFIED_L1plus", "2020-01-01")], "certified_L1plus"),
        ([("FIDO_CERTIFIED_L2", "2020-01-01")], "certified_L2"),
        ([("FIDO_CERTIFIED_L2plus", "2020-01-01")], "certified_L2plus"),
        ([("FIDO_CERTIFIED_L3", "2020-01-01")], "certified_L3"),
        ([("FIDO_CERTIFIED_L3plus", "2020-01-01")], "certified_L3plus"),
        ([("FIDO_CERTIFIED_L4", "2020-01-01"), ("FIPS140_CERTIFIED_L1", "2020-01-01")], "trusted_chain"),  # unknown
        ([("FIDO_CERTIFIED_L1", None)], "certified_L1"),
        # as real blobs have it, newest first and two of a day
        (
            [
                ("FIDO_CERTIFIED_L2", "2024-10-12"),
                ("FIDO_CERTIFIED_L1", "2024-06-04"),
                ("FIDO_CERTIFIED", "2024-06-04"),
            ],
            "certified_L2",
        ),
        ([("FIDO_CERTIFIED", "2020-05-12"), ("FIDO_CERTIFIED_L1", "2020-05-12")], "certified_L1"),
        ([("FIDO_CERTIFIED_L1", "2020-05-12"), ("FIDO_CERTIFIED", "2021-05-12")], "certified_L1"),
        ([("FIDO_CERTIFIED_L2", "2020-05-12"), ("FIDO_CERTIFIED_L1", "2020-05-12")], "certified_L2"),
        # the latest counts, also where it is less
        ([("FIDO_CERTIFIED_L3", "2020-01-01"), ("FIDO_CERTIFIED_L1", "2024-01-01")], "certified_L1"),
        ([("FIDO_CERTIFIED_L1", "2020-01-01"), ("NOT_FIDO_CERTIFIED", "2024-01-01")], "trusted_chain"),
        ([("FIDO_CERTIFIED_L1", "2020-01-01"), ("SELF_ASSERTION_SUBMITTED", "2024-01-01")], "trusted_chain"),
        ([("NOT_FIDO_CERTIFIED", "2020-01-01"), ("FIDO_CERTIFIED_L1", "2024-01-01")], "certified_L1"),
        # and not before its day
        ([("FIDO_CERTIFIED_L2", "2026-06-01")], "certified_L2"),
        ([("FIDO_CERTIFIED_L1", "2024-01-01"), ("FIDO_CERTIFIED_L2", "2026-06-02")], "certified_L1"),
    ],
)
def test_a_level_is_that_of_the_latest_certificate(reports: list[Report], level: Trust) -> None:
    assert certification(model(*reports), TODAY) == level


# --- compromises -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", sorted(COMPROMISES))
def test_a_compromise_stands_until_it_is_lifted(status: str) -> None:
    found = model(("FIDO_CERTIFIED_L1", "2020-01-01"), (status, "2024-01-01"))
    report = compromise(found, attested(), TODAY)
    assert report is not None
    assert report.status == status
    assert compromise(found, attested(), date(2023, 12, 31)) is None, "not before its day"
    for lifting in ("UPDATE_AVAILABLE", "FIDO_CERTIFIED", "FIDO_CERTIFIED_L2"):
        lifts = lifting != "UPDATE_AVAILABLE" or status != "REVOKED"
        assert bool(compromise(model(*found.reports, (lifting, "2024-01-02")), attested(), TODAY)) is not lifts
        assert compromise(model(*found.reports, (lifting, "2023-12-31")), attested(), TODAY), "that was before"
        assert compromise(model(*found.reports, (lifting, "2024-01-01")), attested(), TODAY), "of one day, the worse"
        assert compromise(model(*found.reports, (lifting, "2026-06-02")), attested(), TODAY), "not yet"
    for nothing in ("NOT_FIDO_CERTIFIED", "SELF_ASSERTION_SUBMITTED", "RETIRED", "SOMETHING_NEW"):
        assert compromise(model(*found.reports, (nothing, "2024-01-02")), attested(), TODAY)


def test_a_compromise_without_a_day_counts_as_long_as_it_is_there() -> None:
    assert compromise(model(("REVOKED", None), ("UPDATE_AVAILABLE", "2024-01-01")), attested(), TODAY)


def test_a_compromise_of_one_attestation_key_is_about_those_that_show_it() -> None:
    about = StatusReport(
        status="ATTESTATION_KEY_COMPROMISE", effective=date(2024, 1, 1), certificate=b64encode(LEAF).decode()
    )
    found = model(("FIDO_CERTIFIED_L1", "2020-01-01"), about)
    assert compromise(found, attested("packed", LEAF), TODAY) == about
    assert compromise(found, attested("packed", OTHER, LEAF), TODAY) == about
    assert compromise(found, attested("packed", OTHER), TODAY) is None
    assert compromise(found, attested("none"), TODAY) is None
    assert compromise_of_all(found, TODAY) is None
    assert trust_of(attested("packed", OTHER), found, vouched=True, today=TODAY) == "certified_L1"
    assert trust_of(attested("packed", LEAF), found, vouched=True, today=TODAY) == "untrusted_chain"


def test_reports_are_said_oldest_first_and_those_to_come_are_not() -> None:
    found = model(("C", "2024-01-01"), ("B", "2023-01-01"), ("A", None), ("D", "2026-06-02"))
    assert [each.status for each in said(found, TODAY)] == ["A", "B", "C"]
    assert [each.status for each in said(found, date.max)] == ["A", "B", "C", "D"]


# --- what follows for a passkey ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "certificates", "vouched", "trust"),
    [
        ("none", (), False, "none"),
        ("packed", (), False, "self"),
        ("packed", (LEAF,), False, "untrusted_chain"),
        ("packed", (LEAF,), True, "certified_L2"),
        ("tpm", (LEAF,), True, "certified_L2"),
        # nobody who says more of themselves than they show is believed, whatever is said of the chain
        ("none", (), True, "none"),
        ("packed", (), True, "self"),
    ],
)
def test_trust_follows_from_statement_chain_and_model(
    form: str, certificates: tuple[bytes, ...], vouched: bool, trust: Trust
) -> None:
    found = model(("FIDO_CERTIFIED_L2", "2024-01-01"))
    assert trust_of(attested(form, *certificates), found, vouched=vouched, today=TODAY) == trust
    capped = "trusted_chain" if trust == "certified_L2" else trust
    assert trust_of(attested(form, *certificates), None, vouched=vouched, today=TODAY) == capped


@pytest.mark.parametrize("status", sorted(COMPROMISES))
def test_a_compromised_model_vouches_for_nobody_and_its_passkeys_are_in_quarantine(status: str) -> None:
    found = model(("FIDO_CERTIFIED_L2", "2020-01-01"), (status, "2024-01-01"))
    assert trust_of(attested("packed", LEAF), found, vouched=True, today=TODAY) == "untrusted_chain"
    for form in ("none", "packed"):
        why = quarantine_of(found, attested(form), TODAY)
        assert why == f"fido_metadata: {status} since 2024-01-01"
        assert not is_an_administrators(why)
    assert quarantine_of(found, attested(), date(2023, 1, 1)) is None
    assert quarantine_of(None, attested(), TODAY) is None
    assert quarantine_of(model((status, None)), attested(), TODAY) == f"fido_metadata: {status}"


@pytest.mark.parametrize(
    ("key", "known", "most"),
    [
        ("a", None, "untrusted_chain"),
        ("a", model(("FIDO_CERTIFIED_L1", "2020-01-01"), roots=()), "untrusted_chain"),
        ("a", model(("FIDO_CERTIFIED_L1", "2020-01-01")), "certified_L1"),
        ("a", model(), "trusted_chain"),
        ("a", model(("FIDO_CERTIFIED_L1", "2020-01-01"), ("REVOKED", "2024-01-01")), "untrusted_chain"),
        (APPLE_DEVICE, None, "trusted_chain"),
        (APPLE_DEVICE, model(("FIDO_CERTIFIED_L1", "2020-01-01")), "certified_L1"),
    ],
)
def test_the_most_that_can_be_known(key: str, known: Model | None, most: Trust) -> None:
    assert most_trust(key, known, TODAY) == most


def test_metadata_is_stale_a_month_after_its_next_update_was_due() -> None:
    edition = Edition(no=1, next_update=TODAY, anchor="a")
    assert not edition.is_stale(TODAY + GRACE)
    assert edition.is_stale(date.fromordinal((TODAY + GRACE).toordinal() + 1))


@pytest.mark.parametrize(
    ("before", "after", "differs"),
    [
        (None, None, False),
        (None, model(), True),
        (model(), None, True),
        (model(), model(), False),
        (model(), model(roots=("b3RoZXI=",)), True),
        (model(roots=("YQ==", "Yg==")), model(roots=("Yg==", "YQ==")), False),
        (model(), model(("FIDO_CERTIFIED_L1", "2024-01-01")), True),
        (model(), model(("REVOKED", "2026-06-02")), False),  # not yet
        (model(("REVOKED", "2026-05-15")), model(("REVOKED", "2026-05-15")), True),  # now
        (model(("REVOKED", "2026-04-15")), model(("REVOKED", "2026-04-15")), False),  # was so before
        (model().model_copy(update={"description": "x"}), model(), False),
    ],
)
def test_passkeys_are_looked_at_again_where_something_counts_now(
    before: Model | None, after: Model | None, differs: bool
) -> None:
    assert changed(before, date(2026, 5, 1), after, TODAY) == differs


def test_a_model_is_the_same_after_it_was_stored() -> None:
    found = model(("FIDO_CERTIFIED_L1", "2024-01-01"), ("X", None))
    assert Model.model_validate(found.model_dump(mode="json")) == found


def test_every_level_has_a_status() -> None:
    levels = {certification(model((f"FIDO_CERTIFIED_{name}", "2024-01-01")), TODAY) for name in _names()}
    assert levels == set(TRUST_LEVELS[4:])


def _names() -> list[str]:
    return [f"L{number}{plus}" for number in (1, 2, 3) for plus in ("", "plus")]


def test_a_service_may_say_that_there_is_no_next_edition() -> None:
    edition = Edition(no=1, next_update=date.max, anchor="a")
    assert not edition.is_stale(date.max)
    assert Edition(no=1, next_update=date(2024, 1, 1), anchor="a").is_stale(date.max)
