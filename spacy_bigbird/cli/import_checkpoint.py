"""`python -m spacy bigbird import`: a Hugging Face checkpoint as a ready pipeline."""

import re
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from spacy.cli._util import Arg, Opt
from wasabi import Printer

from ..errors import Errors
from .app import app
from .preparation import check_folder

if TYPE_CHECKING:
    from spacy.language import Language

    from ..plan.config import BigBirdConfig


class Task(str, Enum):
    encoder = "encoder"
    ner = "ner"
    textcat = "textcat"
    qa = "qa"
    multiple_choice = "multiple-choice"
    fill_mask = "fill-mask"


class RandomPattern(str, Enum):
    paper = "paper"
    huggingface = "huggingface"
    none = "none"


# The component for each task, if there is only one, and a weight that every checkpoint with a head for the task has.
COMPONENTS = {"qa": "bigbird_span_qa", "multiple-choice": "bigbird_multiple_choice", "fill-mask": "bigbird_fill_mask"}
HEAD_WEIGHTS = {
    "ner": "classifier.weight",
    "textcat": "classifier.out_proj.weight",
    "qa": "qa_head.qa_outputs.weight",
    "multiple-choice": "classifier.weight",
    "fill-mask": "lm_head.dense.weight",
}
# For each BILUO action, the actions of other schemes (IOB2, BIOES, BMEWO, IO) that may replace it, best first.
ACTIONS = {"B": "BISUW", "I": "IMB", "L": "LEIMB", "U": "USWBI"}
PREFIXED = re.compile(r"^([BILUESMW])[-_](.+)$")


@app.command("import", no_args_is_help=True)
def import_cli(
    checkpoint: Annotated[str, Arg(help="Directory written by transformers or this package, or a name on the hub")],
    output: Annotated[Path, Arg(help="Folder to save the pipeline to")],
    task: Annotated[Task, Opt("--task", "-t", help="What the checkpoint was trained for")],
    revision: Annotated[str | None, Opt("--revision", help="Branch, tag or commit of a checkpoint on the hub")] = None,
    lang: Annotated[str, Opt("--lang", "-l", help="Language code for spaCy's tokenizer")] = "en",
    random_pattern: Annotated[
        RandomPattern | None,
        Opt("--random-pattern", "-r", help="Random blocks of the attention; default: as in config.json, else paper"),
    ] = None,
    force: Annotated[bool, Opt("--force", "-F", help="Write into a folder that is not empty")] = False,
) -> None:
    """Turn a BigBird checkpoint into a pipeline that loads offline.

    The head is imported too: for entities (BigBirdForTokenClassification), texts (BigBirdForSequenceClassification),
    answers (BigBirdForQuestionAnswering), choices (BigBirdForMultipleChoice) or masked words (BigBirdForMaskedLM).
    """
    msg = Printer()
    try:
        check_folder(output)
    except ValueError as error:
        msg.fail(str(error), exits=1)
    if output.exists() and any(output.iterdir()) and not force:
        msg.fail(Errors.BB342.format(path=output), exits=1)
    try:
        nlp = import_checkpoint(
            checkpoint,
            task.value,
            revision=revision,
            lang=lang,
            random_pattern=random_pattern and random_pattern.value,
        )
    except (OSError, ValueError) as error:
        msg.fail(f"Cannot import {checkpoint}", str(error), exits=1)
    try:
        nlp.to_disk(output)
    except OSError as error:
        msg.fail(Errors.BB319.format(path=output, reason=error), exits=1)
    msg.good(f"Saved {', '.join(nlp.pipe_names)} to {output}")
    for name, labels in nlp.pipe_labels.items():
        if labels:
            msg.text(f"Labels of {name}: {', '.join(labels)}")
    msg.text(describe_attention(encoder_config(nlp)))


def import_checkpoint(
    checkpoint: str | Path,
    task: str,
    *,
    revision: str | None = None,
    lang: str = "en",
    random_pattern: str | None = None,
) -> "Language":
    """Create a pipeline from a checkpoint.

    checkpoint (str | Path): directory or name on the Hugging Face Hub.
    task (str): "encoder", "ner", "textcat", "qa", "multiple-choice" or "fill-mask".
    revision (str | None): branch, tag or commit of a checkpoint on the hub; None for the newest of the main branch.
    lang (str): language of spaCy's tokenizer.
    random_pattern (str | None): "paper", "huggingface" or "none". If None, the pattern in config.json is used, or else
        "paper".
    RETURNS (Language): the pipeline, ready to predict.
    RAISES ValueError: the checkpoint has no head for the task, its labels cannot be read, or there is no such language.
    RAISES FileNotFoundError: there is no such checkpoint.
    """
    import spacy

    from ..checkpoint.config_json import read_config
    from ..checkpoint.files import find_weights, read_weights
    from ..checkpoint.hub import resolve_directory
    from ..checkpoint.key_map import from_huggingface
    from ..plan.config import BigBirdConfig

    try:
        nlp = spacy.blank(lang, config={"nlp": {"batch_size": 16}})
    except ImportError as error:
        raise ValueError(Errors.BB322.format(lang=lang, reason=str(error).rstrip("."))) from error
    directory = resolve_directory(checkpoint, revision=revision)
    config = BigBirdConfig.from_dict(read_config(directory))
    needed = HEAD_WEIGHTS.get(task)
    weights = from_huggingface(read_weights(find_weights(directory))).tensors if needed else {}
    if needed and needed not in weights:
        raise ValueError(Errors.BB340.format(checkpoint=checkpoint, task=task, weight=needed))
    changes = {} if random_pattern is None else {"random_pattern": random_pattern}
    model = {"name": str(checkpoint), "revision": revision, "transformer_config": changes}
    if task in COMPONENTS:
        nlp.add_pipe(COMPONENTS[task], config={"model": model})
        nlp.initialize()
        return nlp
    nlp.add_pipe("bigbird", config={"model": model})
    if task == "ner":
        _add_ner(nlp, config, weights)
    elif task == "textcat":
        _add_textcat(nlp, config, weights)
    else:
        nlp.initialize()
    return nlp


