"""`python -m spacy bigbird resume`: resumes training that was stopped."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from spacy import util
from spacy.cli._util import import_code, parse_config_overrides, show_validation_error
from wasabi import msg

from .app import app
from .ending import explained
from .options import CodePath, GpuId
from .preparation import set_up_gpu


@app.command("resume", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def resume_cli(
    ctx: typer.Context,
    output_path: Annotated[Path, typer.Argument(help="Directory given to `spacy train --output`")],
    code_path: CodePath = None,
    use_gpu: GpuId = -1,
) -> None:
    """Resume a `spacy train` run that was killed or interrupted, from its last evaluation.

    The config of the run must have the logger spacy-bigbird.ResumableLogger.v1, as all configs of this package do.
    Settings in [paths], [system], [corpora] and [training] can be overridden as in `spacy train`, for example
    --training.max_steps 40000. To continue a run that has finished, raise the limit that ended it.
    """
    overrides = parse_config_overrides(ctx.args)
    import_code(code_path)
    try:
        set_up_gpu(use_gpu, silent=False)
    except ValueError as error:
        msg.fail(str(error), exits=1)
    from ..check.overrides import check_overrides
    from ..resume.loop import resume
    from ..resume.state import PIPELINE, TrainingState, state_folder

    advice = "Run the same command again to continue from the last evaluation."
    with explained("The training cannot be resumed", advice, (ValueError, OSError)):
        if overrides:
            saved = state_folder(output_path, TrainingState.newest(output_path).step) / PIPELINE
            check_overrides(util.load_config(saved / "config.cfg"), overrides)
        with show_validation_error(hint_fill=False):
            resume(output_path, overrides=overrides, use_gpu=use_gpu, stdout=sys.stdout, stderr=sys.stderr)
