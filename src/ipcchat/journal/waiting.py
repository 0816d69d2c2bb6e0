"""What waits to be stored: jobs in the order they came, bounded in drafts."""

import asyncio
from collections import deque
from collections.abc import Sequence
from copy import copy
from itertools import islice

from ipcchat.errors import JournalError, JournalUnavailable
from ipcchat.journal.drafts import Decision, Draft, Outcome

__all__ = ["Job", "Waiting", "answer"]


class Job:
    """The drafts of one `append`, and the future that its caller holds."""

    __slots__ = ("drafts", "future")

    def __init__(self, drafts: Sequence[Draft], future: asyncio.Future[list[Outcome]]) -> None:
        self.drafts = drafts
        self.future = future

    def fail(self, error: JournalError) -> None:
        if not self.future.done():
            self.future.set_exception(error)


def answer(jobs: Sequence[Job], decisions: Sequence[Decision]) -> None:
    """Gives every job the outcomes of its own drafts."""
    outcomes = iter([decision.outcome for decision in decisions])
    for job in jobs:
        own = list(islice(outcomes, len(job.drafts)))
        if not job.future.done():
            job.future.set_result(own)


class Waiting:
    """A queue of jobs. What does not fit, or comes after `close`, fails at once (`busy`)."""

    def __init__(self, bound: int) -> None:
        self._jobs: deque[Job] = deque()
        self._loop = asyncio.get_running_loop()
        self._bound = bound
        self._count = 0
        self._closed: JournalError | None = None

    def __bool__(self) -> bool:
        return bool(self._jobs)

    def __len__(self) -> int:
        """Drafts."""
        return self._count

    def put(self, drafts: Sequence[Draft]) -> asyncio.Future[list[Outcome]]:
        """Queues a job."""
        job = Job(drafts, self._loop.create_future())
        if self._closed is not None:
            job.fail(copy(self._closed))
        elif self._count + len(drafts) > self._bound:
            job.fail(JournalUnavailable("too much waits to be stored", code="busy"))
        else:
            self._jobs.append(job)
            self._count += len(drafts)
        return job.future

    def take(self, most: int) -> list[Job]:
        """Removes and returns jobs with at most that many drafts, and one job at least."""
        jobs: list[Job] = []
        count = 0
        while self._jobs and (not jobs or count + len(self._jobs[0].drafts) <= most):
            jobs.append(self._jobs.popleft())
            count += len(jobs[-1].drafts)
        self._count -= count
        return jobs

    def close(self, error: JournalError | None = None) -> None:
        """Takes no more. With an error, what waits fails with it, as does what comes."""
        self._closed = error or JournalUnavailable("the journal is closed", code="busy")
        if error is not None:
            for job in self.take(self._count):
                job.fail(error)
