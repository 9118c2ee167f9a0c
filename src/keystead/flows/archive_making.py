"""An archive of users made: lines with everything, and around them what says what they are and vouches for them."""

import asyncio
import hashlib
import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

from sqlmodel import Session

from keystead.db import archived_users, job_files, jobs
from keystead.db.jobs import Claimed
from keystead.db.session import Database
from keystead.errors import NoSuchJob
from keystead.flows.gzip_pieces import joined, packed, unpacked
from keystead.ports import Clock, Sealer
from keystead.rules import tar_files
from keystead.rules.profiles import EXTRAS
from keystead.rules.user_archives import (
    CONNECTIONS,
    KEYS,
    MANIFEST,
    PEM,
    SIGNATURE,
    USERS,
    ArchivedFile,
    ArchivedUser,
    Manifest,
    connections_text,
    thumbprint,
)
from keystead.rules.user_exports import Export

PURPOSE: Final = "job-files"
"""What pieces of files are sealed for."""

_BEAT: Final = 100
"""After how many pieces the lease is renewed while they are read again."""


class ArchiveSigner(Protocol):
    """Signs what is in an archive."""

    async def sign(self, manifest: bytes) -> tuple[str, dict[str, Any], bytes]:
        """Return a detached JWS of it, the set of the key that verifies it, and that key as PEM."""
        ...


@dataclass(frozen=True)
class ArchiveMaking:
    """What is of archives alone in an export."""

    db: Database
    sealer: Sealer
    signer: ArchiveSigner
    clock: Clock
    issuer: str
    version: str

    def lines(
        self, session: Session, connection_id: str | None, last: tuple[datetime, str] | None, size: int
    ) -> list[ArchivedUser]:
        """Return the next users, with what is sealed of them opened."""
        return archived_users.behind(session, connection_id, last, size, self._opened)

    async def frame(self, job: Claimed, export: Export) -> tuple[Export, bytes, bytes] | None:
        """Return an export with what stands before its users and behind them; ``None`` where the lease was lost."""
        digest = hashlib.sha256()
        for number in range(export.pieces):
            sealed = await self.db.read(job_files.piece, job.id, number)
            if sealed is None:
                raise NoSuchJob
            await asyncio.to_thread(self._hash, digest, sealed)
            if number % _BEAT == 0 and not await self.db.write(jobs.keep, job, self.clock(), export.stored()):
                return None
        users = ArchivedFile(name=USERS, size=export.size, sha256=digest.hexdigest())
        text = connections_text(await self.db.read(archived_users.connections, export.connection_id))
        now = self.clock()
        manifest = Manifest(
            issuer=self.issuer,
            version=self.version,
            made_at=now,
            users=export.done,
            passkeys=export.passkeys,
            files=[ArchivedFile.of(CONNECTIONS, text), users],
        ).text()
        signature, jwks, pem = await self.signer.sign(manifest)
        keys = json.dumps(jwks, indent=2).encode() + b"\n"
        small = (
            (MANIFEST, manifest),
            (SIGNATURE, signature.encode() + b"\n"),
            (KEYS, keys),
            (PEM, pem),
            (CONNECTIONS, text),
        )
        moment = int(now.timestamp())
        head = b"".join(tar_files.whole(name, content, moment) for name, content in small)
        head += tar_files.heading(USERS, export.size, moment)
        tail = tar_files.padding(export.size) + tar_files.END
        around = (packed(head), packed(tail))
        framed = export.having(
            size=len(head) + export.size + len(tail),
            packed=export.packed + sum(map(len, around)),
            crc=await asyncio.to_thread(_crc, head, export, tail),
            key=thumbprint(jwks["keys"][0]),
        )
        return framed, *around

    def _hash(self, digest: Any, sealed: bytes) -> None:
        digest.update(unpacked(self.sealer.open(sealed, PURPOSE)))

    @property
    def _opened(self) -> Callable[[bytes], dict[str, Any]]:
        def opened(sealed: bytes) -> dict[str, Any]:
            found: dict[str, Any] = json.loads(self.sealer.open(sealed, EXTRAS))
            return found

        return opened


def _crc(head: bytes, export: Export, tail: bytes) -> int:
    return zlib.crc32(tail, joined(zlib.crc32(head), export.crc, export.size))
