"""An operator brings FIDO metadata: models are stored, and the passkeys that are there already are looked at again."""

import asyncio
from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from sqlmodel import Session

from keystead.db import authenticator_models, journal, tenant
from keystead.db.authenticator_models import Judged
from keystead.db.session import Database
from keystead.errors import Conflict, OlderMetadata
from keystead.flows.authenticator_models import stored_metadata
from keystead.flows.journal import Journal
from keystead.flows.operations import Operation
from keystead.flows.revocation import Revocation
from keystead.ports import Attestations, Clock, MetadataReader
from keystead.rules import revocation
from keystead.rules.authenticators import (
    SETTING,
    Attested,
    Edition,
    Metadata,
    Model,
    Period,
    Stored,
    changed,
    quarantine_of,
    trust_of,
)
from keystead.rules.events import Caller, Event
from keystead.rules.quarantine import is_an_administrators, noted

COUNTS: Final = ("changed", "passkeys", "trust", "quarantined", "lifted")
"""What an update counts."""

_MOST_HELD: Final = 1000


@dataclass(frozen=True, slots=True)
class Update:
    """What an update of the metadata did."""

    stored: Stored
    changed: int
    """Models that say something that they did not before."""
    passkeys: int = 0
    """Passkeys that were looked at again."""
    trust: int = 0
    """Those of them with another trust than before."""
    quarantined: int = 0
    """Those that went into quarantine."""
    lifted: int = 0
    """Those that came out of it, since the metadata has nothing against them any more."""

    def counts(self) -> dict[str, Any]:
        """Return what is recorded of it."""
        about = {"no": self.stored.edition.no, "models": self.stored.models, "skipped": self.stored.skipped}
        return about | {name: getattr(self, name) for name in COUNTS}


@dataclass(frozen=True)
class FidoMetadata:
    """Takes metadata in: the models at once, and then the passkeys that were there before, batch by batch.

    No transaction is longer than a batch, so that people log in meanwhile. Which models are still to be gone through is
    stored with them: an update that broke off is taken up by the next.
    """

    db: Database
    reader: MetadataReader
    attestations: Attestations
    revocation: Revocation
    journal: Journal
    clock: Clock

    async def stored(self) -> Stored | None:
        """Return which metadata is in use; ``None`` where nobody brought any."""
        return await self.db.read(stored_metadata)

    async def update(self, blob: bytes, root: bytes | None, operation: Operation, *, force: bool) -> Update:
        """Verify a blob and use it from now on. ``root`` is another anchor than the FIDO Alliance's.

        Raises ``InvalidMetadata``, ``OlderMetadata`` unless it is forced, and ``Conflict`` where somebody else brings
        metadata at the same time: then theirs is in use.
        """
        found = await asyncio.to_thread(self.reader.read, blob, root, self.clock())
        stored = await self.db.write(self._take_in, found, force)
        update = Update(stored, len(stored.pending))
        vouching = _Vouching(self.attestations, {model.key: model for model in found.models})
        last: str | None = ""
        while last is not None:
            update, last = await self.db.write(self._judge_batch, vouching, update, last)
        return await self.db.write(self._end, update, operation)

    def _take_in(self, session: Session, found: Metadata, force: bool) -> Stored:
        """Store the models: whoever registers from here on is judged by them."""
        authenticator_models.take_turns(session)
        now, before = self.clock(), stored_metadata(session)
        if before and not force:
            _check_follows(before.edition, found.edition)
        known = authenticator_models.some(session)
        models = {model.key: model for model in found.models}
        authenticator_models.store(session, found.models, now)
        authenticator_models.remove(session, known.keys() - models.keys())
        stored = Stored(
            edition=found.edition,
            models=len(models),
            skipped=found.skipped,
            updated_at=now,
            pending=tuple(sorted(_moved(known, models, before, now))),
        )
        tenant.set_to(session, SETTING, stored.model_dump(mode="json"))
        return stored

    def _judge_batch(
        self, session: Session, vouching: "_Vouching", update: Update, last: str
    ) -> tuple[Update, str | None]:
        """Look at a batch of passkeys again; return the last of them, or ``None`` where there was none left."""
        _check_in_use(session, update.stored)
        batch = authenticator_models.passkeys(session, update.stored.pending, last)
        if not batch:
            return update, None
        pairs = [(before, self._judged(before, vouching)) for before in batch]
        authenticator_models.judge(session, [after for before, after in pairs if after != before])
        lifted, imposed = _turned(pairs, into=False), _turned(pairs, into=True)
        journal.add(session, *(self._noted(passkey) for passkey in (*lifted, *imposed)))
        self._end_what_they_opened(session, imposed)
        done = replace(
            update,
            passkeys=update.passkeys + len(batch),
            trust=update.trust + sum(after.trust != before.trust for before, after in pairs),
            quarantined=update.quarantined + len(imposed),
            lifted=update.lifted + len(lifted),
        )
        return done, batch[-1].id

    def _end_what_they_opened(self, session: Session, imposed: Sequence[Judged]) -> None:
        """Whoever broke the authenticators may be in already."""
        for user_id in sorted({passkey.user_id for passkey in imposed}):
            subject = revocation.Subject(user_id)
            self.revocation.apply(session, revocation.Event.PASSKEY_QUARANTINED, subject, self.clock())

    def _end(self, session: Session, update: Update, operation: Operation) -> Update:
        _check_in_use(session, update.stored)
        stored = update.stored.model_copy(update={"pending": ()})
        tenant.set_to(session, SETTING, stored.model_dump(mode="json"))
        journal.add(session, operation.event(self.journal, "Update the FIDO metadata", **update.counts()))
        return replace(update, stored=stored)

    def _judged(self, passkey: Judged, vouching: "_Vouching") -> Judged:
        """Return a passkey as it stands by the models now. An administrator's quarantine is not ours to change."""
        now, attested = self.clock(), passkey.attested
        model, vouched = vouching.find(attested)
        judged = replace(passkey, trust=trust_of(attested, model, vouched=vouched, today=now.date()))
        if is_an_administrators(passkey.quarantine):
            return judged
        why = quarantine_of(model, attested, now.date())
        since = passkey.quarantined_at if passkey.quarantine is not None else now
        return replace(judged, quarantine=why, quarantined_at=None if why is None else since)

    def _noted(self, passkey: Judged) -> Event:
        """Return the entry in its owner's journal."""
        about = {"user_id": passkey.user_id, "connection_id": passkey.connection_id}
        kind, details = noted(passkey.id, passkey.attested.aaguid, passkey.quarantine)
        return self.journal.event(kind, Caller(), **about, **details)


