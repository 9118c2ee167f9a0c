"""Ceremonies begin and end here: written down with all that the verdict will need, and claimed once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from keystead.db import ceremonies
from keystead.db.session import Database
from keystead.errors import CeremonyExpired
from keystead.ports import Clock, Entropy
from keystead.rules.ceremonies import Ceremony, CeremonyKind, RelyingParty
from keystead.rules.passkey_policy import CEREMONY_LIFETIME
from keystead.rules.passkey_terms import PasskeyPolicy


@dataclass(frozen=True, slots=True)
class Party:
    """For whom a ceremony is held: a client on a connection, and the pages it may be shown on."""

    client_id: str
    connection_id: str
    origins: tuple[str, ...] = ()
    """Origins beside our own: the client's pages and apps, where it is the client that shows the dialog (PK-13)."""
    transaction: str = ""
    """The login transaction, where it is our hosted pages that show it."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A ceremony under way: the handle for who began it, and the record."""

    auth_session: str
    ceremony: Ceremony


@dataclass(frozen=True)
class Ceremonies:
    """The register of ceremonies under way."""

    db: Database
    clock: Clock
    entropy: Entropy
    relying_party: RelyingParty

    async def begin(self, kind: CeremonyKind, party: Party, policy: PasskeyPolicy, **about: Any) -> Begun:
        """Write a ceremony down, with what the policy demands. ``about`` are members that only this kind has."""
        ceremony = Ceremony(
            kind=kind,
            challenge=self.entropy.token(32),
            rp_id=self.relying_party.id,
            origins=tuple(dict.fromkeys((self.relying_party.origin, *party.origins))),
            user_verification=policy.user_verification,
            attachment=policy.attachment,
            algorithms=tuple(policy.algorithms),
            attestation=policy.attestation,
            advisory=policy.mode == "advise",
            client_id=party.client_id,
            connection_id=party.connection_id,
            expires_at=self.clock() + CEREMONY_LIFETIME,
            transaction=party.transaction,
            **about,
        )
        auth_session = self.entropy.token(32)
        await self.db.write(ceremonies.put, auth_session, ceremony)
        return Begun(auth_session, ceremony)

    async def claim(
        self, auth_session: str, kinds: Sequence[CeremonyKind], *, client_id: str, transaction: str = ""
    ) -> Ceremony:
        """Take a ceremony out of the register, before anything about the answer is looked at.

        Raises ``CeremonyExpired`` for one that is unknown, used, late, of another kind, or another client's or
        transaction's; in the latter cases it is gone all the same, so that nobody can feel for it.
        """
        ceremony = await self.db.write(ceremonies.take, auth_session, self.clock())
        if ceremony is None:
            raise CeremonyExpired(detail="unknown, used or late")
        if ceremony.kind not in kinds:
            raise CeremonyExpired(detail=f"a {ceremony.kind} ceremony cannot be used for {kinds[0]}")
        if ceremony.client_id != client_id or ceremony.transaction != transaction:
            raise CeremonyExpired(detail="begun by another client or in another login")
        return ceremony
