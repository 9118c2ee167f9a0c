"""A script's no, as far as what it says of whose password was wrong is believed."""

from dataclasses import replace

from keystead.db import accounts
from keystead.db.session import Database
from keystead.ports import Refused


async def as_ours(db: Database, connection_id: str, refused: Refused) -> Refused:
    """Leave out whose password was wrong, where that id is somebody's of another connection (CD-10).

    Ids are everybody's: a script must neither put a failure into somebody else's journal nor fill their locks.
    """
    known = await db.read(accounts.by_id, refused.user_id) if refused.user_id else None
    if known is not None and known.connection_id != connection_id:
        return replace(refused, user_id=None)
    return refused
