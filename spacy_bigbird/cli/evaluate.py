"""`python -m spacy bigbird evaluate`: scores a pipeline, including components that must be asked something."""

import sys
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import srsly
import typer
from spacy.cli._util import import_code
from wasabi import Printer

from ..errors import Errors
from .app import app
from .options import CodePath, GpuId
from .preparation import check_place, set_up_gpu

if TYPE_CHECKING:
    from spacy.language import Language


@app.command("evaluate")
def evaluate_cli(
    model: Annotated[str, typer.Argument(help="Pipeline: a folder or a package")],
    data_path: Annotated[
        Path, typer.Argument(help="Gold data: .spacy or .jsonl files, questions in SQuAD's .json, or a folder of them")
    ],
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write all scores to this file (JSON)")] = None,
    code_path: CodePath = None,
    use_gpu: GpuId = -1,
) -> None:
    """Score a pipeline on annotated documents.

    Like `spacy evaluate`, but the components also see the questions, options and masks of the documents, without the
    answers, so that question answering, multiple choice and filled masks are scored too.
    """
    msg = Printer()
    import_code(code_path)
    try:
        if output is not None:
            check_place(output)
        set_up_gpu(use_gpu)
        scores = evaluate(model, data_path, show_progress=True)
    except (OSError, ValueError) as error:
        msg.fail(str(error), exits=1)
    print_scores(msg, scores)
    if output is not None:
        srsly.write_json(output, scores)
        msg.good(f"Saved all scores to {output}")


def evaluate(model: "str | Path | Language", data_path: Path, *, show_progress: bool = False) -> dict[str, Any]:
    """Run a pipeline on documents with gold annotation, and score it.

    model (str | Path | Language): the pipeline, or its location.
    data_path (Path): a .spacy, .jsonl or SQuAD .json file, or a folder of files of one of these kinds.
    show_progress (bool): whether to count the documents with a progress bar on standard error.
    RETURNS (dict[str, Any]): the scores of all components, and `speed`. Unit of speed: tokens per second.
    RAISES ValueError: there are no such files, or they contain no documents, or none with anything that the pipeline
        could be scored on.
    """
    import spacy
    from spacy.language import Language
    from spacy.scorer import Scorer
    from tqdm import tqdm

    from ..check.gold import find_gold_problems
    from ..scoring.stored_examples import StoredExamples

    nlp = model if isinstance(model, Language) else spacy.load(model)
    examples, tokens, seconds = StoredExamples(nlp.vocab), 0, 0.0
    pairs = ((example.predicted, example) for example in make_reader(Path(data_path))(nlp))
    processed = nlp.pipe(pairs, as_tuples=True, batch_size=nlp.batch_size)
    start = time.perf_counter()
    for doc, example in tqdm(processed, unit="doc", disable=not show_progress, file=sys.stderr):
        seconds += time.perf_counter() - start
        tokens += len(doc)
        example.predicted = doc
        examples.add(example)
        start = time.perf_counter()
    if not examples:
        raise ValueError(Errors.BB324.format(path=data_path))
    counts, problems = find_gold_problems(nlp, "test", examples, frozen=())
    if counts and not any(counts.values()):
        raise ValueError(Errors.BB667.format(path=data_path, problems="\n".join(problems)))
    for problem in problems:
        warnings.warn(problem, stacklevel=2)
    # The documents are read again for each score: in the memory, they would take as much as their number is high.
    return {**Scorer(nlp=nlp).score(examples), "speed": tokens / seconds}


def make_reader(path: Path) -> Any:
    """Find the reader of a corpus by the names of its files.

    path (Path): a .spacy, .jsonl or SQuAD .json file, or a folder of files of one of these kinds.
    RETURNS (Any): the reader, which takes a pipeline and yields examples.
    RAISES ValueError: there are no such files.
    """
    from ..corpora.docbin import QuestionCorpus
    from ..corpora.jsonl import JsonlCorpus
    from ..corpora.squad import SquadCorpus

    kinds = {".spacy": QuestionCorpus, ".jsonl": JsonlCorpus, ".json": SquadCorpus}
    files = [path] if path.is_file() else sorted(path.rglob("*"))
    found = [kind for kind in kinds if any(file.suffix == kind for file in files)]
    if len(found) != 1:
        reason = f"it has files of several kinds ({', '.join(found)})" if found else "it has no such files"
        reason = reason if path.exists() else "there is no such file or folder"
        raise ValueError(Errors.BB323.format(path=path, reason=reason))
    return kinds[found[0]](path)


def print_scores(msg: Printer, scores: dict[str, Any]) -> None:
    """Print numeric scores, and precision, recall and F-score by type where available.

    msg (Printer): the printer to use.
    scores (dict[str, Any]): the scores, as returned by `evaluate`.
    """
    rows = {key: _shown(key, value) for key, value in scores.items() if isinstance(value, int | float)}
    msg.divider("Scores")
    msg.table(rows, aligns=("l", "r"))
    for key, values in scores.items():
        if key.endswith("_per_type") and values:
            table = [(kind, *(f"{row[name]:.3f}" for name in "prf")) for kind, row in values.items()]
            msg.divider(key)
            msg.table(table, header=("", "P", "R", "F"), aligns=("l", "r", "r", "r"))


def _shown(key: str, value: float) -> str:
    return f"{value:,.0f}" if key == "speed" else f"{value:.3f}"