@dataclass(frozen=True)
class _Vouching:
    """The models, and the chains that end in their roots: thousands of authenticators of a batch show the same."""

    attestations: Attestations
    models: Mapping[str, Model]
    held: dict[tuple[str, tuple[bytes, ...]], Period] = field(default_factory=dict)
    """From when to when which chain holds for which model."""

    def find(self, attested: Attested) -> tuple[Model | None, bool]:
        """Return the model of a passkey, and whether its chain ends in a root of that."""
        key = self.attestations.model_of(attested)
        model, shown = self.models.get(key), (key, attested.certificates)
        period = self.held.get(shown)
        if period is None or not period[0] <= attested.at <= period[1]:
            period = self.attestations.vouched(attested, map(b64decode, model.roots if model else ()))
            if period is not None:
                if len(self.held) >= _MOST_HELD:
                    self.held.clear()
                self.held[shown] = period
        return model, period is not None


def _turned(pairs: Sequence[tuple[Judged, Judged]], *, into: bool) -> list[Judged]:
    """Return the passkeys that came into quarantine, or out of it; another reason for it is neither."""
    return [
        after for before, after in pairs if (before.quarantine is None, after.quarantine is None) == (into, not into)
    ]


def _check_follows(before: Edition, after: Edition) -> None:
    """Refuse what would take back what is known: an old blob has a good signature, too (a rollback)."""
    if before.anchor != after.anchor:
        raise OlderMetadata("The metadata in use is of another service, so that nothing says which is newer.")
    if after.no < before.no:
        raise OlderMetadata(f"The metadata in use is no. {before.no}; this is no. {after.no}.")


def _check_in_use(session: Session, stored: Stored) -> None:
    """Refuse to go on by models that somebody else replaced meanwhile: passkeys are judged by newer ones already.

    And keep them in use until the unit of work is over: what it judges and stores would else come after theirs.
    """
    authenticator_models.hold(session)
    if stored_metadata(session) != stored:
        raise Conflict("Somebody else brought metadata at the same time.")


def _moved(known: Mapping[str, Model], models: Mapping[str, Model], before: Stored | None, now: datetime) -> set[str]:
    """Return the keys of models that say something else now than when passkeys were judged by them last.

    After a gap in which nothing was believed any more those of that time have no trust yet: then it is every model. And
    those that an update which broke off did not come to.
    """
    every = known.keys() | models.keys()
    if before is None or before.edition.is_stale(now.date()):
        return set(every)
    then = before.updated_at.date()
    differing = {key for key in every if changed(known.get(key), then, models.get(key), now.date())}
    return differing | set(before.pending)
