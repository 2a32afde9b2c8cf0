"""Who does the work: this process, several on this machine, or a Ray cluster. All do the same with each shard."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from ..errors import Errors
from .annotate import describe_error
from .plan import Shard
from .worker import Job, Worker, checked

Results = Iterator[dict[str, Any]]
# How often a shard is tried again if its worker was killed.
RETRIES = 2


@dataclass(frozen=True)
class LocalEngine:
    """Workers on this machine: this process itself, or several, each with a pipeline of its own.

    workers (int): number of workers.
    """

    workers: int = 1

    def run(self, job: Job, shards: Sequence[Shard], on_progress: Callable[[int], object]) -> Results:
        """Process shards.

        job (Job): the run.
        shards (Sequence[Shard]): what is to be done, in order.
        on_progress (Callable[[int], object]): called with bytes that were processed, if that is known before a shard
            is done.
        YIELDS (dict[str, Any]): the result of each shard when it is done, in any order.
        """
        if self.workers > 1:
            yield from _Processes(job, min(self.workers, len(shards))).run(shards)
            return
        worker = Worker(job)
        for shard in shards:
            yield worker(shard, on_progress)


class _Processes:
    """Processes that are given one shard at a time, so that nothing waits behind a long document."""

    def __init__(self, job: Job, workers: int) -> None:
        self.job = job
        # Forked processes would inherit PyTorch's locks, but not its threads.
        self.context = multiprocessing.get_context("spawn")
        self.idle = [self._start() for _ in range(workers)]
        self.busy: dict[Connection, tuple[Any, Shard]] = {}

    def _start(self) -> tuple[Connection, Any]:
        ours, theirs = self.context.Pipe()
        process = self.context.Process(target=_serve, args=(theirs, self.job), daemon=True)
        process.start()
        theirs.close()
        return ours, process

    def run(self, shards: Sequence[Shard]) -> Results:
        """Process shards, starting workers anew that were killed."""
        waiting, deaths = deque(shards), Counter[int]()
        try:
            while waiting or self.busy:
                while waiting and self.idle:
                    connection, process = self.idle.pop()
                    self.busy[connection] = process, waiting.popleft()
                    with suppress(BrokenPipeError):
                        connection.send(self.busy[connection][1])
                ready: list[Any] = wait(list(self.busy))
                for connection in ready:
                    process, shard = self.busy.pop(connection)
                    try:
                        result = connection.recv()
                    except (EOFError, ConnectionError):
                        deaths[shard.number] += 1
                        if deaths[shard.number] > RETRIES:
                            raise RuntimeError(too_many_deaths(self.job, shard, deaths[shard.number])) from None
                        waiting.appendleft(shard)
                        self.idle.append(self._start())
                        continue
                    self.idle.append((connection, process))
                    yield checked(result)
        finally:
            processes = [process for _, process in self.idle] + [process for process, _ in self.busy.values()]
            for process in processes:
                process.terminate()
            for process in processes:
                process.join()


def _serve(connection: Connection, job: Job) -> None:
    """Process shards until the other end is closed."""
    # Ctrl-C reaches all processes of a terminal; the first one says what to do.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    worker = Worker(job)
    with suppress(EOFError, ConnectionError):
        while True:
            connection.send(worker.answer(connection.recv()))


@dataclass(frozen=True)
class RayEngine:
    """Workers of a Ray cluster, or of a local one if there is no address.

    workers (int): number of workers.
    address (str | None): address of the cluster, such as "auto" or "ray://head:10001".
    gpus_per_worker (float): number of GPUs of each worker; a fraction if workers share one.
    cpus_per_worker (float): number of cores of each worker.
    """

    workers: int = 1
    address: str | None = None
    gpus_per_worker: float = 0
    cpus_per_worker: float = 1

    def run(self, job: Job, shards: Sequence[Shard], on_progress: Callable[[int], object]) -> Results:
        """As in LocalEngine. A killed worker is started again by Ray, and its shard is done again."""
        ray = ray_module()
        from ray.exceptions import RayError

        is_ours = not ray.is_initialized()
        if is_ours:
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
            local = {} if self.address else {"num_cpus": max(1, round(self.workers * self.cpus_per_worker))}
            ray.init(address=self.address, include_dashboard=None if self.address else False, **local)
        try:
            yield from self._results(ray, job, deque(shards))
        except RayError as error:
            raise RuntimeError(Errors.BB415.format(reason=describe_error(error))) from error
        finally:
            if is_ours:
                ray.shutdown()

    def _results(self, ray: Any, job: Job, waiting: deque[Shard]) -> Results:
        """Give each actor one shard at a time, so that nothing waits behind a long document."""
        actor = ray.remote(Worker).options(
            num_cpus=self.cpus_per_worker,
            num_gpus=self.gpus_per_worker,
            max_restarts=-1,
            max_task_retries=RETRIES,
        )
        actors = [actor.remote(job) for _ in range(min(self.workers, len(waiting)))]
        busy = {actor.answer.remote(waiting.popleft()): actor for actor in actors}
        while busy:
            (ready,), _ = ray.wait(list(busy))
            actor = busy.pop(ready)
            result = ray.get(ready)
            if waiting:
                busy[actor.answer.remote(waiting.popleft())] = actor
            yield checked(result)


def make_engine(name: str, workers: int, threads: int | None, address: str | None, gpus: float) -> Any:
    """Make an engine from the options of the command line.

    RAISES ValueError: an option is not allowed.
    RAISES ImportError: Ray is wanted, but not installed.
    """
    for option, value, is_right in (("--workers", workers, workers >= 1), ("--gpus-per-worker", gpus, gpus >= 0)):
        if not is_right:
            raise ValueError(Errors.BB410.format(name=option, value=value, expected="at least 1 worker, GPUs from 0"))
    if name == "ray":
        ray_module()
        return RayEngine(workers, address, gpus, threads or 1)
    if name != "local":
        raise ValueError(Errors.BB410.format(name="--engine", value=name, expected="local or ray"))
    if address or gpus:
        given: tuple[str, Any] = ("--address", address) if address else ("--gpus-per-worker", gpus)
        expected = "it only together with --engine ray"
        raise ValueError(Errors.BB410.format(name=given[0], value=given[1], expected=expected))
    return LocalEngine(workers)


def ray_module() -> Any:
    """Import Ray. RAISES ImportError: it is not installed."""
    try:
        import ray
    except ImportError as error:
        raise ImportError(Errors.BB409.format(what="--engine ray", package="ray", extra="ray")) from error
    return ray


def too_many_deaths(job: Job, shard: Shard, times: int) -> str:
    """Say that a shard's workers were killed again and again."""
    first = shard.parts[0]
    return Errors.BB408.format(times=times, documents=shard.documents, record=first.record, path=job.files[first.file])
