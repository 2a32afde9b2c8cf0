"""Scores of entities: spaCy's precision and recall, and the calibration of the probabilities."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from spacy.scorer import Scorer, get_ner_prf
from spacy.training import Example

from ..annotations.extensions import score_attribute
from .calibration import expected_calibration_error, reliability_table
from .stored_examples import several_passes


def ner_score(examples: Iterable[Example], **kwargs: Any) -> dict[str, Any]:
    """Score entities as spaCy does, along with the calibration of their probabilities.

    examples (Iterable[Example]): examples that the component has processed.
    **kwargs: the component's settings, of which `spans_key` is used.
    RETURNS (dict[str, Any]): `ents_p`, `ents_r`, `ents_f`, `ents_per_type`; the expected calibration error `ents_ece`,
        and the table `ents_reliability`; with `spans_key`, `spans_{key}_p` and so on for the span group.
    """
    examples = several_passes(examples)
    scores = get_ner_prf(examples)
    probabilities: list[float] = []
    is_right: list[bool] = []
    score = score_attribute()
    for example in examples:
        scored = [ent for ent in example.predicted.ents if ent._.get(score) is not None]
        for ent, right in zip(scored, judge(example, [(e.start, e.end, e.label_) for e in scored]), strict=True):
            if right is not None:
                probabilities.append(ent._.get(score))
                is_right.append(right)
    scores["ents_ece"] = expected_calibration_error(probabilities, is_right)
    scores["ents_reliability"] = reliability_table(probabilities, is_right)
    if key := kwargs.get("spans_key"):
        scores.update(
            Scorer.score_spans(
                examples,
                attr=f"spans_{key}",
                getter=lambda doc, _: doc.spans.get(key, doc.ents),
                has_annotation=lambda doc: key in doc.spans or doc.has_annotation("ENT_IOB"),
                allow_overlap=True,
            )
        )
    return scores


def make_ner_scorer() -> Callable:
    """Make the scorer for `[components.bigbird_ner.scorer]`.

    RETURNS (Callable): `ner_score`.
    """
    return ner_score


def judge(example: Example, entities: Sequence[tuple[int, int, str]]) -> list[bool | None]:
    """Check which predicted entities are in the annotation.

    example (Example): the example.
    entities (Sequence[tuple[int, int, str]]): start, end and label of each entity of the predicted document.
    RETURNS (list[bool | None]): whether each entity is correct; None if any of its tokens has no annotation.
    """
    gold, tags = example.get_aligned_ents_and_ner()
    right = {(ent.start, ent.end, ent.label_) for ent in gold}
    return [None if None in tags[ent[0] : ent[1]] else ent in right for ent in entities]
