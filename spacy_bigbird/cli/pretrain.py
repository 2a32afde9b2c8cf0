"""`python -m spacy bigbird pretrain`: pre-trains an encoder on plain texts."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from wasabi import msg

from .app import app
from .ending import explained
from .preparation import check_folder


@app.command("pretrain", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def pretrain_cli(
    ctx: typer.Context,
    config_path: Annotated[Path, typer.Argument(help="Config file, such as configs/pretrain.cfg")],
    output_path: Annotated[
        Path, typer.Argument(help="Directory for the checkpoint, the log and states to resume from")
    ],
    resume: Annotated[
        bool, typer.Option("--resume", "-r", help="Resume the run in the directory, if there is one")
    ] = False,
) -> None:
    """Pre-train an encoder on plain texts by masked language modelling.

    Config settings can be overridden by options with their names, for example --paths.train texts/ or
    --training.max_steps 20. To share the work between several processes, start the command with `accelerate launch` or
    `torchrun`. The output directory is a checkpoint: use its path as `name` in the config of a pipeline.
    """
    from spacy.cli._util import parse_config_overrides, show_validation_error

    overrides = parse_config_overrides(ctx.args)
    advice = "Run the same command with --resume to continue from the last saved state."
    expected = (ValueError, OSError, ImportError, FloatingPointError)
    with explained("Pre-training stopped", advice, expected), show_validation_error(config_path, hint_fill=False):
        result = pretrain(config_path, output_path, overrides=overrides, resume=resume, show_progress=True)
    if result["is_main"]:
        msg.good(f"Wrote the checkpoint to {output_path}", "Use it as `name` in the config of a pipeline's encoder.")


def pretrain(
    config_path: Path,
    output_path: Path,
    *,
    overrides: Mapping[str, Any] | None = None,
    resume: bool = False,
    show_progress: bool = False,
) -> dict[str, Any]:
    """Read a config and run pre-training.

    config_path (Path): the config file.
    output_path (Path): directory for everything that is written.
    overrides (Mapping[str, Any] | None): settings by their full names, such as "training.max_steps".
    resume (bool): whether to resume the run in `output_path`, if there is one.
    show_progress (bool): whether to show a progress bar and the reports.
    RETURNS (dict[str, Any]): the last reports.
    RAISES ValueError: settings are unknown, missing or invalid, or `output_path` cannot be a folder.
    """
    from spacy.util import load_config

    from ..pretraining.run import pretrain as run
    from ..pretraining.settings import PretrainingSettings

    config = load_config(config_path, overrides=dict(overrides or {}), interpolate=True)
    settings = PretrainingSettings.from_dict(config)
    check_folder(Path(output_path))
    return run(settings, output_path, resume=resume, show_progress=show_progress)
