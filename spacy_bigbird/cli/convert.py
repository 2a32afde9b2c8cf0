"""`python -m spacy bigbird convert`: makes corpora of what annotation tools export."""

from pathlib import Path
from typing import Annotated

import srsly
import typer
from wasabi import msg

from ..check.terminal import counted
from ..errors import Errors
from .app import app
from .preparation import check_place


@app.command("convert")
def convert_cli(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="File or folder with annotations")],
    output: Annotated[Path, typer.Argument(help="File to write (.spacy, .jsonl, .conll); with --split, a folder")],
    from_format: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="prodigy, label-studio, doccano, conll, brat, squad, hf, jsonl or spacy; recognised if not given",
        ),
    ] = None,
    to_format: Annotated[
        str | None, typer.Option("--to", help="spacy, jsonl or conll; by default as OUTPUT ends, or spacy")
    ] = None,
    shares: Annotated[
        str | None, typer.Option("--split", help="Shares of train, dev and test in percent, such as 80,10,10")
    ] = None,
    seed: Annotated[int, typer.Option(help="Decides which documents come into which part")] = 0,
    spans_key: Annotated[
        str | None, typer.Option(help="Write spans, overlapping ones too, to doc.spans under this key, not to doc.ents")
    ] = None,
    misaligned: Annotated[
        Path | None, typer.Option("-m", "--misaligned", help="Write everything that was left out to this file (JSONL)")
    ] = None,
    lang: Annotated[str, typer.Option("-l", "--lang", help="Language code, for the tokenizer")] = "en",
    force: Annotated[bool, typer.Option("-F", "--force", help="Overwrite existing files")] = False,
) -> None:
    """Convert annotations of Prodigy, Label Studio, doccano, brat and others to corpora for training.

    Records of the same text are merged. Everything that is merged, does not match tokens or cannot be said in spaCy's
    annotation is counted.
    """
    from ..corpora.broken_records import collected
    from ..corpora.convert import convert

    try:
        for path in filter(None, (misaligned, None if shares else output)):
            check_place(path)
        if not force and output.exists() and (not shares or any(output.iterdir())):
            raise ValueError(Errors.BB342.format(path=output) if output.is_dir() else Errors.BB514.format(path=output))
        with collected() as left_out:
            report = convert(
                source,
                output,
                from_format=from_format,
                to_format=to_format,
                lang=lang,
                spans_key=spans_key,
                shares=_percentages(shares),
                seed=seed,
            )
    except (ImportError, OSError, ValueError) as error:
        msg.fail(str(error), exits=1)
    msg.info(f"{source} is in the format {report.format!r}: {counted(report.records, 'records')}")
    if report.merged:
        msg.info(f"Merged into others of the same text: {counted(report.merged, 'records')}")
    msg.info("Taken: " + ", ".join(counted(number, kind) for kind, number in report.taken.items()))
    if report.labels:
        msg.info("Labels: " + ", ".join(f"{label} ({number:,})" for label, number in report.labels.items()))
    if report.problems.counts:
        msg.warn("Left out, or not as in the input:")
        print(report.problems)
    if misaligned is not None:
        srsly.write_jsonl(misaligned, left_out)
        msg.info(f"Wrote {counted(len(left_out), 'cases')} to {misaligned}")
    for file, number in report.files.items():
        msg.good(f"Wrote {counted(number, 'documents')} to {file}")


def _percentages(shares: str | None) -> tuple[int, ...]:
    try:
        return tuple(int(share) for share in shares.split(",")) if shares else ()
    except ValueError as error:
        raise ValueError(Errors.BB510.format(shares=shares)) from error
