"""`python -m spacy bigbird calibrate`: makes a trained pipeline's probabilities reliable, and chooses thresholds."""

from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from spacy.cli._util import import_code
from wasabi import Printer

from ..errors import Errors
from .app import app
from .evaluate import make_reader
from .options import CodePath, GpuId
from .preparation import check_folder, set_up_gpu

if TYPE_CHECKING:
    from spacy.language import Language


@app.command("calibrate")
def calibrate_cli(
    model: Annotated[str, typer.Argument(help="Trained pipeline: a folder or a package")],
    data_path: Annotated[
        Path,
        typer.Argument(help="Held-out gold data, not the training data: .spacy or .jsonl files, or a folder of them"),
    ],
    output: Annotated[Path, typer.Argument(help="Folder for the calibrated pipeline; may be that of MODEL")],
    component: Annotated[
        list[str] | None, typer.Option("-n", "--component", help="Only this component; may be given several times")
    ] = None,
    keep_thresholds: Annotated[bool, typer.Option("--keep-thresholds", help="Do not choose new thresholds")] = False,
    code_path: CodePath = None,
    use_gpu: GpuId = -1,
) -> None:
    """Calibrate a trained pipeline on held-out documents, such as the development data.

    Probabilities are fitted, so that eight out of ten predictions with probability 0.8 are correct (bigbird_ner,
    bigbird_spancat). Then the threshold of each label is set to the one with the best F1 (bigbird_spancat,
    bigbird_textcat_multilabel).
    """
    msg = Printer()
    import_code(code_path)
    try:
        check_folder(output)
        set_up_gpu(use_gpu)
        nlp, fitted = calibrate(
            model, data_path, components=component, keep_thresholds=keep_thresholds, show_progress=True
        )
    except (OSError, ValueError) as error:
        msg.fail(str(error), exits=1)
    for name, results in fitted.items():
        msg.divider(name)
        msg.table(dict(_lines(results)), aligns=("l", "r"))
    output.mkdir(parents=True, exist_ok=True)
    nlp.to_disk(output)
    msg.good(f"Saved the calibrated pipeline to {output}")


def calibrate(
    model: "str | Path | Language",
    data_path: Path,
    *,
    components: Sequence[str] | None = None,
    keep_thresholds: bool = False,
    show_progress: bool = False,
) -> "tuple[Language, dict[str, dict[str, Any]]]":
    """Fit the probabilities of a pipeline's components to held-out documents, then the thresholds of their labels.

    model (str | Path | Language): the trained pipeline, or its location.
    data_path (Path): a .spacy or .jsonl file with gold annotation, or a folder of such files.
    components (Sequence[str] | None): names of the components to calibrate; None for all that can be.
    keep_thresholds (bool): whether to leave the thresholds as they are.
    show_progress (bool): whether to count the documents with a progress bar on standard error.
    RETURNS (tuple[Language, dict[str, dict[str, Any]]]): the pipeline; and for each component, what `calibrate` and
        `tune_thresholds` return, under these names.
    RAISES ValueError: there are no such documents, there is nothing to calibrate, or a component predicts nothing.
    """
    import spacy
    from spacy.language import Language
    from tqdm import tqdm

    nlp = model if isinstance(model, Language) else spacy.load(model)
    methods = ("calibrate",) if keep_thresholds else ("calibrate", "tune_thresholds")
    able = {name: [m for m in methods if hasattr(pipe, m)] for name, pipe in nlp.pipeline}
    chosen = [name for name, found in able.items() if found] if not components else list(components)
    if not chosen or any(not able.get(name) for name in chosen):
        able_names = ", ".join(name for name, found in able.items() if found) or "none"
        raise ValueError(Errors.BB431.format(names=", ".join(chosen) or "of any kind", able=able_names))
    reader, number = make_reader(Path(data_path)), None
    fitted: dict[str, dict[str, Any]] = {}
    for name in chosen:
        for method in able[name]:
            # Read again for each method, since all documents at once may be more than the memory takes.
            bar = tqdm(
                reader(nlp), f"{name}: {method.replace('_', ' ')}", number, disable=not show_progress, unit="doc"
            )
            if (first := next(examples := iter(bar), None)) is None:
                raise ValueError(Errors.BB324.format(path=data_path))
            fitted.setdefault(name, {})[method] = getattr(nlp.get_pipe(name), method)(chain([first], examples), nlp=nlp)
            number = bar.n
    return nlp, fitted


def _lines(results: dict[str, Any]) -> Iterable[tuple[str, str]]:
    if fitted := results.get("calibrate"):
        for when in ("before", "after"):
            yield f"calibration error {when}", "-" if fitted[when] is None else f"{fitted[when]:.3f}"
    for label, threshold in results.get("tune_thresholds", {}).items():
        yield f"threshold of {label}", f"{threshold:.3f}"
