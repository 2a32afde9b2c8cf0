"""`python -m spacy bigbird init-config`: writes a complete config for training."""

import sys
from pathlib import Path
from typing import Annotated

from spacy.cli._util import Arg, Opt
from wasabi import Printer

from ..errors import Errors
from .app import app
from .new_config import Optimize, Reader, Size, make_config


# Heads of this package by their short names. The last three have their own encoder.
@app.command("init-config")
def init_config_cli(
    output_file: Annotated[Path, Arg(help="File to write, or - for the terminal", allow_dash=True)] = Path("-"),
    lang: Annotated[str, Opt("--lang", "-l", help="Two-letter language code")] = "en",
    pipeline: Annotated[
        str, Opt("--pipeline", "-p", help="Comma-separated components, such as ner,textcat,span_qa,tagger")
    ] = "ner",
    size: Annotated[
        Size,
        Opt(
            "--size",
            "-s",
            help="small: random weights in a small shape, not a trained model; base, large: Google's checkpoints",
        ),
    ] = Size.base,
    optimize: Annotated[
        Optimize, Opt("--optimize", "-o", help="efficiency: bf16, half the time; accuracy: fp32 throughout")
    ] = Optimize.accuracy,
    name: Annotated[
        str | None, Opt("--name", "-n", help="Directory or hub name of another checkpoint to start from")
    ] = None,
    revision: Annotated[str | None, Opt("--revision", help="Branch, tag or commit on the hub")] = None,
    vocab_file: Annotated[
        Path | None, Opt("--vocab-file", "-v", help="SentencePiece model for training from scratch")
    ] = None,
    reader: Annotated[
        Reader, Opt("--reader", "-r", help="spacy: .spacy files (SQuAD's .json for span_qa alone); jsonl: JSON lines")
    ] = Reader.spacy,
    train: Annotated[
        Path | None, Opt("--train", "-t", help="Training corpus: steps, evaluations and warm-up follow its size")
    ] = None,
    force: Annotated[bool, Opt("--force", "-F", help="Overwrite an existing file")] = False,
) -> None:
    """Write a complete config for `spacy train`, with one encoder that all components share.

    ner, spancat, textcat and textcat_multilabel are the heads of this package; span_qa, multiple_choice and fill_mask
    each bring their own encoder; every other name stands for spaCy's component, which listens to the encoder if it can.
    """
    msg = Printer(no_print=str(output_file) == "-")
    if str(output_file) != "-" and output_file.is_dir():
        msg.fail(Errors.BB319.format(path=output_file, reason="it is a folder"), exits=1)
    if str(output_file) != "-" and output_file.exists() and not force:
        msg.fail(f"{output_file} already exists. Use --force to overwrite it.", exits=1)
    names = [part.strip() for part in pipeline.split(",") if part.strip()]
    try:
        config = make_config(
            names,
            lang=lang,
            size=size,
            optimize=optimize,
            name=name,
            revision=revision,
            vocab_file=None if vocab_file is None else str(vocab_file),
            reader=reader,
            train=train,
        )
    except ValueError as error:
        Printer().fail(str(error))
        sys.exit(1)
    if str(output_file) == "-":
        print(config.to_str())
        return
    try:
        output_file.parent.mkdir(parents=True, exist_ok=True)
        config.to_disk(output_file, interpolate=False)
    except OSError as error:
        msg.fail(Errors.BB319.format(path=output_file, reason=error), exits=1)
    msg.good(f"Wrote {output_file}")
    # Printed directly, because a printer would wrap the lines.
    paths = f"--paths.train train.{reader.value} --paths.dev dev.{reader.value}"
    print(f"python -m spacy bigbird check {output_file} {paths}")
    print(f"python -m spacy train {output_file} {paths} --output output")
