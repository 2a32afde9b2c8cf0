"""Write the corpus of a task: train.spacy, dev.spacy, test.spacy, the vocabulary and how it was split."""

from pathlib import Path
from typing import Annotated

import typer

from ..library.command import run
from ..library.options import Checkpoint, MaxLength, TaskName, make_settings
from ..library.tasks import get_task


def main(
    task: TaskName,
    checkpoint: Checkpoint = "none",
    max_length: MaxLength = 4096,
    root: Annotated[Path, typer.Option(help="The project's folder")] = Path(),
) -> None:
    """Write the corpus of a task."""
    get_task(task).preprocess(root.resolve(), make_settings(checkpoint=checkpoint, max_length=max_length))


if __name__ == "__main__":
    run(main)
