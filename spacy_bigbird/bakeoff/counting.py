"""What is counted in each document, so that scores of any set of documents can be computed from sums."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc
from thinc.api import Config

from ..errors import Errors
from .statistics import Counts, Score, f_score, mean

Keys = set[tuple[Any, ...]]


class Task(NamedTuple):
    """What a component is scored by.

    component (str): its name.
    metric (str): name of the score, as spaCy calls it.
    score (Score): the score, from sums of counts.
    labels_documents (bool): whether it labels whole documents.
    is_exclusive (bool): whether a document has exactly one label.
    """

    component: str
    metric: str
    score: Score
    labels_documents: bool = False
    is_exclusive: bool = False


TASKS: dict[str, dict[str, Any]] = {
    "textcat": {"metric": "cats_micro_f", "score": mean, "labels_documents": True, "is_exclusive": True},
    "textcat_multilabel": {"metric": "cats_micro_f", "score": f_score, "labels_documents": True},
    "ner": {"metric": "ents_f", "score": f_score},
    "spancat": {"metric": "spans_f", "score": f_score},
}
METRIC_NAMES = {"cats_micro_f": "micro-averaged F1", "ents_f": "F1 of entities", "spans_f": "F1 of spans"}


def find_task(config: Config, component: str | None = None) -> Task:
    """Find the component that is compared.

    config (Config): the training config.
    component (str | None): its name; None for the first that can be compared.
    RETURNS (Task): what it is scored by.
    RAISES ValueError: there is no such component.
    """
    found = {name: str(block.get("factory")) for name, block in config["components"].items()}
    for name in config["nlp"]["pipeline"] if component is None else [component]:
        kind = found.get(name, "").removeprefix("bigbird_")
        if kind in TASKS:
            return Task(name, **TASKS[kind])
    shown = ", ".join(f"{name} ({factory})" for name, factory in found.items())
    raise ValueError(Errors.BB752.format(known=", ".join(TASKS), found=shown))


def count(task: Task, gold: Sequence[Doc], found: Sequence[Doc], thresholds: Callable[[str], float]) -> Counts:
    """Count what was right and wrong in each document.

    task (Task): what is scored.
    gold (Sequence[Doc]): the documents with gold annotation.
    found (Sequence[Doc]): the same documents with predictions.
    thresholds (Callable[[str], float]): lowest score of a label that counts as predicted, where there may be several.
    RETURNS (Counts): for exclusive labels, 1 if the label is correct, and 1; otherwise the numbers of correct, wrong
        and missed predictions. Shape: (documents, 2 or 3).
    """
    if task.is_exclusive:
        return np.array([[float(_best(one) == _best(other)), 1.0] for one, other in zip(gold, found, strict=True)])
    rows = []
    for one, other in zip(gold, found, strict=True):
        right, said = _annotated(task, one, lambda label: 0.5), _annotated(task, other, thresholds)
        if task.labels_documents:
            # What is not annotated is neither right nor wrong.
            said &= {(label,) for label in one.cats}
        rows.append([len(right & said), len(said - right), len(right - said)])
    return np.array(rows, dtype=np.float64)


def _best(doc: Doc) -> str:
    return max(doc.cats, key=lambda label: doc.cats[label], default="")


def _annotated(task: Task, doc: Doc, thresholds: Callable[[str], float]) -> Keys:
    if task.labels_documents:
        return {(label,) for label, score in doc.cats.items() if score >= thresholds(label)}
    spans: Iterator[Any] = iter(doc.ents) if task.metric == "ents_f" else (s for g in doc.spans.values() for s in g)
    return {(span.start_char, span.end_char, span.label_) for span in spans}


def thresholds_of(nlp: Language, task: Task) -> Callable[[str], float]:
    """Get the thresholds of a trained component. RETURNS (Callable[[str], float]): the threshold of a label."""
    pipe: Any = nlp.get_pipe(task.component)
    own, default = getattr(pipe, "thresholds", None) or {}, getattr(pipe, "cfg", {}).get("threshold", 0.5)
    return lambda label: own.get(label, default)
