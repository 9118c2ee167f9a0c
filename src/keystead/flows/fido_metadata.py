"""An operator brings FIDO metadata: models are stored, and the passkeys that are there already are looked at again."""

import asyncio
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from sqlmodel import Session

from keystead.db import authenticator_models, journal, tenant
from keystead.db.authenticator_models import Judged
from keystead.db.session import Database
from keystead.errors import OlderMetadata
from keystead.flows.authenticator_models import stored_metadata
from keystead.flows.journal import Journal
from keystead.flows.operations import Operation
from keystead.ports import Attestations, Clock, MetadataReader
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
    """Models of which something counts now that did not before."""
    passkeys: int = 0
    """Passkeys that were looked at again for it."""
    trust: int = 0
    """Of these, with another trust than before."""
    quarantined: int = 0
    lifted: int = 0
    """Of these, with a quarantine that metadata had asked for, and does no longer."""

    def counts(self) -> dict[str, Any]:
        """Return what is recorded of it."""
        about = {"no": self.stored.edition.no, "models": self.stored.models, "skipped": self.stored.skipped}
        return about | {name: getattr(self, name) for name in COUNTS}


@dataclass(frozen=True)
class FidoMetadata:
    """Takes metadata in, whole or not at all."""

    db: Database
    reader: MetadataReader
    attestations: Attestations
    journal: Journal
    clock: Clock

    async def stored(self) -> Stored | None:
        """Return which metadata is in use; ``None`` where nobody brought any."""
        return await self.db.read(stored_metadata)

    async def update(self, blob: bytes, root: bytes | None, operation: Operation, *, force: bool) -> Update:
        """Verify a blob and use it from now on. ``root`` is another anchor than the FIDO Alliance's.

        Raises ``InvalidMetadata``, and ``OlderMetadata`` unless it is forced.
        """
        found = await asyncio.to_thread(self.reader.read, blob, root, self.clock())
        return await self.db.write(self._update, found, operation, force)

    def _update(self, session: Session, found: Metadata, operation: Operation, force: bool) -> Update:
        authenticator_models.take_turns(session)
        now, before = self.clock(), stored_metadata(session)
        if before and not force:
            _check_follows(before.edition, found.edition)
        known = authenticator_models.some(session)
        models = {model.key: model for model in found.models}
        authenticator_models.store(session, found.models, now)
        authenticator_models.remove(session, known.keys() - models.keys())
        moved = _moved(known, models, before, now)
        stored = Stored(edition=found.edition, models=len(models), skipped=found.skipped, updated_at=now)
        tenant.set_to(session, SETTING, stored.model_dump(mode="json"))
        update = self._judge_again(session, _Vouching(self.attestations, models), moved, Update(stored, len(moved)))
        journal.add(session, operation.event(self.journal, "Update the FIDO metadata", **update.counts()))
        return update

    def _judge_again(self, session: Session, vouching: "_Vouching", moved: set[str], update: Update) -> Update:
        for batch in authenticator_models.passkeys(session, moved):
            pairs = [(before, self._judged(before, vouching)) for before in batch]
            different = [(before, after) for before, after in pairs if before != after]
            authenticator_models.judge(session, [after for _, after in different])
            turned = [after for before, after in different if after.quarantine != before.quarantine]
            journal.add(session, *(self._noted(passkey) for passkey in turned))
            quarantined = sum(each.quarantine is not None for each in turned)
            update = replace(
                update,
                passkeys=update.passkeys + len(batch),
                trust=update.trust + sum(after.trust != before.trust for before, after in different),
                quarantined=update.quarantined + quarantined,
                lifted=update.lifted + len(turned) - quarantined,
            )
        return update

    def _judged(self, passkey: Judged, vouching: "_Vouching") -> Judged:
        """Return a passkey as it stands by the models now. An administrator's quarantine is not ours to change."""
        now, attested = self.clock(), passkey.attested
        model, vouched = vouching.find(attested)
        judged = replace(passkey, trust=trust_of(attested, model, vouched=vouched, today=now.date()))
        quarantine = quarantine_of(model, attested, now.date())
        if quarantine == passkey.quarantine or is_an_administrators(passkey.quarantine):
            return judged
        return replace(judged, quarantine=quarantine, quarantined_at=now if quarantine else None)

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


def _check_follows(before: Edition, after: Edition) -> None:
    """Refuse what would take back what is known: an old blob has a good signature, too (a rollback)."""
    if before.anchor != after.anchor:
        raise OlderMetadata("The metadata in use is of another service, so that nothing says which is newer.")
    if after.no < before.no:
        raise OlderMetadata(f"The metadata in use is no. {before.no}; this is no. {after.no}.")


def _moved(known: Mapping[str, Model], models: Mapping[str, Model], before: Stored | None, now: datetime) -> set[str]:
    """Return the keys of models that say something else now than when passkeys were judged by them last.

    After a gap in which nothing was believed any more those of that time have no trust yet: then it is every model.
    """
    every = known.keys() | models.keys()
    if before is None or before.edition.is_stale(now.date()):
        return set(every)
    then = before.updated_at.date()
    return {key for key in every if changed(known.get(key), then, models.get(key), now.date())}
