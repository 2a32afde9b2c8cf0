"""`python -m spacy bigbird ask`: answers questions about files on the terminal, as HTML or as JSON lines."""

import html
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from wasabi import msg

from ..check.terminal import counted, headline
from ..errors import Errors
from ..files import find, read
from .app import app
from .options import GpuId
from .preparation import check_place, set_up_gpu

if TYPE_CHECKING:
    from spacy.language import Language

    from ..pipeline.queries.span_qa import SpanQA

PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Answers</title><style>
body {{ font: 16px/1.5 sans-serif; max-width: 50em; margin: 2em auto; padding: 0 1em }}
h2 {{ border-bottom: 1px solid #ccc }} mark {{ background: #ffe08a; padding: 0 .15em }}
.score {{ color: #666; font-size: .85em }} blockquote {{ margin: .3em 0 1.2em; white-space: pre-line }}
</style></head><body>
{body}
</body></html>
"""


@app.command("ask")
def ask_cli(
    model: Annotated[str, typer.Argument(help="Pipeline with a bigbird_span_qa component: a folder or a package")],
    files: Annotated[
        list[Path], typer.Argument(help=".txt, .md, .html, .pdf, .docx or .epub files, or folders of them")
    ],
    question: Annotated[list[str] | None, typer.Option("-q", "--question", help="Question to ask; repeatable")] = None,
    questions: Annotated[Path | None, typer.Option(help="File with one question per line")] = None,
    surroundings: Annotated[
        int, typer.Option("-s", "--surroundings", help="Characters to show on each side of an answer")
    ] = 60,
    max_answer_length: Annotated[
        int | None, typer.Option(help="Longest answer, in tokens; as the pipeline says if not given")
    ] = None,
    null_threshold: Annotated[
        float | None,
        typer.Option(
            help='Margin by which "no answer" must outscore the best answer; as the pipeline says if not given'
        ),
    ] = None,
    html_path: Annotated[Path | None, typer.Option("--html", help="Write all answers to an HTML page")] = None,
    jsonl: Annotated[
        Path | None, typer.Option(help="Write one JSON object per question to this file; - for the terminal")
    ] = None,
    use_gpu: GpuId = -1,
) -> None:
    """Ask questions about documents of any length. Answers are exact parts of the text.

    JSON lines are written as soon as an answer is found. Files that are missing or cannot be read are reported and
    skipped, and named again at the end; the exit code is then 1.
    """
    from tqdm import tqdm

    problems: list[str] = []

    def report(problem: str) -> None:
        problems.append(problem)
        # Printed to standard error, because the answers may be piped to another program, and without breaking the bar.
        tqdm.write(problem, file=sys.stderr)

    to_terminal = jsonl is not None and str(jsonl) == "-"
    lines_path = None if to_terminal else jsonl
    try:
        asked = [*(question or []), *(_lines(questions) if questions else [])]
        if not asked:
            raise ValueError(Errors.BB316)
        if not all(text.strip() for text in asked):
            raise ValueError(Errors.BB665.format(number=1 + [bool(text.strip()) for text in asked].index(False)))
        for path in filter(None, (lines_path, html_path)):
            check_place(path)
        set_up_gpu(use_gpu)
        given = {"max_answer_length": max_answer_length, "null_threshold": null_threshold}
        settings = {name: value for name, value in given.items() if value is not None}
        answers = ask(model, files, asked, show_progress=True, on_unreadable=report, **settings)
    except (OSError, ValueError) as error:
        msg.fail(str(error), exits=1)
    results: list[dict[str, Any]] = []
    number = 0
    with ExitStack() as stack:
        # Each line is written to disk at once, whatever happens to later files.
        lines = stack.enter_context(lines_path.open("w", encoding="utf8")) if lines_path else None
        try:
            for result in answers:
                number += 1
                if lines or to_terminal:
                    line = json.dumps(_without_text(result), ensure_ascii=False)
                    print(line, file=lines, flush=True)
                if html_path:
                    # Results, which include the texts, are kept only if the page needs them.
                    results.append(result)
                elif not jsonl:
                    print_answer(result, surroundings)
        except (OSError, ValueError) as error:
            report(str(error))
    if html_path:
        html_path.write_text(render_page(results, surroundings), encoding="utf8")
    for path in filter(None, (lines_path, html_path)):
        msg.good(f"Wrote {counted(number, 'answers')} to {path}")
    if problems:
        report_problems(problems)
        raise typer.Exit(1)


def report_problems(problems: Sequence[str]) -> None:
    """Repeat the problems after all answers, on standard error, if there are several files among which they got lost.

    problems (Sequence[str]): a message for each file that gave no answers.
    """
    typer.echo(f"{len(problems)} without answers:", err=True)
    for problem in problems:
        typer.echo(f"  {headline(problem)}", err=True)


def ask(
    model: "str | Path | Language",
    files: Iterable[Path],
    questions: Sequence[str],
    *,
    show_progress: bool = False,
    on_unreadable: Callable[[str], object] | None = None,
    **settings: Any,
) -> Iterator[dict[str, Any]]:
    """Ask every question about every file.

    model (str | Path | Language): a pipeline with a `bigbird_span_qa` component, or the location of one.
    files (Iterable[Path]): files that `spacy_bigbird.files` reads, or folders of them.
    questions (Sequence[str]): the questions.
    show_progress (bool): whether to count the files with a progress bar on standard error if there are several.
    on_unreadable (Callable[[str], object] | None): called with a message for each file that is missing, cannot be read
        or cannot be processed, which is then skipped. If None, such a file is an error.
    **settings (Any): settings of the component to change for these questions, such as `null_threshold`.
    RETURNS (Iterator[dict[str, Any]]): for each question about each file, its file, context (the whole text, without a
        byte order mark), page (None if there is no answer or the file has no pages) and the fields of the answer.
    RAISES ValueError: there is no file, a file cannot be read, the pipeline cannot answer questions, or a setting is
        invalid.
    """
    import spacy
    from spacy.language import Language

    from ..question_answering import find_span_qa

    paths: list[Path] = []
    for given in files:
        try:
            paths += find(given)
        except ValueError as error:
            if on_unreadable is None:
                raise
            on_unreadable(str(error))
    if not paths:
        return iter(())
    nlp = model if isinstance(model, Language) else spacy.load(model)
    # Fail early: the answers are generated lazily.
    component = find_span_qa(nlp)
    # Asking nothing raises an error for invalid settings before the first file is read.
    component.ask(nlp.make_doc(""), [], **settings)
    return _answers(nlp, component, paths, questions, show_progress, on_unreadable, settings)


def _answers(
    nlp: "Language",
    component: "SpanQA",
    paths: list[Path],
    questions: Sequence[str],
    show_progress: bool,
    on_unreadable: Callable[[str], object] | None,
    settings: dict[str, Any],
) -> Iterator[dict[str, Any]]:
    from tqdm import tqdm

    bar = tqdm(paths, unit="file", disable=not show_progress or len(paths) < 2, file=sys.stderr)
    for path in bar:
        try:
            document = read(path)
            # Unlike `make_doc`, this has no length limit, which only protects the memory of spaCy's parser and NER.
            answers = component.ask(nlp.tokenizer(document.text), questions, **settings)
        except (ImportError, OSError, ValueError) as error:
            if on_unreadable is None:
                raise
            on_unreadable(str(error) if str(path) in str(error) else f"{path}: {error}")
            continue
        for answer in answers:
            page = document.page_of(answer.start_char) if answer.text else None
            yield {"file": str(path), "page": page, "context": document.text, **answer}


def print_answer(result: dict[str, Any], surroundings: int) -> None:
    """Print a question and its answer with the surrounding text."""
    from wasabi import color

    print(f"{color(result['question'], bold=True)}  ({result['file']})")
    if not result["text"]:
        print(f"  no answer  {result['score']:.3f}\n")
        return
    before, after = _surroundings(result, surroundings)
    answer = color(" ".join(result["text"].split()), fg="green", bold=True)
    print(f"  {before}{answer}{after}")
    page = f"  page {result['page']}" if result["page"] else ""
    print(f"  {result['score']:.3f}{page}  characters {result['start_char']}-{result['end_char']}\n")


def render_page(results: Iterable[dict[str, Any]], surroundings: int) -> str:
    """Render all answers as one HTML page.

    results (Iterable[dict[str, Any]]): results of `ask`.
    surroundings (int): number of characters to show on each side of an answer.
    RETURNS (str): the page.
    """
    body, file = [], None
    for result in results:
        if result["file"] != file:
            file = result["file"]
            body.append(f"<h2>{html.escape(file)}</h2>")
        body.append(f"<p><b>{html.escape(result['question'])}</b></p>")
        shown = "<i>no answer</i>"
        if result["text"]:
            before, after = (html.escape(part) for part in _surroundings(result, surroundings))
            shown = f"{before}<mark>{html.escape(result['text'])}</mark>{after}"
        page = f" page {result['page']}" if result["page"] else ""
        body.append(f'<blockquote>{shown} <span class="score">{result["score"]:.3f}{page}</span></blockquote>')
    return PAGE.format(body="\n".join(body))


def _surroundings(result: dict[str, Any], size: int) -> tuple[str, str]:
    text, start, end = result["context"], result["start_char"], result["end_char"]
    before, after = text[max(0, start - size) : start], text[end : end + size]
    before = ("…" if start > size else "") + " ".join(f"|{before}|".split())[1:-1]
    return before, " ".join(f"|{after}|".split())[1:-1] + ("…" if end + size < len(text) else "")


def _without_text(result: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in result.items() if key != "context"}


def _lines(path: Path) -> list[str]:
    try:
        content = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ValueError(Errors.BB320.format(path=path, reason=error.strerror or error)) from error
    except UnicodeDecodeError as error:
        raise ValueError(Errors.BB320.format(path=path, reason=f"not UTF-8: {error}")) from error
    return [line.strip() for line in content.splitlines() if line.strip()]
