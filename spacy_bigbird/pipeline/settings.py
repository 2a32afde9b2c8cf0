"""The settings of the components, as in the blocks of a config. Their factories say what they mean."""

import math
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from ..rules import Arguments, Count, NotNegative, Positive, Share, Text, TextOrNone, YesOrNo


class EntitySettings(Arguments):
    """The settings of `make_ner`."""

    decoder: Literal["crf", "constrained"]
    threshold: Share
    spans_key: str | None
    # Without a lower bound, every stretch of every document would become a span.
    spans_threshold: Annotated[float | None, Field(ge=0.01, le=1, description="0.01 to 1.0, or null")]
    overwrite_ents: YesOrNo


class TextSettings(Arguments):
    """The settings of `make_textcat` and `make_textcat_multilabel`, without their objectives."""

    objective: str
    threshold: Share
    class_weights: Annotated[
        Literal["balanced"] | dict[str, NotNegative] | None,
        Field(description='"balanced", weights of at least 0 by label, or null'),
    ]
    evidence_share: Share


class ExclusiveSettings(TextSettings):
    """The settings of `make_textcat`."""

    objective: Literal["exclusive", "regression"]


class MultilabelSettings(TextSettings):
    """The settings of `make_textcat_multilabel`."""

    objective: Literal["multilabel", "regression"]
    # None where every label has a tuned one.
    threshold: Share | None  # type: ignore[assignment]


class SpanSettings(Arguments):
    """The settings of `make_spancat`."""

    spans_key: Text
    # None where every label has a tuned one.
    threshold: Share | None
    candidates_key: TextOrNone
    candidates_threshold: Annotated[float, Field(ge=0.001, le=1, description="0.001 to 1.0")]
    longest: Count
    max_overlap: Annotated[float, Field(ge=0, lt=1, description="0.0 to below 1.0")]
    min_overlap: Annotated[float, Field(gt=0, le=1, description="above 0.0, to 1.0")]
    positive_weight: Positive

    @field_validator("candidates_key")
    @classmethod
    def is_another(cls, key: str | None, others: ValidationInfo) -> str | None:
        """RAISES ValueError: candidates would replace the predictions."""
        if key == others.data.get("spans_key"):
            raise ValueError("null, or a key other than spans_key")
        return key


class AnswerSettings(Arguments):
    """The settings of `make_span_qa`."""

    n_best: Count
    max_answer_length: Count
    null_threshold: Annotated[float, Field(ge=-math.inf, allow_inf_nan=True, description="a number")]
    align_to_tokens: YesOrNo
    group_by_text: YesOrNo
    spans_key: str | None


class ChoiceSettings(Arguments):
    """The settings of `make_multiple_choice`."""

    combine: Literal["max", "mean"]


class MaskSettings(Arguments):
    """The settings of `make_fill_mask`."""

    top_k: Count