def _add_ner(nlp: "Language", config: "BigBirdConfig", weights: Mapping[str, Any]) -> None:
    labels, rows = tag_rows(config.id2label)
    pipe: Any = nlp.add_pipe("bigbird_ner", config={"decoder": "constrained"})
    for label in labels:
        pipe.add_label(label)
    nlp.initialize()
    _set_linear(pipe.model.get_ref("output_layer"), weights, "classifier", rows)


def _add_textcat(nlp: "Language", config: "BigBirdConfig", weights: Mapping[str, Any]) -> None:
    is_number = config.problem_type == "regression" or (config.problem_type is None and config.num_labels == 1)
    factory = "bigbird_textcat"
    if config.problem_type == "multi_label_classification":
        factory = "bigbird_textcat_multilabel"
    settings: dict[str, Any] = {"model": {"pooling": "cls", "activation": config.hidden_act}}
    if is_number:
        settings["objective"] = "regression"
    pipe: Any = nlp.add_pipe(factory, config=settings)
    for number in range(config.num_labels):
        pipe.add_label(config.id2label[number])
    nlp.initialize()
    _set_linear(pipe.model.get_ref("dense"), weights, "classifier.dense")
    _set_linear(pipe.model.get_ref("output_layer"), weights, "classifier.out_proj")


def _set_linear(node: Any, weights: Mapping[str, Any], name: str, rows: list[int] | None = None) -> None:
    """Copy a linear layer to a Thinc layer. rows: the checkpoint's row for each output; None for all rows in order."""
    for parameter, suffix in (("W", "weight"), ("b", "bias")):
        value = weights[f"{name}.{suffix}"].float().numpy()
        node.set_param(parameter, node.ops.asarray(value if rows is None else value[rows]))


def tag_rows(id2label: Mapping[int, str]) -> tuple[list[str], list[int]]:
    """Map token labels in IOB2, BILUO, BIOES or IO, or without prefixes, to BILUO tags.

    Sequences in the other schemes and BILUO sequences correspond one to one, with the same sum of logits: for example,
    B and U of a label share the row of its B.

    id2label (Mapping[int, str]): the labels of the checkpoint.
    RETURNS (tuple[list[str], list[int]]): the labels without prefixes, and for each column of
        `spacy_bigbird.pipeline.ner.biluo.tag_names` the index of the checkpoint's label that supplies its score.
    RAISES ValueError: there is no label O.
    """
    outside = [number for number, name in id2label.items() if name == "O"]
    if not outside or len(id2label) < 2:
        raise ValueError(Errors.BB341.format(labels=", ".join(id2label.values())))
    names = {number: id2label[number] for number in sorted(id2label) if number not in outside}
    has_prefixes = any(re.match("[BI][-_]", name) for name in names.values())
    by_label: dict[str, dict[str, int]] = {}
    for number, name in names.items():
        match = PREFIXED.match(name) if has_prefixes else None
        action, label = match.groups() if match else ("I", name)
        by_label.setdefault(label, {})[action] = number
    rows = [outside[0]]
    for actions in by_label.values():
        for choices in ACTIONS.values():
            rows.append(next((actions[a] for a in choices if a in actions), next(iter(actions.values()))))
    return list(by_label), rows


def encoder_config(nlp: "Language") -> "BigBirdConfig":
    """Get the configuration of the first encoder in a pipeline."""
    from ..thinc_layers.encoder_wrapper import get_config

    component: Any = nlp.get_pipe(nlp.pipe_names[0])
    return get_config(component.model)


def describe_attention(config: "BigBirdConfig") -> str:
    """Describe in a sentence or two which keys the attention of an encoder reads."""
    if config.attention_type == "original_full":
        return "Attention: full (original_full) at every length."
    blocks = f"{config.num_random_blocks} random blocks of {config.block_size} pieces per head"
    if config.random_pattern == "huggingface":
        dense = (5 + 2 * config.num_random_blocks) * config.block_size
        chosen = "what transformers computes: every random block is the first block of the text"
    else:
        dense = config.full_attention_up_to
        chosen = "those that Google's checkpoints were trained with; checkpoints that were fine-tuned with transformers"
        chosen += " may do better with --random-pattern huggingface"
        if config.random_pattern == "none" or not config.num_random_blocks:
            blocks, chosen = "no random blocks", "only the window and the first and last blocks"
    return (
        f'Attention: block_sparse with {blocks}, random_pattern = "{config.random_pattern}" ({chosen}); '
        f"full up to {dense} pieces."
    )
