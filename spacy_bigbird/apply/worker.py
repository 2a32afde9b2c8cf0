"""Processes one shard at a time: reads it, checks that it is what was planned, and writes its results once."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import Errors
from .annotate import Annotator, Settings, describe_error, failure_of, pipeline_digest
from .inputs import Item, Record, reader_of
from .outputs import WRITERS, part_name, write_bytes, write_json
from .plan import Part, Shard, combined_digest

if TYPE_CHECKING:
    from spacy.language import Language

PROGRESS = "progress"
# The errors that the user can do something about.
KINDS: tuple[type[Exception], ...] = (ImportError, OSError, ValueError)


@dataclass(frozen=True)
class Job:
    """What every worker of a run knows.

    pipeline (str): the pipeline: a folder or a package.
    digest (str): digest of the pipeline's files.
    files (tuple[str, ...]): the input files.
    directory (str): the folder that relative paths refer to.
    output (str): the folder of the results.
    settings (Settings): what is wanted.
    code (str | None): a Python file with registered functions.
    threads (int | None): number of threads of a worker; None for PyTorch's default.
    gpu (int): number of the GPU, or -1 for the CPU.
    """

    pipeline: str
    digest: str
    files: tuple[str, ...]
    directory: str
    output: str
    settings: Settings
    code: str | None = None
    threads: int | None = None
    gpu: int = -1

    def path(self, path: str) -> Path:
        """Locate a file, wherever a worker runs."""
        return Path(self.directory, path)


class Worker:
    """Processes the shards of a run. The pipeline is loaded when the first one comes.

    job (Job): the run.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        self._annotator: Annotator | None = None

    def __call__(self, shard: Shard, on_progress: Callable[[int], object] | None = None) -> dict[str, Any]:
        """Process a shard, write its results, and note that it is done.

        shard (Shard): the shard.
        on_progress (Callable[[int], object] | None): called with the number of bytes of each processed document.
        RETURNS (dict[str, Any]): what was noted: the numbers of documents and pieces, the failures, the seconds.
        RAISES ValueError: the pipeline cannot be loaded, or the documents have changed since the plan was made.
        RAISES OSError: the results cannot be written.
        """
        annotator, settings = self._load(), self.job.settings
        start = time.perf_counter()
        writer = WRITERS[settings.format](settings.vectors, settings.text)
        failures: list[dict[str, Any]] = []
        pieces = 0
        # Strings that only these documents contain are forgotten afterwards, so that memory does not grow.
        with annotator.nlp.memory_zone():
            for record, doc, reason in annotator.annotate(self._records(shard, annotator.nlp, failures)):
                if doc is not None:
                    try:
                        stats = doc._.bigbird_stats if doc.has_extension("bigbird_stats") else None
                        writer.add(record, doc)
                        pieces += stats["pieces"] if stats else 0
                    except (TypeError, ValueError) as error:
                        reason = describe_error(error)
                if reason:
                    failures.append(failure_of(record, reason))
                if on_progress is not None:
                    on_progress(record.size)
                del doc
            content = writer.content()
        output = self.job.path(self.job.output)
        write_bytes(output / part_name(shard.number, settings.format), content)
        order = {self.job.files[part.file]: part.file for part in shard.parts}
        failures.sort(key=lambda failure: (order[failure["source"]], failure["number"]))
        result = {
            "shard": shard.number,
            "documents": shard.documents,
            "pieces": pieces or shard.pieces,
            "bytes": len(content),
            "seconds": round(time.perf_counter() - start, 3),
            "failures": failures,
        }
        # A shard is done once this is there.
        write_json(progress_path(output, shard.number), result)
        return result

    def answer(self, shard: Shard) -> dict[str, Any]:
        """Process a shard on behalf of another process. An error is returned as values, see `checked`."""
        try:
            return self(shard)
        except Exception as error:
            kind = next((kind.__name__ for kind in (*KINDS, Exception) if isinstance(error, kind)), "")
            return {"error": str(error) if kind != "Exception" else describe_error(error), "kind": kind}

    def _load(self) -> Annotator:
        if self._annotator is None:
            job = self.job
            try:
                self._annotator = Annotator(load_pipeline(job), job.pipeline, job.settings)
            except Exception as error:  # whatever goes wrong here, the pipeline is what the user must look at
                reason, worker = describe_error(error), f"{platform.node()}, process {os.getpid()}"
                raise ValueError(Errors.BB406.format(name=job.pipeline, worker=worker, reason=reason)) from error
        return self._annotator

    def _records(self, shard: Shard, nlp: Language, failures: list[dict[str, Any]]) -> Iterator[Record]:
        """Read a shard's documents; those that cannot be decoded are failures."""
        digests: list[bytes] = []
        fields = self.job.settings.fields
        for part in shard.parts:
            source = self.job.files[part.file]
            reader = reader_of(source, fields)
            for item in self._items(part, reader):
                digests.append(item.digest)
                try:
                    record = reader.record(item, source, fields, nlp.vocab)
                except ImportError:
                    raise
                except Exception as error:  # a broken document may raise nearly anything
                    failures.append(failure_of(Record(f"{source}:{item.number}", source, item.number, ""), str(error)))
                else:
                    yield record if record.size else replace(record, size=item.size)
        if combined_digest(digests) != shard.digest:
            raise self._changed(shard.parts[0])

    def _items(self, part: Part, reader: Any) -> Iterator[Item]:
        path = self.job.path(self.job.files[part.file])
        items = islice(reader.items(path, self.job.settings.fields, part.record, part.offset), part.documents)
        while True:
            try:
                item = next(items, None)
            except Exception as error:  # it could be read when the plan was made
                raise self._changed(part) from error
            if item is None:
                return
            yield item

    def _changed(self, part: Part) -> ValueError:
        return ValueError(Errors.BB405.format(record=part.record, path=self.job.files[part.file]))


def checked(result: dict[str, Any]) -> dict[str, Any]:
    """Get the result of a shard from what `Worker.answer` returned.

    RAISES Exception: the error that it stands for.
    """
    if "error" in result:
        raise {kind.__name__: kind for kind in KINDS}.get(result["kind"], RuntimeError)(result["error"])
    return result


def load_pipeline(job: Job) -> Language:
    """Load the pipeline of a run, with its threads and its GPU.

    RAISES ValueError: it is not the pipeline that the run was started with.
    """
    import spacy
    import torch
    from spacy.util import import_file

    if job.threads is not None:
        torch.set_num_threads(job.threads)
    if job.gpu >= 0:
        spacy.require_gpu(job.gpu)
    if job.code is not None:
        import_file("python_code", job.path(job.code))
    folder = job.path(job.pipeline)
    name = str(folder) if folder.is_dir() else job.pipeline
    if pipeline_digest(name) != job.digest:
        raise ValueError("its files are not those that the run was started with")
    return spacy.load(name)


def progress_path(output: Path, number: int) -> Path:
    """Get the file which says that a shard is done."""
    return output / PROGRESS / f"{number:06d}.json"


def read_progress(output: Path, shard: Shard, format: str) -> dict[str, Any] | None:
    """Read what was noted about a shard.

    output (Path): the folder of the results.
    shard (Shard): the shard.
    format (str): the format of the results.
    RETURNS (dict[str, Any] | None): the note; None if the shard must be done (again).
    """
    try:
        result = json.loads(progress_path(output, shard.number).read_text(encoding="utf8"))
        size = os.path.getsize(output / part_name(shard.number, format))
    except (OSError, ValueError):
        return None
    return result if result.get("bytes") == size else None
