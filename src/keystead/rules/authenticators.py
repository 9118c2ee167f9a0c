"""What FIDO metadata says of models of authenticators, and how well it is known from it that a passkey is of one.

Meant to be read beside the FIDO Metadata Service specification 3.1, "StatusReport" and "AuthenticatorStatus". An
attestation proves a model as far as its chain ends in a root that the metadata gives for that very model; any other
root, be it one that the whole world trusts, proves nothing (CVE-2026-6856).
"""

from base64 import b64encode
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Final

from pydantic import BaseModel, ConfigDict

from keystead.rules.passkey_terms import TRUST_LEVELS, Trust
from keystead.rules.quarantine import Quarantine

GRACE: Final = timedelta(days=30)
"""How long after the day of its next update metadata is still believed. It comes out about once a month."""

COMPROMISES: Final = frozenset(
    {
        "REVOKED",
        "USER_VERIFICATION_BYPASS",
        "ATTESTATION_KEY_COMPROMISE",
        "USER_KEY_REMOTE_COMPROMISE",
        "USER_KEY_PHYSICAL_COMPROMISE",
    }
)
"""Statuses of a model whose passkeys open nothing, as long as they stand."""

APPLE_DEVICE: Final = "f24a8e70-d0d3-f82c-2937-32523cc4de5a"
"""The one AAGUID that Apple's devices attest. Its root vouches for no other: it would for whatever a device says."""

SETTING: Final = "fido_metadata"
"""The tenant setting that says which metadata is in use."""

_CERTIFIED: Final = "FIDO_CERTIFIED"
_WITHOUT_LEVEL: Final[Trust] = "trusted_chain"
_LEVELS: Final[dict[str, Trust]] = {
    f"{_CERTIFIED}_{level.removeprefix('certified_')}": level
    for level in TRUST_LEVELS
    if level.startswith("certified_")
}
_LEVELS_WITHDRAWN: Final = frozenset({"NOT_FIDO_CERTIFIED", "SELF_ASSERTION_SUBMITTED"})


Period = tuple[datetime, datetime]
"""From when to when, both included."""


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True)


class Attested(_Value):
    """What an authenticator said of itself when it made a passkey, as it is kept."""

    format: str
    aaguid: str
    certificates: tuple[bytes, ...]
    """The chain in DER, the authenticator's first; empty for none and for self attestation."""
    at: datetime
    """When it was registered; certificates count as of then."""

    def shows(self, certificate: str) -> bool:
        """Whether a certificate (base64 of DER) is in its chain."""
        return any(b64encode(each).decode() == certificate for each in self.certificates)


class StatusReport(_Value):
    """One thing that the metadata says of a model."""

    status: str
    """A name of the specification's; unknown ones are kept and mean nothing."""
    effective: date | None = None
    """From which day on; ``None``: as long as it is there."""
    certificate: str = ""
    """The one attestation certificate (base64 of DER) that it is about; empty: the model as a whole."""


class Model(_Value):
    """A model of authenticator, as far as it is of use here."""

    key: str
    """Its AAGUID; of models older than AAGUIDs (U2F) the identifier of an attestation key, 40 hexadecimal digits."""
    description: str = ""
    roots: tuple[str, ...] = ()
    """Certificates (base64 of DER) that its attestations end in: authorities, or those of authenticators themselves."""
    reports: tuple[StatusReport, ...] = ()


class Edition(_Value):
    """Which metadata it is."""

    no: int
    """It only ever grows."""
    next_update: date
    anchor: str
    """SHA-256 of the certificate that it is signed below, in hexadecimal: numbers of two services do not compare."""

    def is_stale(self, today: date) -> bool:
        """Whether the next edition is so late that nothing new should be believed on the word of this one."""
        return today - GRACE > self.next_update  # in this order: a service may say that there is no next one


class Metadata(_Value):
    """FIDO metadata that was read: what is of use, and how much is not."""

    edition: Edition
    models: tuple[Model, ...]
    skipped: int
    """Entries that are of use to nobody here: of UAF authenticators, without any name, or broken."""


