"""`python -m spacy bigbird train`: `spacy train` that can be resumed, on one process or many."""

import os
import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from spacy.cli._util import import_code, parse_config_overrides, show_validation_error
from spacy.util import load_config

from .app import app
from .ending import explained
from .options import CodePath, GpuId
from .preparation import check_folder, set_up_gpu

if TYPE_CHECKING:
    from ..distributed.processes import Processes


@app.command("train", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def train_cli(
    ctx: typer.Context,
    config_path: Annotated[Path, typer.Argument(help="Config file, as for `spacy train`")],
    output_path: Annotated[Path, typer.Option("--output", "-o", help="Directory for the pipelines")],
    resume: Annotated[
        bool, typer.Option("--resume", "-r", help="Resume the training in the directory, if there is one")
    ] = False,
    code_path: CodePath = None,
    use_gpu: GpuId = -1,
    timeout: Annotated[int, typer.Option(help="Minutes after which a silent process counts as dead")] = 60,
) -> None:
    """Train a pipeline as `spacy train` does, so that it can be resumed.

    Start it with `accelerate launch` or `torchrun` to share the work between processes: each takes one batch of a step,
    and gradients are added up. With several processes, any --gpu-id from 0 gives each process a GPU of its own.
    """
    from ..distributed.processes import Processes, local_number

    with explained("The training stopped", "Run the same command with --resume to go on from the last evaluation."):
        is_many = int(os.environ.get("WORLD_SIZE", "1")) > 1
        gpu = local_number() if is_many and use_gpu >= 0 else use_gpu
        import_code(code_path)
        set_up_gpu(gpu, silent=local_number() > 0)
        with Processes.joined(gpu >= 0, timedelta(minutes=timeout)) as processes:
            overrides = parse_config_overrides(ctx.args)
            train(config_path, output_path, overrides, resume=resume, use_gpu=gpu, processes=processes)


def train(
    config_path: Path,
    output_path: Path,
    overrides: Mapping[str, Any],
    *,
    resume: bool = False,
    use_gpu: int = -1,
    processes: "Processes | None" = None,
) -> None:
    """Read a config and train, or resume the training in the directory.

    config_path (Path): the config file.
    output_path (Path): directory for the pipelines.
    overrides (Mapping[str, Any]): settings by their full names, such as "training.max_steps".
    resume (bool): whether to resume the training in `output_path`, if there is one.
    use_gpu (int): id of the GPU that has been activated, or -1 for the CPU.
    processes (Processes | None): the processes; None for this one alone.
    RAISES ValueError: the config or an override is wrong, or the training cannot be resumed.
    RAISES RuntimeError: another process has stopped, or has other weights.
    """
    from spacy.training.initialize import init_nlp

    from ..check.overrides import check_overrides
    from ..resume.loop import resume as go_on
    from ..resume.loop import train as begin
    from ..resume.state import FOLDER

    with show_validation_error(config_path):
        config = load_config(config_path, overrides=dict(overrides), interpolate=False)
    check_overrides(config, overrides)
    check_folder(output_path)
    given: dict[str, Any] = {"use_gpu": use_gpu, "processes": processes, "stdout": sys.stdout, "stderr": sys.stderr}
    if resume and any((output_path / FOLDER).glob("step-*")):
        go_on(output_path, overrides=overrides, **given)
        return
    with show_validation_error(config_path, hint_fill=False):
        nlp = init_nlp(config, use_gpu=use_gpu)
        begin(nlp, output_path, **given)
