"""Train and evaluate all systems of all tasks with all seeds. Existing results are kept.

It can be stopped at any time and started again, and then continues with the first missing result. By default, two
systems run side by side, each on one thread. Time is CPU time, so that they do not affect each other's budget.
"""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from wasabi import msg

from ..library.command import run
from ..library.options import MaxLength, Seconds, Size, make_settings
from ..library.systems import SYSTEMS
from ..library.tasks import Paths, get_task

# Tasks with their seeds, in the order in which they run: every task runs once before any is repeated.
ORDER = (
    ("ner", (0,)),
    ("cuad", (0,)),
    ("authors", (0,)),
    ("topics", (0,)),
    ("pretrain", (0,)),
    ("multiple_choice", (0,)),
    ("covid_qa", (0,)),
    ("ner", (1, 2)),
    ("authors", (1, 2)),
)
POLL_SECONDS = 2.0
STEPS = "workflows.steps"


class Job(NamedTuple):
    """A result to produce."""

    task: str
    system: str
    seed: int


def missing(root: Path, systems: tuple[str, ...] = SYSTEMS, order: tuple = ORDER) -> list[Job]:
    """RETURNS (list[Job]): the results that are missing, in the order in which to produce them."""
    pairs = [(task, [one for one in systems if one in get_task(task).systems], seeds) for task, seeds in order]
    jobs = [Job(task, system, seed) for task, compared, seeds in pairs for seed in seeds for system in compared]
    return [job for job in jobs if not Paths(root, job.task).result(job.system, job.seed).exists()]


def start(root: Path, job: Job, options: list[str], log: Path) -> subprocess.Popen:
    """Start training and evaluation of a system. RETURNS (Popen): the process."""
    arguments = [job.task, "--system", job.system, "--seed", str(job.seed), "--root", str(root), *options]
    steps = [[sys.executable, "-m", f"{STEPS}.{name}", *arguments] for name in ("train", "evaluate")]
    code = f"import subprocess, sys\nfor step in {steps!r}:\n    subprocess.run(step, check=True)"
    log.parent.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with log.open("wb") as file:
        return subprocess.Popen([sys.executable, "-c", code], cwd=root, stdout=file, stderr=file, env=environment)


def main(
    side_by_side: Annotated[int, typer.Option(help="Number of systems to run at the same time")] = 2,
    size: Size = "tiny",
    max_length: MaxLength = 4096,
    seconds: Seconds = 600.0,
    dry: Annotated[bool, typer.Option(help="Only list what is missing")] = False,
) -> None:
    """Produce all missing results, in the project's folder."""
    root = Path.cwd()
    make_settings(size=size, max_length=max_length, seconds=seconds)
    jobs = missing(root)
    for job in jobs:
        print(f"missing: {job.task} {job.system} seed {job.seed}")
    if dry:
        return
    options = ["--size", size, "--max-length", str(max_length), "--seconds", str(seconds)]
    running: dict[Job, subprocess.Popen] = {}
    failed = 0
    while jobs or running:
        while jobs and len(running) < side_by_side:
            job = jobs.pop(0)
            if not (Paths(root, job.task).corpus / "split.json").exists():
                command = [sys.executable, "-m", f"{STEPS}.preprocess", job.task, "--max-length", str(max_length)]
                subprocess.run(command, cwd=root, check=True)
            running[job] = start(root, job, options, root / "training" / f"{job.task}-{job.system}-seed{job.seed}.log")
            msg.info(f"{time.strftime('%H:%M')} {job.task} {job.system} seed {job.seed} started")
        for job, process in list(running.items()):
            if process.poll() is not None:
                del running[job]
                failed += process.returncode != 0
                say = msg.fail if process.returncode else msg.good
                say(f"{time.strftime('%H:%M')} {job.task} {job.system} seed {job.seed} ended")
        time.sleep(POLL_SECONDS)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    run(main)
