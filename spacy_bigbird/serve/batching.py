"""Puts requests together that arrive at about the same time, and refuses them when too many wait."""

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

# How much the speed of the latest batch counts in the estimate of the speed.
LATEST = 0.3
LONGEST_RETRY = 60


class BusyError(Exception):
    """Too many requests wait.

    retry_after (int): when to try again. Unit: seconds.
    """

    def __init__(self, retry_after: int) -> None:
        super().__init__(retry_after)
        self.retry_after = retry_after


class StoppedError(Exception):
    """The service is stopping."""


@dataclass(eq=False)
class Job:
    """One document to compute.

    text (str): its text.
    questions (list[str]): questions about it.
    is_known (bool): whether only the questions are of interest.
    pieces (int): about how many pieces it has.
    """

    text: str
    questions: list[str] = field(default_factory=list)
    is_known: bool = False
    pieces: int = 0
    result: "asyncio.Future[Any]" = field(init=False, repr=False)


class Batcher:
    """Runs jobs in batches, one batch at a time, in the order in which they come.

    run (Callable[[list[Job]], list[Any]]): computes a batch in another thread: a result for each job, or an exception.
    executor (Executor): where `run` runs.
    max_pieces (int): pieces in a batch; a job with more runs alone.
    max_wait (float): how long the first job of a batch waits for others. Unit: seconds.
    max_waiting (int): jobs that wait at most.
    on_batch (Callable[[list[Job], float], None]): called after each batch, with its time in seconds.
    """

    def __init__(
        self,
        run: Callable[[list[Job]], list[Any]],
        executor: Executor,
        *,
        max_pieces: int,
        max_wait: float,
        max_waiting: int,
        on_batch: Callable[[list[Job], float], None] = lambda jobs, seconds: None,
    ) -> None:
        self._run = run
        self._executor = executor
        self._max_pieces = max_pieces
        self._max_wait = max_wait
        self._max_waiting = max_waiting
        self._on_batch = on_batch
        self._waiting: deque[Job] = deque()
        self._running: list[Job] = []
        self._arrived = asyncio.Event()
        self._has_room = asyncio.Event()
        self._is_stopped = False
        self._pieces_per_second = 0.0
        self._loop: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """Number of jobs that wait."""
        return len(self._waiting)

    def start(self) -> None:
        """Begin to run jobs."""
        self._loop = asyncio.create_task(self._run_forever())

    async def stop(self) -> None:
        """Finish the batch that runs, and refuse all others."""
        self._is_stopped = True
        while self._waiting:
            job = self._waiting.popleft()
            if not job.result.done():
                job.result.set_exception(StoppedError())
        self._arrived.set()
        self._has_room.set()
        if self._loop is not None:
            await self._loop

    async def submit(self, job: Job, *, is_patient: bool = False) -> Any:
        """Run a job.

        job (Job): the job. If the caller is cancelled, a job that still waits is not run.
        is_patient (bool): whether to wait for room, instead of being refused.
        RETURNS (Any): its result.
        RAISES BusyError: too many jobs wait.
        RAISES StoppedError: the service is stopping.
        """
        while not self._is_stopped and len(self._waiting) >= self._max_waiting:
            if not is_patient:
                raise BusyError(self._retry_after())
            self._has_room.clear()
            await self._has_room.wait()
        if self._is_stopped:
            raise StoppedError()
        job.result = asyncio.get_running_loop().create_future()
        self._waiting.append(job)
        self._arrived.set()
        try:
            return await job.result
        finally:
            with suppress(ValueError):
                self._waiting.remove(job)

    def _retry_after(self) -> int:
        pieces = sum(job.pieces for job in (*self._waiting, *self._running))
        seconds = pieces / self._pieces_per_second if self._pieces_per_second else 1.0
        return max(1, min(math.ceil(seconds), LONGEST_RETRY))

    async def _run_forever(self) -> None:
        while batch := await self._next_batch():
            self._running = batch
            begin = time.perf_counter()
            loop = asyncio.get_running_loop()
            try:
                results = await loop.run_in_executor(self._executor, self._run, batch)
            except Exception as error:
                results = [error] * len(batch)
            self._running = []
            seconds = time.perf_counter() - begin
            speed = sum(job.pieces for job in batch) / max(seconds, 1e-6)
            self._pieces_per_second += (LATEST if self._pieces_per_second else 1.0) * (speed - self._pieces_per_second)
            self._on_batch(batch, seconds)
            for job, result in zip(batch, results, strict=True):
                if job.result.done():
                    continue
                if isinstance(result, Exception):
                    job.result.set_exception(result)
                else:
                    job.result.set_result(result)

    async def _next_batch(self) -> list[Job]:
        """Wait for the next batch; empty once the service is stopping."""
        while not self._waiting:
            if self._is_stopped:
                return []
            self._arrived.clear()
            await self._arrived.wait()
        until = time.perf_counter() + self._max_wait
        while sum(job.pieces for job in self._waiting) < self._max_pieces and not self._is_stopped:
            self._arrived.clear()
            try:
                await asyncio.wait_for(self._arrived.wait(), until - time.perf_counter())
            except asyncio.TimeoutError:
                break
        batch: list[Job] = []
        pieces = 0
        while self._waiting and (not batch or pieces + self._waiting[0].pieces <= self._max_pieces):
            batch.append(self._waiting.popleft())
            pieces += batch[-1].pieces
        self._has_room.set()
        # All of them may have been given up while they waited.
        return batch or await self._next_batch()
