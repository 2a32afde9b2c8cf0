"""Requests are put together, refused when too many wait, given up with their clients, and finished at the end."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from spacy_bigbird.files import Document
from spacy_bigbird.serve.batching import Batcher, BusyError, Job, StoppedError
from spacy_bigbird.serve.kept import Kept


class Worker:
    """Runs batches when the test says so."""

    def __init__(self, **settings):
        self.batches = []
        self.go = threading.Semaphore(0)
        self.executor = ThreadPoolExecutor(1)
        self.batcher = Batcher(
            self.run, self.executor, **{"max_pieces": 10, "max_wait": 0, "max_waiting": 4, **settings}
        )

    def run(self, jobs):
        self.batches.append([job.text for job in jobs])
        self.go.acquire(timeout=10)
        return [ValueError(job.text) if job.text == "bad" else job.text.upper() for job in jobs]

    def job(self, text, pieces=4):
        return asyncio.create_task(self.batcher.submit(Job(text, pieces=pieces)))


def run(scenario, **settings):
    async def whole():
        worker = Worker(**settings)
        worker.batcher.start()
        try:
            await asyncio.wait_for(scenario(worker), 20)
        finally:
            worker.go.release(100)
            await worker.batcher.stop()
            worker.executor.shutdown()

    asyncio.run(whole())


async def settled(condition):
    while not condition():
        await asyncio.sleep(0.001)


def test_batches_are_bounded_by_pieces_and_keep_the_order():
    async def scenario(worker):
        first = worker.job("a")
        await settled(lambda: worker.batches)
        others = [worker.job(text) for text in ("b", "c", "bad", "d")]
        await settled(lambda: worker.batcher.waiting == 4)
        worker.go.release(10)
        assert await first == "A"
        results = await asyncio.gather(*others, return_exceptions=True)
        assert results[:2] == ["B", "C"] and str(results[2]) == "bad" and results[3] == "D"
        assert worker.batches == [["a"], ["b", "c"], ["bad", "d"]]
        long = [worker.job("e", pieces=99), worker.job("f")]
        await asyncio.gather(*long)
        assert worker.batches[3:] == [["e"], ["f"]]

    run(scenario)


def test_jobs_wait_a_little_for_others():
    async def scenario(worker):
        worker.go.release(10)
        first = worker.job("a", pieces=1)
        await asyncio.sleep(0.02)
        second = worker.job("b", pieces=9)
        assert await asyncio.gather(first, second) == ["A", "B"] and worker.batches == [["a", "b"]]

    run(scenario, max_wait=5)


def test_a_full_queue_refuses_and_says_when_to_try_again():
    async def scenario(worker):
        running = worker.job("a")
        await settled(lambda: worker.batches)
        waiting = [worker.job("b") for _ in range(4)]
        await settled(lambda: worker.batcher.waiting == 4)
        with pytest.raises(BusyError) as refused:
            await worker.batcher.submit(Job("c"))
        assert refused.value.retry_after == 1
        patient = asyncio.create_task(worker.batcher.submit(Job("d"), is_patient=True))
        await asyncio.sleep(0.01)
        assert worker.batcher.waiting == 4
        worker.go.release(10)
        assert await asyncio.gather(running, *waiting, patient) == ["A", *"BBBB", "D"]

    run(scenario)


def test_a_request_that_is_given_up_is_not_computed():
    async def scenario(worker):
        running = worker.job("a")
        await settled(lambda: worker.batches)
        given_up, wanted = worker.job("b"), worker.job("c")
        await settled(lambda: worker.batcher.waiting == 2)
        given_up.cancel()
        await settled(lambda: worker.batcher.waiting == 1)
        worker.go.release(10)
        assert await running == "A" and await wanted == "C" and worker.batches == [["a"], ["c"]]
        # One that runs already is finished, and nobody minds.
        worker.go.acquire(blocking=False)

    run(scenario)


def test_stopping_finishes_what_runs_and_refuses_the_rest():
    async def scenario(worker):
        running = worker.job("a")
        await settled(lambda: worker.batches)
        waiting = worker.job("b")
        await settled(lambda: worker.batcher.waiting == 1)
        stopping = asyncio.create_task(worker.batcher.stop())
        await asyncio.sleep(0)
        worker.go.release(10)
        assert await running == "A"
        with pytest.raises(StoppedError):
            await waiting
        await stopping
        with pytest.raises(StoppedError):
            await worker.batcher.submit(Job("c"))

    run(scenario)


def test_a_kept_document_counts_with_all_that_was_found():
    kept = Kept(Document("x" * 40), '{"entities": []}')
    assert kept.size == 40 + 16
    kept.answers["Who?"] = '{"text": "Anna"}'
    assert kept.size == 40 + 16 + 4 + 16
