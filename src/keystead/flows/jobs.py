"""What is to be done later, as administrators see it."""

from dataclasses import dataclass

from keystead.db import jobs
from keystead.db.jobs import JobDetails, JobFilter
from keystead.db.session import Database
from keystead.errors import NoSuchJob


@dataclass(frozen=True)
class Jobs:
    """Looks at jobs; what does them is ``worker.py``."""

    db: Database

    async def after(self, wanted: JobFilter, last: str, size: int) -> list[JobDetails]:
        """Return jobs, newest first, that come after the one of the id ``last``."""
        return await self.db.read(jobs.page, wanted, last, size)

    async def show(self, job_id: str) -> JobDetails:
        """Return a job, until a day after its end. Raises ``NoSuchJob``."""
        found = await self.db.read(jobs.details, job_id)
        if found is None:
            raise NoSuchJob
        return found
