"""The architecture of `bigbird_ner`."""

from spacy.tokens import Doc
from thinc.api import Model
from thinc.types import Floats2d

from ..thinc_layers.token_classifier import token_classifier


def build_token_classifier(
    tok2vec: Model, pooling: str = "first", nO: int | None = None
) -> Model[list[Doc], list[Floats2d]]:
    """Build `spacy-bigbird.TokenClassifier.v1` for the block `[components.bigbird_ner.model]`.

    The head is that of Hugging Face's BigBirdForTokenClassification: dropout and one linear layer, applied to one
    vector per spaCy token. The dropout rate is the `drop` that `update` is called with.

    tok2vec (Model): `spacy-bigbird.PieceListener.v1`, or any layer that returns one vector per token.
    pooling (str): how the vectors of a token's pieces are combined: "first", "mean" or "max". Zeros without pieces.
    nO (int | None): number of tags (1 + 4 per label), set by the component.
    RETURNS (Model[list[Doc], list[Floats2d]]): a model from documents to scores of tags. Shape of each output:
        (tokens, 1 + 4 labels).
    RAISES ValueError: unknown pooling.
    """
    return token_classifier(tok2vec, pooling, nO)
