"""Options that the steps share, named like the variables in `project.yml`."""

from collections.abc import Callable, Iterable
from typing import Annotated

import typer

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
