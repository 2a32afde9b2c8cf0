"""Options that the steps share, named like the variables in `project.yml`."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated

import typer

from .command import run
from .systems import SIZES, SYSTEMS, Settings
from .tasks import FILES


def one_of(allowed: Iterable[str]) -> Callable[[str], str]:
    """RETURNS (Callable): a callback that accepts an allowed value, and reports what is allowed for any other."""

    def check(value: str) -> str:
        if value not in allowed:
            raise typer.BadParameter(f"{value!r} is not one of {', '.join(allowed)}")
        return value

    return check


TaskName = Annotated[str, typer.Argument(help=f"One of {', '.join(FILES)}", callback=one_of(FILES))]
System = Annotated[str, typer.Option(help=f"One of {', '.join(SYSTEMS)}", callback=one_of(SYSTEMS))]
Size = Annotated[str, typer.Option(help=f"Size of an encoder with random weights: {', '.join(SIZES)}")]
Checkpoint = Annotated[str, typer.Option(help="BigBird checkpoint to start from (folder or hub name), or none")]
Gpu = Annotated[int, typer.Option(help="Number of the GPU, or -1 for the CPU")]
Seed = Annotated[int, typer.Option(help="Seed for the weights and the order of the documents")]
MaxLength = Annotated[int, typer.Option(help="Pieces that the encoder takes at once")]
Seconds = Annotated[float, typer.Option(help="Training time of each system: CPU time, or wall time on a GPU")]

DEFAULT = Settings()


def make_settings(
    size: str = DEFAULT.size,
    checkpoint: str = "none",
    gpu: int = DEFAULT.gpu,
    seed: int = DEFAULT.seed,
    max_length: int = DEFAULT.max_length,
    seconds: float = DEFAULT.seconds,
) -> Settings:
    """RETURNS (Settings): the settings given on the command line."""
    if size not in SIZES:
        raise typer.BadParameter(f"{size!r} is not one of {', '.join(SIZES)}", param_hint="--size")
    return Settings(size, None if checkpoint in ("", "none") else checkpoint, gpu, seed, max_length, seconds)


def run_step(step: Callable[[str, str, Settings, Path], None]) -> None:
    """Run a step for one system from the command line.

    step (Callable): takes the task, the system, its settings and the project's folder. Its docstring is the help.
    """

    def main(
        task: TaskName,
        system: System = "bigbird",
        size: Size = "tiny",
        checkpoint: Checkpoint = "none",
        gpu: Gpu = -1,
        seed: Seed = 0,
        max_length: MaxLength = 4096,
        seconds: Seconds = 600.0,
        root: Annotated[Path, typer.Option(help="The project's folder")] = Path(),
    ) -> None:
        step(task, system, make_settings(size, checkpoint, gpu, seed, max_length, seconds), root.resolve())

    main.__doc__ = step.__doc__
    run(main)
