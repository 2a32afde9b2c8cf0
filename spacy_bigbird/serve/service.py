"""What the service does with a document, whatever way it came in."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from ..errors import Errors
from ..files import Document
from ..plan.bounded_cache import BoundedCache
from ..thinc_layers.kept_states import KeptStates
from .batching import Batcher, Job
from .engine import Engine, use_gpu
from .kept import Kept, identity
from .metrics import Metrics
from .results import answer, structure
from .settings import ServiceSettings


class RefusedError(Exception):
    """A request that cannot be met as it is.

    status (int): the HTTP status.
    message (str): what is wrong.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass
class Served:
    """A pipeline that is served: the engine, and what puts documents together for it."""

    name: str
    engine: Engine
    batcher: Batcher


class Service:
    """Reads documents and answers questions with the pipelines that it serves.

    engines (dict[str, Engine]): the pipelines by name; the first is the default.
    settings (ServiceSettings): the limits.
    metrics (Metrics): where documents are counted.
    """

    def __init__(self, engines: dict[str, Engine], settings: ServiceSettings, metrics: Metrics) -> None:
        self.settings = settings
        self.metrics = metrics
        self.kept: BoundedCache[Kept] = BoundedCache(settings.kept_characters, lambda kept: kept.size)
        self.states = KeptStates(settings.kept_megabytes * 1024**2)
        for engine in engines.values():
            engine.keep(self.states)
        # One thread for all pipelines: PyTorch uses all cores for one batch, and two at once would share them.
        self._executor = ThreadPoolExecutor(
            1, thread_name_prefix="bigbird", initializer=use_gpu, initargs=(settings.gpu_id,)
        )
        self.served = {name: Served(name, engine, self._batcher(name, engine)) for name, engine in engines.items()}

    def _batcher(self, name: str, engine: Engine) -> Batcher:
        def count(jobs: list[Job], seconds: float) -> None:
            self.metrics.documents.labels(name).inc(len(jobs))
            self.metrics.pieces.labels(name).observe(sum(job.pieces for job in jobs))
            self.metrics.batch_seconds.labels(name).observe(seconds)

        batcher = Batcher(
            engine.run,
            self._executor,
            max_pieces=self.settings.max_batch_pieces,
            max_wait=self.settings.max_wait,
            max_waiting=self.settings.max_waiting,
            on_batch=count,
        )
        self.metrics.waiting.labels(name).set_function(lambda: batcher.waiting)
        return batcher

    def start(self) -> None:
        """Begin to compute."""
        self.metrics.kept.set_function(lambda: self.kept.size)
        self.metrics.states.set_function(lambda: self.states.size)
        for served in self.served.values():
            served.batcher.start()

    async def stop(self) -> None:
        """Finish what is being computed."""
        for served in self.served.values():
            await served.batcher.stop()
        self._executor.shutdown()

    def choose(self, name: str | None) -> Served:
        """Choose a pipeline.

        name (str | None): its name; None for the first.
        RETURNS (Served): the pipeline.
        RAISES RefusedError: there is none of this name.
        """
        if name is None:
            return next(iter(self.served.values()))
        if name not in self.served:
            raise RefusedError(404, Errors.BB524.format(name=name, names=", ".join(self.served)))
        return self.served[name]

    async def read(
        self, served: Served, document: Document, questions: list[str], *, is_patient: bool = False
    ) -> dict[str, Any]:
        """Read a document, or remember it, and answer questions about it.

        served (Served): the pipeline.
        document (Document): the document.
        questions (list[str]): the questions.
        is_patient (bool): whether to wait for a place in the queue, instead of being refused.
        RETURNS (dict[str, Any]): a `DocumentResult`.
        RAISES RefusedError: the document is too long, or the pipeline cannot answer questions.
        RAISES BusyError: the queue is full.
        """
        self._check(served, document, questions)
        key = identity(document)
        kept = self._look_up(served, key)
        if kept is None or kept.result is None:
            kept = Kept(document, answers=kept.answers if kept else {})
            result = await self._run(served, document.text, questions, is_patient=is_patient)
            answers = result.pop("answers")
            result |= structure(document)
            kept.result = json.dumps(result)
            self._remember(served, key, kept, answers)
        else:
            result = json.loads(kept.result)
        answers = await self._ask(served, key, kept, questions, is_patient)
        return {"id": key, "pipeline": served.name, **result, "answers": answers}

    async def ask(self, served: Served, key: str | None, text: str | None, questions: list[str]) -> dict[str, Any]:
        """Answer questions about a document that was read before, or about a new text.

        served (Served): the pipeline.
        key (str | None): id of the document; None if its text is given.
        text (str | None): its text; None if its id is given.
        questions (list[str]): the questions.
        RETURNS (dict[str, Any]): an `AskResult`.
        RAISES RefusedError: the document is not kept any more, or what `read` raises it for.
        RAISES BusyError: the queue is full.
        """
        if (key is None) == (text is None):
            raise RefusedError(422, Errors.BB526)
        key = identity(Document(text)) if text is not None else str(key)
        kept = self._look_up(served, key)
        if kept is None:
            if text is None:
                raise RefusedError(404, Errors.BB525.format(key=key[:40]))
            kept = Kept(Document(text))
        self._check(served, kept.document, questions)
        return {"id": key, "pipeline": served.name, "answers": await self._ask(served, key, kept, questions, False)}

    def _look_up(self, served: Served, key: str) -> Kept | None:
        kept = self.kept.find((served.name, key))
        self.metrics.found.labels("kept" if kept else "new").inc()
        return kept

    async def _ask(
        self, served: Served, key: str, kept: Kept, questions: list[str], is_patient: bool
    ) -> list[dict[str, Any]]:
        new = [question for question in dict.fromkeys(questions) if question not in kept.answers]
        if new:
            answers = await self._run(served, kept.document.text, new, is_known=True, is_patient=is_patient)
            self._remember(served, key, kept, answers)
        return [json.loads(kept.answers[question]) for question in questions]

    def _remember(self, served: Served, key: str, kept: Kept, answers: list[dict[str, Any]]) -> None:
        kept.answers |= {found["question"]: json.dumps(answer(found, kept.document)) for found in answers}
        self.kept.put((served.name, key), kept)

    async def _run(
        self, served: Served, text: str, questions: list[str], *, is_known: bool = False, is_patient: bool = False
    ) -> Any:
        job = Job(text, questions, is_known=is_known)
        job.pieces = served.engine.pieces_of(job)
        return await served.batcher.submit(job, is_patient=is_patient)

    def _check(self, served: Served, document: Document, questions: list[str]) -> None:
        limit = self.settings.max_characters
        if len(document.text) > limit:
            raise RefusedError(413, Errors.BB523.format(what="The document", limit=f"{limit:,} characters"))
        if questions and not served.engine.answers:
            raise RefusedError(422, Errors.BB527.format(name=served.name))
