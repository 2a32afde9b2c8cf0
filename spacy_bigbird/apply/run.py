"""Applies a pipeline to many documents, so that each is in the results exactly once, whatever happens meanwhile."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import filelock
from tqdm import tqdm

from .. import __version__
from ..atomic import remove_unfinished
from ..errors import Errors
from .annotate import Settings, pipeline_digest
from .engines import LocalEngine, RayEngine
from .found_files import find_inputs
from .outputs import write_bytes, write_json, write_lines
from .plan import Plan, Shard, as_dict, estimate_pieces, make_plan, schedule
from .sizing import estimate, worker_memory
from .worker import PROGRESS, Job, read_progress

MANIFEST, PLAN, LOCK, FAILURES, SUMMARY = "manifest.json", "plan.jsonl", ".lock", "failures.jsonl", "summary.json"
KEYS = ("pipeline", "inputs", "settings")


def apply(
    pipeline: str | Path,
    inputs: Sequence[str | Path],
    output: str | Path,
    *,
    settings: Settings | None = None,
    engine: LocalEngine | RayEngine | None = None,
    code: Path | None = None,
    threads: int | None = None,
    gpu: int = -1,
    show_progress: bool = False,
    on_plan: Callable[[dict[str, Any]], object] | None = None,
) -> dict[str, Any]:
    """Apply a pipeline to documents, or go on with that where it stopped.

    pipeline (str | Path): the pipeline: a folder or a package.
    inputs (Sequence[str | Path]): files, folders and patterns.
    output (str | Path): folder of the results: new, empty, or that of the run to go on with.
    settings (Settings | None): what is wanted; None for the defaults.
    engine (LocalEngine | RayEngine | None): who does the work; None for this process.
    code (Path | None): Python file with registered functions.
    threads (int | None): threads of each worker; None to share out the cores.
    gpu (int): number of the GPU, or -1 for the CPU.
    show_progress (bool): whether to show bars on standard error.
    on_plan (Callable[[dict[str, Any]], object] | None): called with the plan before the work begins.
    RETURNS (dict[str, Any]): the summary.
    RAISES ValueError: the inputs, the pipeline or the output cannot be used, or the output belongs to another run.
    RAISES OSError: results cannot be written.
    RAISES RuntimeError: a worker was killed again and again.
    """
    settings, engine, output = settings or Settings(), engine or LocalEngine(), Path(output)
    found = find_inputs(inputs, output)
    job = make_job(pipeline, found.files, output, settings, engine, code=code, threads=threads, gpu=gpu)
    with locked(output):
        plan = _plan_of(output, job, show_progress)
        run = _Run(output, plan, job, show_progress)
        if on_plan is not None:
            on_plan(
                {
                    **as_dict(plan),
                    "ignored_files": found.ignored,
                    "done": len(run.results),
                    "workers": engine.workers,
                    "memory_per_worker": worker_memory(job.pipeline, plan, settings),
                }
            )
        return run.finish(engine)


def dry_run(
    pipeline: str | Path,
    inputs: Sequence[str | Path],
    output: str | Path,
    *,
    settings: Settings | None = None,
    engine: LocalEngine | RayEngine | None = None,
    show_progress: bool = False,
    **given: Any,
) -> dict[str, Any]:
    """Say what a run would do, without writing anything.

    The arguments are those of `apply`.
    RETURNS (dict[str, Any]): the plan, with `memory_per_worker`, `pieces_per_second` of one worker on this machine,
        measured on the first documents, and `seconds` for the whole.
    """
    settings, engine = settings or Settings(), engine or LocalEngine()
    found = find_inputs(inputs, Path(output))
    job = make_job(pipeline, found.files, Path(output), settings, engine, **given)
    plan = _make_plan(job, show_progress)
    return {**estimate(job, plan, engine.workers), "ignored_files": found.ignored, "done": 0}


def make_job(
    pipeline: str | Path,
    files: Sequence[str],
    output: Path,
    settings: Settings,
    engine: LocalEngine | RayEngine,
    *,
    code: Path | None = None,
    threads: int | None = None,
    gpu: int = -1,
) -> Job:
    """Gather what the workers need to know. The arguments are those of `apply`."""
    return Job(
        pipeline=str(pipeline),
        digest=pipeline_digest(str(pipeline)),
        files=tuple(files),
        directory=os.getcwd(),
        output=str(output),
        settings=settings,
        code=None if code is None else str(code),
        threads=threads or shared_threads(engine),
        gpu=gpu,
    )


class _Run:
    def __init__(self, output: Path, plan: Plan, job: Job, show_progress: bool) -> None:
        self.output, self.plan, self.job, self.show_progress = output, plan, job, show_progress
        (output / PROGRESS).mkdir(exist_ok=True)
        for folder in (output, output / PROGRESS):
            remove_unfinished(folder)
        self.results: dict[int, dict[str, Any]] = {}
        for shard in plan.shards:
            result = read_progress(output, shard, job.settings.format)
            if result is not None:
                self.results[shard.number] = result

    def finish(self, engine: LocalEngine | RayEngine) -> dict[str, Any]:
        """Do what is not done yet, and write what is known of the whole."""
        left = [shard for shard in self.plan.shards if shard.number not in self.results]
        start = time.perf_counter()
        if left:
            self._work(engine, schedule(left, self.job.settings.shard_pieces))
        return self._summarize(left, time.perf_counter() - start)

    def _work(self, engine: LocalEngine | RayEngine, left: Sequence[Shard]) -> None:
        planned = {shard.number: shard for shard in left}
        done = self.plan.pieces - sum(shard.pieces for shard in left)
        bar = tqdm(
            total=self.plan.pieces,
            initial=done,
            unit=" pieces",
            unit_scale=True,
            disable=not self.show_progress,
            file=sys.stderr,
        )
        documents, ahead, start = 0, 0, time.perf_counter()

        def on_progress(size: int) -> None:
            nonlocal ahead
            pieces = estimate_pieces(size, len(self.job.settings.questions))
            ahead += pieces
            bar.update(pieces)

        with bar:
            for result in engine.run(self.job, left, on_progress):
                self.results[result["shard"]] = result
                documents += result["documents"]
                bar.set_postfix_str(f"{documents / (time.perf_counter() - start):.1f} documents/s", refresh=False)
                # What was shown of the shard while it was worked on is an estimate.
                bar.update(planned[result["shard"]].pieces - ahead)
                ahead = 0

    def _summarize(self, left: Sequence[Shard], seconds: float) -> dict[str, Any]:
        results = [self.results[shard.number] for shard in self.plan.shards]
        failures = [failure for result in results for failure in result["failures"]]
        new = [self.results[shard.number] for shard in left]
        pieces = sum(result["pieces"] for result in new)
        summary = {
            **as_dict(self.plan),
            "pieces": sum(result["pieces"] for result in results),
            "failed": len(failures),
            "results": len(results),
            "this_run": {
                "documents": sum(result["documents"] for result in new),
                "pieces": pieces,
                "seconds": round(seconds, 3),
                "pieces_per_second": round(pieces / seconds, 1) if new else None,
            },
            "worker_seconds": round(sum(result["seconds"] for result in results), 3),
        }
        write_lines(self.output / FAILURES, failures)
        write_json(self.output / SUMMARY, summary)
        return summary


def shared_threads(engine: LocalEngine | RayEngine) -> int | None:
    """Share out the cores of this machine among workers. RETURNS (int | None): None for PyTorch's default."""
    if isinstance(engine, RayEngine):
        return max(1, round(engine.cpus_per_worker))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // engine.workers) if engine.workers > 1 else None


