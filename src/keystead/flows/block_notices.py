"""Somebody is to be told that a lock has filled: noted where it fills, looked up and sent by the worker.

Whether the identifier is anybody's is nothing that the request finds out: it does the same for everybody.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from sqlmodel import Session

from keystead.db import jobs
from keystead.ports import Clock, Entropy, Sealer
from keystead.rules.attack_protection import Limit
from keystead.rules.block_notices import BlockNotice
from keystead.rules.events import Caller

JOB: Final = "block_notice"
PURPOSE: Final = "block-notices"
"""What a notice is sealed for: it names a person and an address."""


@dataclass(frozen=True)
class BlockNotices:
    """Notes what is to be told."""

    sealer: Sealer
    clock: Clock
    entropy: Entropy

    def queue(
        self, session: Session, filled: Iterable[Limit], caller: Caller, client_id: str | None, *, again: bool = False
    ) -> None:
        """Note that limits are full, as a part of a unit of work: one notice to each whom it concerns.

        Administrators hear of addresses, owners of everything else. ``again`` says that they have been full before.
        """
        for limit in {limit.rule == "suspicious_ip": limit for limit in filled}.values():
            notice = BlockNotice(
                key=limit.bucket.key,
                blocks=limit.blocks,
                again=again,
                address=caller.address,
                language=caller.language,
                client_id=client_id,
            )
            sealed = self.sealer.seal(notice.model_dump_json().encode("utf-8"), PURPOSE)
            jobs.add(session, self.entropy.id("job_", 24), JOB, sealed, self.clock())