class Stored(_Value):
    """The metadata that is in use."""

    edition: Edition
    models: int
    skipped: int
    updated_at: datetime
    pending: tuple[str, ...] = ()
    """Models of which the passkeys are still to be looked at again: an update is under way, or it broke off."""


def said(model: Model, today: date) -> tuple[StatusReport, ...]:
    """Return what is said of a model by that day, oldest first; what begins later does not count yet.

    Of one day what speaks against it comes last, and what is said without a day counts as long as it is there.
    """

    def place(report: StatusReport) -> tuple[bool, date, bool, int]:
        against = report.status in COMPROMISES
        level = TRUST_LEVELS.index(_LEVELS.get(report.status, "none"))
        return against and report.effective is None, report.effective or date.min, against, level

    return tuple(sorted((each for each in model.reports if (each.effective or date.min) <= today), key=place))


def certification(model: Model, today: date) -> Trust:
    """Return how far a proven passkey of a model is trusted: to the latest level that the FIDO Alliance certified.

    ``FIDO_CERTIFIED`` alone says that it works, and nothing of how it keeps keys.
    """
    found: Trust = _WITHOUT_LEVEL
    for report in said(model, today):
        if report.status in _LEVELS:
            found = _LEVELS[report.status]
        elif report.status in _LEVELS_WITHDRAWN:
            found = _WITHOUT_LEVEL
    return found


def compromise(model: Model, attested: Attested, today: date) -> StatusReport | None:
    """Return the report that stands against a passkey of a model.

    A later update or certification lifts it, as the specification has it: which firmware an authenticator runs, nobody
    is told. A report about one attestation certificate is about the authenticators that show it.
    """
    about = (each for each in said(model, today) if not each.certificate or attested.shows(each.certificate))
    return _stands(about)


def compromise_of_all(model: Model, today: date) -> StatusReport | None:
    """Return the report that stands against a model as a whole."""
    return _stands(each for each in said(model, today) if not each.certificate)


def _stands(reports: Iterable[StatusReport]) -> StatusReport | None:
    found = None
    for report in reports:
        if report.status in COMPROMISES:
            found = report
        elif report.status.startswith(_CERTIFIED) or (report.status == "UPDATE_AVAILABLE" and not _revoked(found)):
            found = None
    return found


def _revoked(report: StatusReport | None) -> bool:
    """Whether a model is not to be trusted at all: makers report their own updates, and do not take that back."""
    return report is not None and report.status == "REVOKED"


def trust_of(attested: Attested, model: Model | None, *, vouched: bool, today: date) -> Trust:
    """Return how well it is known who made an authenticator. ``vouched``: its chain ends in a root of that model.

    Without metadata only a maker's own root can have vouched, and no level is known.
    """
    if attested.format == "none":
        return "none"
    if not attested.certificates:
        return "self"
    if not vouched:
        return "untrusted_chain"
    if model is None:
        return _WITHOUT_LEVEL
    return "untrusted_chain" if compromise(model, attested, today) else certification(model, today)


def most_trust(key: str, model: Model | None, today: date) -> Trust:
    """Return how well it can be known at best that a passkey is of a model."""
    if model is None or not model.roots:
        return _WITHOUT_LEVEL if key == APPLE_DEVICE else "untrusted_chain"
    return "untrusted_chain" if compromise_of_all(model, today) else certification(model, today)


def quarantine_of(model: Model | None, attested: Attested, today: date) -> str | None:
    """Return why a passkey opens nothing; ``None`` where the metadata has nothing against it.

    Who says to be of a model is believed where that speaks against them: an attestation is asked of few, and what is
    wrong with a model is wrong with its unattested passkeys too.
    """
    report = compromise(model, attested, today) if model else None
    if report is None:
        return None
    since = f" since {report.effective.isoformat()}" if report.effective else ""
    return Quarantine("fido_metadata", f"{report.status}{since}").text


def changed(before: Model | None, then: date, after: Model | None, today: date) -> bool:
    """Whether passkeys of a model must be looked at again: other roots, or something that counts now."""
    old, new = before or Model(key=""), after or Model(key="")
    return (set(old.roots), said(old, then)) != (set(new.roots), said(new, today))
