"""Owners told that an import of users is over (IM-12)."""

from dataclasses import dataclass

from sqlmodel import Session

from keystead.db import administrators
from keystead.flows.post import Post
from keystead.rules.import_jobs import Import
from keystead.rules.messages import Message

_MOST = 50
"""Owners that are told."""


@dataclass(frozen=True)
class ImportNotices:
    """Writes to owners."""

    post: Post

    def send(self, session: Session, job_id: str, state: Import, error: str | None) -> None:
        """Ask for the mails, as a part of the unit of work that ends the job. They hold numbers, and nobody's data."""
        said = {"job": job_id, "failed": error is not None, "dry_run": state.dry_run, "summary": state.summary}
        for owner in administrators.working_owners(session, _MOST):
            if owner.email:
                message = Message(
                    channel="email",
                    template="users_import",
                    to=owner.email,
                    variables=said,
                    connection_id=state.connection_id,
                )
                self.post.send(session, message)
