"""Scores of entities: precision and recall as spaCy counts them, and how far the probabilities can be trusted."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from spacy.scorer import Scorer, get_ner_prf
from spacy.training import Example

from .calibration import expected_calibration_error, reliability_table


def ner_score(examples: Iterable[Example], **kwargs: Any) -> dict[str, Any]:
    """Score entities as spaCy does, and how far their probabilities can be trusted.

    RETURNS (dict[str, Any]): `ents_p`, `ents_r`, `ents_f`, `ents_per_type`; `ents_ece`, the expected calibration error,
        and `ents_reliability`, its table; with `spans_key`, `spans_{key}_p` and so on for the span group.
    """
    examples = list(examples)
    scores = get_ner_prf(examples)
    probabilities: list[float] = []
    is_right: list[bool] = []
    for example in examples:
        scored = [ent for ent in example.predicted.ents if ent._.score is not None]
        for ent, right in zip(scored, judge(example, [(e.start, e.end, e.label_) for e in scored]), strict=True):
            if right is not None:
                probabilities.append(ent._.score)
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
    """RETURNS (Callable): `ner_score`, for `[components.bigbird_ner.scorer]`."""
    return ner_score


def judge(example: Example, entities: Sequence[tuple[int, int, str]]) -> list[bool | None]:
    """Tell which entities of the predicted document are in the annotation; None where tokens have no annotation."""
    gold, tags = example.get_aligned_ents_and_ner()
    right = {(ent.start, ent.end, ent.label_) for ent in gold}
    return [None if None in tags[ent[0] : ent[1]] else ent in right for ent in entities]