def describe_run(job: Job) -> dict[str, Any]:
    """Get what makes a run: its pipeline, inputs and settings."""
    return {
        "pipeline": {"name": job.pipeline, "digest": job.digest},
        "inputs": [{"file": file, "bytes": os.path.getsize(file)} for file in job.files],
        "settings": job.settings.to_dict(),
    }


@contextmanager
def locked(output: Path) -> Iterator[None]:
    """Hold the output folder within a context, creating it if it is not there.

    RAISES ValueError: another run holds it, or it cannot be a folder of results.
    """
    if output.exists() and not output.is_dir():
        raise ValueError(Errors.BB402.format(path=output, reason="it is a file"))
    if output.is_dir() and not (output / MANIFEST).is_file():
        others = [path.name for path in output.iterdir() if path.name not in (LOCK, PLAN)]
        if others:
            raise ValueError(
                Errors.BB402.format(path=output, reason=f"it has other files, such as {sorted(others)[0]}")
            )
    try:
        output.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(output / LOCK, timeout=0):
            yield
    except filelock.Timeout as error:
        raise ValueError(Errors.BB404.format(path=output)) from error


def _plan_of(output: Path, job: Job, show_progress: bool) -> Plan:
    """Get the plan of the run in the folder, or make one if there is none."""
    described = describe_run(job)
    if (output / MANIFEST).is_file():
        try:
            manifest = json.loads((output / MANIFEST).read_text(encoding="utf8"))
            changed = [_difference(key, manifest[key], described[key]) for key in KEYS]
            plan = Plan.load(output / PLAN, job.files, [file["bytes"] for file in described["inputs"]])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ValueError(Errors.BB402.format(path=output, reason=f"its manifest is damaged ({error})")) from error
        if any(changed):
            raise ValueError(Errors.BB403.format(path=output, changed="; ".join(filter(None, changed))))
        return plan
    plan = _make_plan(job, show_progress)
    write_bytes(output / PLAN, plan.to_bytes())
    # Written last: with it, the plan is complete and will not change.
    write_json(output / MANIFEST, {**described, "plan": as_dict(plan), "written_by": f"spacy-bigbird {__version__}"})
    return plan


def _make_plan(job: Job, show_progress: bool) -> Plan:
    settings, times = job.settings, len(job.settings.questions)
    size = settings.shard_pieces
    return make_plan(job.files, settings.fields, shard_pieces=size, times=times, show_progress=show_progress)


def _difference(key: str, saved: Any, given: Any) -> str:
    """Say how what is given differs from what was saved. RETURNS (str): "" if it does not."""
    if key == "pipeline":
        # The same files may lie somewhere else.
        return "" if saved["digest"] == given["digest"] else f"the pipeline was {saved['name']}, with other contents"
    if key == "settings":
        names = sorted(name for name in {*saved, *given} if saved.get(name) != given.get(name))
        return "the settings: " + ", ".join(f"{name} was {saved.get(name)!r}" for name in names) if names else ""
    old, new = ({file["file"]: file["bytes"] for file in files} for files in (saved, given))
    if list(old) == list(new):
        resized = [file for file in old if old[file] != new[file]]
        return f"the size of {resized[0]} has changed" if resized else ""
    others = sorted({*old} ^ {*new})
    if not others:
        return "the inputs were in another order"
    return f"{others[0]} was {'one' if others[0] in old else 'not one'} of the inputs"
