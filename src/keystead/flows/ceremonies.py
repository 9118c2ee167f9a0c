"""Ceremonies begin and end here: written down with all that the verdict will need, and claimed once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session

from keystead.db import ceremonies
from keystead.db.connections import ConnectionRecord
from keystead.db.session import Database
from keystead.errors import BadRequest, CeremonyExpired
from keystead.flows.relying_party import current
from keystead.ports import Clock, Entropy
from keystead.rules.ceremonies import Ceremony, CeremonyKind, Mediation
from keystead.rules.enrolment import UPGRADE_LIFETIME
from keystead.rules.passkey_policy import CEREMONY_LIFETIME
from keystead.rules.passkey_terms import PasskeyPolicy
from keystead.rules.relying_party import RelyingParty


@dataclass(frozen=True, slots=True)
class Party:
    """For whom a ceremony is held: a client on a connection, and the pages it may be shown on."""

    client_id: str
    connection: ConnectionRecord
    origins: tuple[str, ...] = ()
    """Origins beside our own: the client's pages and apps, where it is the client that shows the dialog (PK-13)."""
    transaction: str = ""
    """The login transaction, where it is our hosted pages that show it."""
    page: str = ""
    """The ``Origin`` header of the request, where it is the client that shows the dialog."""
    rp_id: str = ""
    """Which id the passkey must be of, where our hosted pages ask for an older one."""

    def allowed(self, relying_party: RelyingParty) -> tuple[str, ...]:
        """Return the origins that may show the dialog (PK-13).

        Administrators use their passkeys on our own pages alone, whichever client it is for: whoever may change the
        relying party could otherwise name a page of theirs, and be an owner with what an owner's passkey signs there.
        """
        if self.connection.for_administrators:
            return (relying_party.origin,)
        return tuple(dict.fromkeys((*relying_party.pages, *self.origins)))

    def id_at(self, relying_party: RelyingParty) -> str:
        """Return the id of a ceremony that is held now. Raises ``BadRequest`` for one that logs nobody in."""
        if self.rp_id and self.rp_id not in relying_party.ids:
            raise BadRequest("rp_id is not an address whose passkeys are used here.", path="rp_id")
        return self.rp_id or relying_party.id_for(self.page, self.allowed(relying_party))


@dataclass(frozen=True, slots=True)
class Begun:
    """A ceremony under way: the handle for who began it, and the record."""

    auth_session: str
    ceremony: Ceremony
    rp_name: str


@dataclass(frozen=True)
class Ceremonies:
    """The register of ceremonies under way."""

    db: Database
    clock: Clock
    entropy: Entropy
    public_url: str

    async def begin(
        self, kind: CeremonyKind, party: Party, policy: PasskeyPolicy, *, mediation: Mediation = "", **about: Any
    ) -> Begun:
        """Write a ceremony down, with what policy and relying party demand. ``about`` are members of this kind alone.

        Raises ``BadRequest`` where the party asks for an id that there is not.
        """
        lifetime = UPGRADE_LIFETIME if mediation == "conditional" else CEREMONY_LIFETIME
        demanded = dict(
            kind=kind,
            challenge=self.entropy.token(32),
            user_verification=policy.user_verification,
            attachment=policy.attachment,
            algorithms=tuple(policy.algorithms),
            attestation=policy.attestation,
            advisory=policy.mode == "advise",
            client_id=party.client_id,
            connection_id=party.connection.id,
            mediation=mediation,
            expires_at=self.clock() + lifetime,
            transaction=party.transaction,
            **about,
        )
        return await self.db.write(self._begin, party, demanded, self.entropy.token(32))

    async def claim(
        self,
        auth_session: str,
        kinds: Sequence[CeremonyKind],
        *,
        client_id: str,
        transaction: str = "",
        mediation: Mediation = "",
    ) -> Ceremony:
        """Take a ceremony out of the register, before anything about the answer is looked at.

        Raises ``CeremonyExpired`` for one that is unknown, used, late, of another kind or mediation, or another
        client's or transaction's; in the latter cases it is gone all the same, so that nobody can feel for it.
        """
        ceremony = await self.db.write(ceremonies.take, auth_session, self.clock())
        if ceremony is None:
            raise CeremonyExpired(detail="unknown, used or late")
        if ceremony.kind not in kinds or ceremony.mediation != mediation:
            begun = f"{ceremony.mediation} {ceremony.kind}".strip()
            raise CeremonyExpired(detail=f"a {begun} ceremony cannot be used for {kinds[0]}")
        if ceremony.client_id != client_id or ceremony.transaction != transaction:
            raise CeremonyExpired(detail="begun by another client or in another login")
        return ceremony

    def relying_party(self, session: Session) -> RelyingParty:
        """Return whom passkeys are for, as it is in this unit of work."""
        return current(session, self.public_url)

    def _begin(self, session: Session, party: Party, demanded: Mapping[str, Any], auth_session: str) -> Begun:
        """Read the setting where the ceremony is written: an id that was taken out a moment ago begins none."""
        relying_party = self.relying_party(session)
        rp_id, origins = party.id_at(relying_party), party.allowed(relying_party)
        ceremony = Ceremony(rp_id=rp_id, origins=origins, **demanded)
        ceremonies.put(session, auth_session, ceremony)
        return Begun(auth_session, ceremony, relying_party.name)
