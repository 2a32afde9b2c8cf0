"""What a run will need: memory of each worker from the sizes of pipeline and documents, time from a sample."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from ..checkpoint.files import SAFETENSORS_NAME
from .annotate import Annotator, Settings, pipeline_folder
from .inputs import Record, reader_of
from .plan import Plan, as_dict, estimate_pieces
from .worker import Job, load_pipeline

# Room for Python, spaCy and PyTorch with nothing loaded, which took 374 MB where it was looked at. Unit: bytes.
EMPTY_WORKER = 700 * 1024**2
# Room for a document's tokens, strings and results. Contracts without results took 139. Unit: bytes per piece.
DOC_BYTES = 600
# What the heads hold at the same time: vectors of pieces and of tokens, and what they compute from them.
VECTOR_COPIES = 4
# The encoder at work on a batch: activations of one layer, and workspaces. Unit: values per piece and hidden unit.
LAYER_COPIES = 12
SAMPLE_SECONDS = 10.0
FLOAT_BYTES = 4


def worker_memory(pipeline: str, plan: Plan, settings: Settings) -> int:
    """Estimate the memory of one worker, from above.

    pipeline (str): the pipeline: a folder or a package.
    plan (Plan): the documents.
    settings (Settings): what is wanted.
    RETURNS (int): the memory. Unit: bytes. On a GPU, weights and activations are there instead.
    """
    folder = pipeline_folder(pipeline)
    weights = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    widths, batch = [0], 0
    for path in folder.rglob("config.json"):
        width, is_half = _encoder_of(path)
        widths.append(width)
        # Half precision is only for the disk, and what a file holds is in memory beside the weights while it is read.
        weights += (path.parent / SAFETENSORS_NAME).stat().st_size * (2 if is_half else 1) if width else 0
        batch = max(batch, 16_384 * width * LAYER_COPIES * FLOAT_BYTES)
    pieces = max(plan.largest, min(settings.batch_pieces, plan.pieces))
    shard = max((shard.pieces for shard in plan.shards), default=0)
    held = pieces * (max(widths) * VECTOR_COPIES * FLOAT_BYTES + DOC_BYTES) + shard * DOC_BYTES
    return EMPTY_WORKER + weights + batch + held


def estimate(job: Job, plan: Plan, workers: int) -> dict[str, Any]:
    """Estimate what a run takes, from a sample of its documents.

    job (Job): the run.
    plan (Plan): the documents.
    workers (int): number of workers.
    RETURNS (dict[str, Any]): the plan, `workers`, `memory_per_worker` (unit: bytes), `pieces_per_second` of one worker
        on this machine, and the `seconds` of the whole.
    """
    rate = _measured_rate(job, plan) if plan.documents else 0.0
    return {
        **as_dict(plan),
        "workers": workers,
        "memory_per_worker": worker_memory(job.pipeline, plan, job.settings),
        "pieces_per_second": rate,
        # One document cannot be shared out.
        "seconds": max(plan.pieces / workers, plan.largest) / rate if rate else 0.0,
    }


def _measured_rate(job: Job, plan: Plan) -> float:
    settings = job.settings
    annotator = Annotator(load_pipeline(job), job.pipeline, settings)

    def records() -> Iterator[Record]:
        for file in plan.files:
            reader = reader_of(file, settings.fields)
            for item in reader.items(job.path(file), settings.fields, 1, 0):
                with suppress(ValueError):
                    record = reader.record(item, file, settings.fields, annotator.nlp.vocab)
                    yield record if record.size else replace(record, size=item.size)

    # The first document prepares what the others find.
    list(annotator.annotate(islice(records(), 1)))
    pieces, start = 0, time.perf_counter()
    for record, _, _ in annotator.annotate(records()):
        pieces += estimate_pieces(record.size, len(settings.questions) + len(record.questions or ()))
        if time.perf_counter() - start > SAMPLE_SECONDS:
            break
    return pieces / (time.perf_counter() - start)


def _encoder_of(path: Path) -> tuple[int, bool]:
    """Get width and precision of the encoder that a config.json belongs to. RETURNS (tuple): 0 if it is none."""
    try:
        config = json.loads(path.read_text(encoding="utf8"))
        is_encoder = (path.parent / SAFETENSORS_NAME).is_file()
        return (int(config["hidden_size"]) if is_encoder else 0), "16" in str(config.get("torch_dtype", ""))
    except (OSError, ValueError, KeyError, TypeError):
        return 0, False
