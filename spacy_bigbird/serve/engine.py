"""A loaded pipeline: computes batches of documents, in the one thread that may touch it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import spacy
from spacy.language import Language

from ..annotations.extensions import install_extensions
from ..errors import Errors
from ..question_answering import find_span_qa
from ..thinc_layers.kept_states import KeptStates
from .batching import Job
from .results import annotations

# Until the first document has been seen, about as for English.
CHARACTERS_PER_PIECE = 4.0
SPECIAL_PIECES = 2
LATEST = 0.1


def use_gpu(gpu_id: int) -> None:
    """Make a thread use a GPU: Thinc keeps in each thread what it computes with.

    gpu_id (int): id of the GPU, or -1 for the CPU.
    """
    if gpu_id >= 0:
        spacy.require_gpu(gpu_id)


class Engine:
    """A pipeline that documents and questions can be given to.

    nlp (Language): the pipeline.
    """

    def __init__(self, nlp: Language) -> None:
        self.nlp = nlp
        self._characters_per_piece = CHARACTERS_PER_PIECE
        install_extensions()
        try:
            self._answering: Any = find_span_qa(nlp)
        except ValueError:
            self._answering = None

    @classmethod
    def load(cls, place: str, gpu_id: int = -1) -> "Engine":
        """Load a pipeline and run it once, so that the first request is as fast as the others.

        place (str): a folder, or the name of a package.
        gpu_id (int): GPU to use, or -1 for the CPU.
        RETURNS (Engine): the engine.
        RAISES ValueError: there is no such pipeline, it fails, or the GPU cannot be used.
        """
        try:
            use_gpu(gpu_id)
            engine = cls(spacy.load(place))
            (result,) = engine.run([Job("The first document.", ["What?"] if engine.answers else [])])
            if isinstance(result, Exception):
                raise result
        except Exception as error:
            raise ValueError(Errors.BB533.format(place=place, reason=error)) from error
        return engine

    @property
    def answers(self) -> bool:
        """Whether the pipeline answers questions."""
        return self._answering is not None

    def keep(self, states: KeptStates) -> None:
        """Keep what is computed of documents alone, if the pipeline answers questions in this way.

        states (KeptStates): where to.
        """
        if self._answering is not None and self._answering.reads_once:
            self._answering.shim.kept = states

    def description(self) -> dict[str, Any]:
        """Describe the pipeline.

        RETURNS (dict[str, Any]): language, version, components with their labels, and whether it answers questions.
        """
        meta = self.nlp.meta
        labels = {name: list(labels) for name, labels in self.nlp.pipe_labels.items() if labels}
        return {
            "lang": self.nlp.lang,
            "version": meta.get("version", ""),
            "description": meta.get("description", ""),
            "components": self.nlp.pipe_names,
            "labels": labels,
            "answers": self.answers,
        }

    def pieces_of(self, job: Job) -> int:
        """Estimate the number of pieces that are read for a job, without the tokenizer.

        job (Job): the job.
        RETURNS (int): about how many pieces its document has, as often as it is read: once by the other components, and
            for each question or for all of them together.
        """
        reads_once = self._answering is not None and self._answering.reads_once
        reads = (bool(job.questions) if reads_once else len(job.questions)) + (not job.is_known)
        return (int(len(job.text) / self._characters_per_piece) + SPECIAL_PIECES) * max(1, reads)

    def run(self, jobs: list[Job]) -> list[Any]:
        """Compute a batch.

        jobs (list[Job]): the jobs.
        RETURNS (list[Any]): for each job its annotations, or the exception that it caused. One that fails does not
            affect the others.
        """
        with self._forgetting_words():
            known = {id(job): self._answers(job) for job in jobs if job.is_known}
            fresh = [job for job in jobs if not job.is_known]
            found = self._documents(fresh)
            return [known[id(job)] if job.is_known else found.pop(0) for job in jobs]

    @contextmanager
    def _forgetting_words(self) -> Iterator[None]:
        """Keep the vocabulary from growing with every new word, for as long as the service runs."""
        with self.nlp.memory_zone():
            yield

    def _documents(self, jobs: list[Job]) -> list[Any]:
        if not jobs:
            return []
        try:
            docs = []
            for job in jobs:
                # Unlike `make_doc`, this has no length limit, which only protects the memory of spaCy's parser and NER.
                docs.append(self.nlp.tokenizer(job.text))
                docs[-1]._.questions = job.questions if self.answers else None
            found = list(self.nlp.pipe(docs, batch_size=len(docs)))
            results = [annotations(doc) for doc in found]
        except Exception as error:
            return [error] if len(jobs) == 1 else [result for job in jobs for result in self._documents([job])]
        for job, result in zip(jobs, results, strict=True):
            if result["pieces"]:
                ratio = max(1.0, len(job.text) / result["pieces"])
                self._characters_per_piece += LATEST * (ratio - self._characters_per_piece)
        return list(results)

    def _answers(self, job: Job) -> Any:
        try:
            return [dict(answer) for answer in self._answering.ask(self.nlp.tokenizer(job.text), job.questions)]
        except Exception as error:
            return error
