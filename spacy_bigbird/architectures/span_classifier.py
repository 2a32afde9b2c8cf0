"""The architecture of `bigbird_spancat`."""

from spacy.tokens import Doc
from thinc.api import Model
from thinc.types import Floats2d

from ..thinc_layers.span_classifier import span_classifier


def build_span_classifier(
    tok2vec: Model, pooling: str = "mean", width: int = 128, depth: int = 2, nO: int | None = None
) -> Model[list[Doc], list[Floats2d]]:
    """Build `spacy-bigbird.SpanClassifier.v1` for the block `[components.bigbird_spancat.model]`.

    One vector per spaCy token is reduced to `width` features, which convolutions over three tokens refine. Each token
    also gets the maxima of these features over its sentence and over the sentence before: those that another component
    has set, or else stretches up to a full stop or a line break. One hidden layer combines them into scores for each
    label. The dropout rate is the `drop` that `update` is called with.

    tok2vec (Model): `spacy-bigbird.PieceListener.v2`, or any layer that returns one vector per token.
    pooling (str): how the vectors of a token's pieces are combined: "first", "mean" or "max". Zeros without pieces.
    width (int): number of features.
    depth (int): number of convolutions, each of which adds one token of context on either side.
    nO (int | None): number of outputs (3 per label), set by the component.
    RETURNS (Model[list[Doc], list[Floats2d]]): a model from documents to logits per token and label: a span starts
        here, ends here, contains this token. Shape of each output: (tokens, 3 labels).
    RAISES ValueError: unknown pooling, or a size that is not allowed.
    """
    return span_classifier(tok2vec, pooling, width, depth, nO)
