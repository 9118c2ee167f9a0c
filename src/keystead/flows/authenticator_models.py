"""What is known of models of authenticators: where a passkey is registered, and where administrators ask."""

from base64 import b64decode
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date

from sqlmodel import Session

from keystead.db import authenticator_models, tenant
from keystead.db.session import Database
from keystead.errors import NoSuchAuthenticator
from keystead.ports import Attestations, Clock
from keystead.rules.authenticator_names import name_of, names
from keystead.rules.authenticators import (
    SETTING,
    Attested,
    Model,
    StatusReport,
    Stored,
    compromise_of_all,
    most_trust,
    quarantine_of,
    said,
    trust_of,
)
from keystead.rules.ceremonies import NewPasskey
from keystead.rules.passkey_terms import Trust


@dataclass(frozen=True, slots=True)
class Described:
    """A model, for administrators."""

    key: str
    """Its AAGUID, as rules name it; of models without one the identifier of their attestation key."""
    name: str | None
    trust: Trust
    """How well it can be known at best that a passkey is of it."""
    compromised: str | None
    """The status that keeps its passkeys in quarantine."""
    roots: int
    reports: tuple[StatusReport, ...]
    """All that the metadata says of it, oldest first."""


@dataclass(frozen=True)
class AuthenticatorModels:
    """Judges new passkeys by the metadata that is stored, and shows it."""

    db: Database
    attestations: Attestations
    clock: Clock

    def judged(self, session: Session, new: NewPasskey) -> NewPasskey:
        """Return a passkey that is being registered with its trust, and its quarantine where its model is compromised.

        In the transaction that stores it, so that no update of the metadata is missed (``take_turns``). Metadata that
        was not updated for long vouches for nobody new; what it has against a model still stands.
        """
        now = self.clock()
        attested = Attested(format=new.attestation_format, aaguid=new.aaguid, certificates=new.certificates, at=now)
        model = authenticator_models.find(session, self.attestations.model_of(attested))
        believed = model if new.certificates and not self._is_stale(session) else None
        roots = (b64decode(root) for root in believed.roots) if believed else ()
        vouched = self.attestations.vouched(attested, roots) is not None
        found = {
            "trust": trust_of(attested, believed, vouched=vouched, today=now.date()),
            "quarantine": quarantine_of(model, attested, now.date()),
        }
        return new.model_copy(update=found)

    def _is_stale(self, session: Session) -> bool:
        stored = stored_metadata(session)
        return stored is None or stored.edition.is_stale(self.clock().date())

    async def page(self, start: int, size: int) -> tuple[list[Described], int]:
        """Return a part of the models that anything is known of, in the order of their keys, and how many there are."""
        return await self.db.read(self._page, start, size)

    async def show(self, key: str) -> Described:
        """Return a model. Raises ``NoSuchAuthenticator`` where nothing is known of it."""
        (found,) = await self.db.read(self._described, [key])
        if found.name is None and not found.reports:
            raise NoSuchAuthenticator
        return found

    async def names_of(self, keys: Collection[str]) -> dict[str, str | None]:
        """Return what models are called, as far as anybody here knows."""
        return {each.key: each.name for each in await self.db.read(self._described, list(keys))}

    def _page(self, session: Session, start: int, size: int) -> tuple[list[Described], int]:
        known = sorted({*authenticator_models.keys(session), *names()})
        return self._described(session, known[start : start + size]), len(known)

    def _described(self, session: Session, wanted: Sequence[str]) -> list[Described]:
        today, models = self.clock().date(), authenticator_models.some(session, wanted)
        stale = self._is_stale(session)
        return [_described(key, models.get(key), today, stale=stale) for key in wanted]


def _described(key: str, model: Model | None, today: date, *, stale: bool) -> Described:
    told = model or Model(key=key)
    against = compromise_of_all(told, today)
    return Described(
        key=key,
        name=told.description or name_of(key),
        trust=most_trust(key, None if stale else model, today),
        compromised=against.status if against else None,
        roots=len(told.roots),
        reports=said(told, date.max),
    )


def stored_metadata(session: Session) -> Stored | None:
    """Return the metadata that is in use; ``None`` where nobody brought any."""
    found = tenant.get(session, SETTING)
    return Stored.model_validate(found) if found else None
