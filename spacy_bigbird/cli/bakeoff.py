"""`python -m spacy bigbird bakeoff`: does reading whole documents pay, on these documents?"""

from pathlib import Path
from typing import Annotated

import typer
from spacy.cli._util import import_code, parse_config_overrides, show_validation_error
from wasabi import Printer

from ..errors import Errors
from .app import app
from .options import CodePath, GpuId
from .preparation import check_folder, set_up_gpu

ALL_SYSTEMS = "whole,windows_512,windows_128,first_512,tfidf,tok2vec"


@app.command("bakeoff", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def bakeoff_cli(
    ctx: typer.Context,
    config_path: Annotated[Path, typer.Argument(help="Config file of a training with a `bigbird` encoder")],
    test_path: Annotated[Path, typer.Argument(help="Test documents, in the form of those for development")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for trainings and report")],
    systems: Annotated[str, typer.Option("-s", "--systems", help="Systems to compare")] = ALL_SYSTEMS,
    seeds: Annotated[str, typer.Option(help="Seeds of the trainings, such as 0,1,2")] = "0",
    seconds: Annotated[float, typer.Option(help="Time of each training; 0 to train until the config ends it")] = 0.0,
    component: Annotated[
        str | None, typer.Option("-n", "--component", help="Component to score; by default the first that can be")
    ] = None,
    code_path: CodePath = None,
    use_gpu: GpuId = -1,
) -> None:
    """Train the same head over whole documents, windows and beginnings, and other systems, and compare the scores.

    Systems: `whole` is the config as it is; `windows_512` and `windows_128` (with a stride of 96) encode windows of so
    many pieces; `first_512` reads the beginning only; `tfidf` is a logistic regression on words and pairs of words;
    `tok2vec` has spaCy's encoder. Config settings can be overridden as in `spacy train`. A comparison that was stopped
    goes on where it was.
    """
    from spacy.util import load_config

    from ..bakeoff.report import summarize, write_report
    from ..bakeoff.run import Bakeoff

    msg = Printer()
    overrides = parse_config_overrides(ctx.args)
    import_code(code_path)
    try:
        check_folder(output)
        set_up_gpu(use_gpu)
        with show_validation_error(config_path, hint_fill=False):
            config = load_config(config_path, overrides=overrides, interpolate=False)
        bakeoff = Bakeoff(config, test_path, output, systems.split(","), _numbers(seeds), seconds, component, use_gpu)
        results = bakeoff.run(show_progress=True)
        paths = write_report(output, summary := summarize(bakeoff.task, results))
    except (ImportError, OSError, ValueError) as error:
        msg.fail(str(error), exits=1)
    rows = [
        (name, f"{entry['score']:.3f}", f"{entry['low']:.3f}-{entry['high']:.3f}", f"{entry['seconds']:,.0f}")
        for name, entry in summary["systems"].items()
    ]
    header = ("system", summary["metric"], "95% interval", "seconds")
    msg.table(rows, header=header, aligns=("l", "r", "r", "r"), divider=True)
    for path in paths:
        msg.good(str(path))


def _numbers(seeds: str) -> list[int]:
    """RAISES ValueError: the option is not a list of different whole numbers."""
    try:
        numbers = [int(part) for part in seeds.split(",")]
    except ValueError:
        numbers = []
    if not numbers or len(set(numbers)) < len(numbers):
        raise ValueError(Errors.BB758.format(seeds=seeds))
    return numbers
