"""Write the config of a system without training: for `python -m spacy bigbird check` and `python -m spacy train`."""

from pathlib import Path
from typing import Annotated

import typer
from wasabi import msg

from ..library.command import run
from ..library.options import Checkpoint, Gpu, MaxLength, Seconds, Seed, Size, System, TaskName, make_settings
from ..library.systems import Settings, write_config
from ..library.tasks import Paths, get_task


def configure(path: Path, task_name: str, system: str, settings: Settings, root: Path) -> Path:
    """Write the config of a system.

    path (Path): the file.
    task_name (str): name of the task.
    system (str): one of its systems.
    settings (Settings): the chosen settings.
    root (Path): the project's folder.
    RETURNS (Path): the file.
    RAISES ValueError: the task has no such system.
    """
    task = get_task(task_name)
    changes = task.changes(system, settings)
    base, corpus = task.config(root, system), Paths(root, task_name).corpus
    return write_config(
        path, base, system, settings, corpus, task.encoder, changes, task.knows_neighbours, task.question
    )


def main(
    task: TaskName,
    output: Annotated[Path, typer.Option(help="File to write the config to")],
    system: System = "bigbird",
    size: Size = "tiny",
    checkpoint: Checkpoint = "none",
    gpu: Gpu = -1,
    seed: Seed = 0,
    max_length: MaxLength = 4096,
    seconds: Seconds = 600.0,
    root: Annotated[Path, typer.Option(help="The project's folder")] = Path(),
) -> None:
    """Write the config of one system of one task."""
    settings = make_settings(size, checkpoint, gpu, seed, max_length, seconds)
    msg.good(str(configure(output, task, system, settings, root.resolve())))


if __name__ == "__main__":
    run(main)
