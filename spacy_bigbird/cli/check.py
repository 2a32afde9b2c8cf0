"""`python -m spacy bigbird check`: checks what a config would do to its corpora before training begins."""

import sys
import warnings
from configparser import Error as ConfigParserError
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import srsly
import typer
from spacy import util
from spacy.cli._util import Arg, Opt, import_code, parse_config_overrides, show_validation_error
from spacy.schemas import ConfigSchemaTraining
from spacy.util import registry, resolve_dot_names
from wasabi import Printer

from ..errors import Errors
from .app import app
from .options import CodePath, GpuId
from .preparation import check_place, set_up_gpu

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.training import Example

    from ..check.corpus import CorpusReport
    from ..check.encoders import PlannedEncoder
    from ..check.report import CheckReport

# Errors that a config, its corpora and what they refer to can cause; any other error is a bug.
FAILURES = (ValueError, OSError, ImportError, ConfigParserError)


@app.command("check", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def check_cli(
    ctx: typer.Context,
    config_path: Annotated[Path, Arg(help="Path to config file", exists=True, allow_dash=True)],
    code_path: CodePath = None,
    misaligned: Annotated[
        Path | None,
        Opt(
            "--misaligned",
            "-m",
            help="Write gold spans that would be lost, and records that cannot be used, to this file (JSONL)",
        ),
    ] = None,
    plot: Annotated[
        Path | None, Opt("--plot", "-p", help="Write a figure of the document lengths to this file (PNG)")
    ] = None,
    limit: Annotated[
        int, Opt("--limit", "-n", min=0, help="Check only this many documents of each corpus; 0 for all")
    ] = 0,
    measure: Annotated[bool, Opt(help="Run a short training step to estimate time and memory")] = True,
    use_gpu: GpuId = -1,
) -> None:
    """Check a config's corpora as its encoder and its batcher will see them.

    Prints document lengths in pieces, windows per document, unknown pieces, what the batcher and the corpus reader
    would leave out, gold spans that match no tokens, and what an epoch costs. Config settings can be overridden as in
    `spacy train`. The exit code is 1 if data would be lost or training would fail.
    """
    from ..check.plot import check_can_plot

    overrides = parse_config_overrides(ctx.args)
    import_code(code_path)
    try:
        if plot is not None:
            check_can_plot()
        set_up_gpu(use_gpu)
        for path in filter(None, (misaligned, plot)):
            check_place(path)
    except (ValueError, ModuleNotFoundError) as error:
        Printer().fail(str(error), exits=1)
    checked = check(config_path, overrides, limit=limit, measure=measure)
    if misaligned is not None:
        srsly.write_jsonl(misaligned, checked.lost_spans)
        Printer().info(f"Wrote {len(checked.lost_spans)} lost gold spans and records to {misaligned}")
    if plot is not None and checked.lengths:
        from ..check.plot import plot_lengths

        plot_lengths(plot, checked.lengths, checked.window)
        Printer().info(f"Wrote a figure of the document lengths to {plot}")
    if checked.losses:
        sys.exit(1)


class Checked(NamedTuple):
    """What `check` found.

    losses (list[str]): ways in which data would be lost or training would fail.
    lost_spans (list[dict]): gold spans that would be lost and records that cannot be used, with the name of their
        corpus.
    lengths (dict[str, list[int]]): number of pieces in each document, by corpus, for the first encoder.
    window (int): number of pieces of a document that fit into one window of that encoder.
    """

    losses: list[str]
    lost_spans: list[dict[str, Any]]
    lengths: dict[str, list[int]]
    window: int


def check(
    config_path: Path, overrides: dict[str, Any], *, limit: int = 0, measure: bool = True, silent: bool = False
) -> Checked:
    """Check a config and its corpora, and print the findings.

    config_path (Path): path of the config.
    overrides (dict[str, Any]): settings that override those of the config, by their full names.
    limit (int): maximum number of documents to check of each corpus; 0 for all.
    measure (bool): whether to run a short training step.
    silent (bool): whether to print nothing.
    RETURNS (Checked): the findings.
    """
    from ..check.corpus import check_corpus, make_batches
    from ..check.encoders import find_encoders
    from ..check.gold import find_gold_problems
    from ..check.labels import find_label_problems
    from ..check.listeners import find_frozen_problems, find_listener_problems, find_training_problems
    from ..check.readers import find_reader_loss
    from ..check.report import CheckReport
    from ..corpora.stretches import StretchBatcher
    from ..schedules import find_schedule_problems

    report = CheckReport(Printer(no_print=silent))
    lengths: dict[str, list[int]] = {}
    lost_spans: list[dict[str, Any]] = []
    encoders: list[PlannedEncoder] = []
    try:
        with show_validation_error(config_path, hint_fill=False):
            nlp, training = _load(config_path, overrides)
        frozen = set(training["frozen_components"])
        for problem in [
            *find_listener_problems(nlp),
            *find_frozen_problems(nlp, frozen),
            *find_training_problems(nlp, frozen, training["annotating_components"]),
        ]:
            report.loss(problem)
        encoders = find_encoders(nlp)
        report.encoders(encoders)
        readers: dict[str, Any] = {}
        corpora: dict[str, list[Example]] = {}
        if encoders:
            names = {"train": training["train_corpus"], "dev": training["dev_corpus"]}
            found_readers = resolve_dot_names(nlp.config.interpolate(), list(names.values()))
            readers = dict(zip(names, found_readers, strict=True))
            for name, reader in readers.items():
                examples, problems = _read(name, reader, nlp, limit, report)
                lost_spans += [{"corpus": name, **problem} for problem in problems]
                if examples is not None:
                    corpora[name] = examples
            report.problems(find_label_problems(nlp, corpora.get("train", [])))
            for name, examples in corpora.items():
                report.gold(name, *find_gold_problems(nlp, name, examples, frozen))
        for encoder in encoders:
            found: dict[str, CorpusReport] = {}
            for name, examples in corpora.items():
                found[name] = check_corpus(examples, encoder)
                report.corpus(name, found[name], encoder)
                if encoder is encoders[0]:
                    lengths[name] = found[name].lengths
                    lost_spans += [{"corpus": name, **asdict(span)} for span in found[name].lost_spans]
                    report.limits(name, find_reader_loss(readers[name], nlp, limit), examples, nlp)
            if "train" not in corpora:
                continue
            batcher = training["batcher"]
            phases = batcher.plan(corpora["train"]) if isinstance(batcher, StretchBatcher) else []
            whole = batcher.batcher if isinstance(batcher, StretchBatcher) else batcher
            batches, discarded = make_batches(corpora["train"], whole)
            if encoder is encoders[0]:
                report.batches(batches, discarded, found["train"])
                report.stretches(phases, len(batches), training["patience"])
                steps = _number_of_steps(training, None if limit else len(batches))
                report.problems(find_schedule_problems(training["optimizer"], steps))
            if measure and found["train"].sample:
                report.cost(encoder, found, batches, phases, is_frozen=encoder.component in frozen)
    except FAILURES as error:
        # The messages of this package and of spaCy say what to do, so the user does not need a traceback.
        report.loss(str(error))
    report.summary()
    return Checked(report.losses, lost_spans, lengths, encoders[0].capacity if encoders else 0)


def _load(config_path: Path, overrides: dict[str, Any]) -> "tuple[Language, dict[str, Any]]":
    """Load a config. RETURNS (tuple[Language, dict]): the pipeline without weights, and the resolved [training]."""
    from ..check.overrides import check_overrides

    try:
        written = util.load_config(config_path)
        check_overrides(written, overrides)
        config = util.load_config_from_str(written.to_str(interpolate=False), overrides=overrides)
    except UnicodeDecodeError as error:
        raise ValueError(Errors.BB384.format(path=config_path, reason="it is not UTF-8 text")) from error
    if "nlp" not in config:
        raise ValueError(Errors.BB384.format(path=config_path, reason="it has no [nlp] section"))
    nlp = util.load_model_from_config(config, auto_fill=True)
    filled = nlp.config.interpolate()
    before_init = filled["initialize"].get("before_init")
    if before_init:
        # This callback is where nlp.max_length is usually set.
        registry.resolve({"callback": before_init})["callback"](nlp)
    return nlp, registry.resolve(filled["training"], schema=ConfigSchemaTraining)


def _number_of_steps(training: dict[str, Any], batches: int | None) -> int | None:
    """Determine when training ends at the latest. RETURNS (int | None): None if its steps are not limited."""
    epochs = training["max_epochs"]
    limits = [training["max_steps"], epochs * batches if batches and epochs >= 1 else 0]
    return min(filter(None, limits), default=None)


def _read(
    name: str, reader: Any, nlp: "Language", limit: int, report: "CheckReport"
) -> "tuple[list[Example] | None, list[dict[str, str]]]":
    """Read a corpus, including documents that are too long for training, which are reported rather than an error.

    RETURNS (tuple): the examples (None if the corpus cannot be read), and every record that cannot be used.
    """
    from ..check.files import check_kind_of_files
    from ..check.readers import long_texts_allowed
    from ..corpora.broken_records import collected

    examples = None
    with warnings.catch_warnings(record=True) as caught, collected() as problems:
        warnings.simplefilter("always")
        try:
            check_kind_of_files(reader)
            with long_texts_allowed(reader, nlp):
                examples = list(islice(reader(nlp), limit or None))
        except OSError as error:
            reason = error.strerror or error
            report.loss(Errors.BB387.format(name=name, path=error.filename, reason=reason))
        except ValueError as error:
            report.loss(f"{name}: {error}")
    # Warnings of our readers are about records that are left out. What spaCy warns about is reported below.
    messages = dict.fromkeys(str(warning.message) for warning in caught)
    found = [message for message in messages if message.startswith("[BW310]")]
    for message in found:
        report.loss(message)
    if problems and not found and examples is not None:
        # A reader that is stopped by the limit does not get to report its problems.
        report.loss(f"{name}: {len(problems):,} annotations or records cannot be used; --misaligned lists them.")
    return examples, problems
