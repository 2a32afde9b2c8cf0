"""The architectures of `bigbird_textcat` and `bigbird_textcat_multilabel`."""

from spacy.tokens import Doc
from thinc.api import Model

from ..thinc_layers.pooled_classifier import pooled_classifier
from ..thinc_layers.text_classifier import TextScores, text_classifier


def build_text_classifier(
    tok2vec: Model, pooling: str = "cls", activation: str = "gelu_new", nO: int | None = None
) -> Model[list[Doc], TextScores]:
    """Build `spacy-bigbird.TextClassifier.v1` for the block `[components.bigbird_textcat.model]`.

    The head is that of Hugging Face's BigBirdForSequenceClassification: dropout, a dense layer, its activation, dropout
    and a linear layer. The dropout rate is the `drop` that `update` is called with.

    tok2vec (Model): `spacy-bigbird.PieceListener.v1`, or any layer that returns one vector per token (not for "cls").
    pooling (str): what the head is applied to: "cls", the [CLS] of every window, with logits averaged by the windows'
        lengths; "mean" or "max" of the document's pieces; or "attention", every piece, with logits averaged by weights
        that are learned for each label.
    activation (str): "gelu_new", "gelu", "relu" or "selu".
    nO (int | None): number of labels, set by the component.
    RETURNS (Model[list[Doc], TextScores]): a model from documents to logits and, with "attention", their parts.
    RAISES ValueError: unknown pooling or activation.
    """
    return text_classifier(tok2vec, pooling, activation, nO)


def build_pooled_text_classifier(
    tok2vec: Model,
    pooling: list[str] = ["mean", "std"],  # noqa: B006 (a default in a config)
    standardize: bool = True,
    hidden_width: int = 0,
    activation: str = "gelu_new",
    nO: int | None = None,
) -> Model[list[Doc], TextScores]:
    """Build `spacy-bigbird.TextClassifier.v2` for the block `[components.bigbird_textcat.model]`.

    A document is described by statistics over all of its pieces, however many windows they fill, and classified by a
    linear layer, or one hidden layer. Without a hidden layer, this is a logistic regression: the head for a frozen
    encoder.

    tok2vec (Model): `spacy-bigbird.PieceListener.v1` or v2, or any layer that returns one vector per token (not for
        "cls").
    pooling (list[str]): the statistics, side by side: "mean", "std" (standard deviation), "max", "attention" (a mean
        with learned weights) and "cls" (mean over windows).
    standardize (bool): whether each number is brought to mean 0 and standard deviation 1 over the training documents.
    hidden_width (int): width of the hidden layer; 0 for none.
    activation (str): its activation: "gelu_new", "gelu", "relu" or "selu".
    nO (int | None): number of labels, set by the component.
    RETURNS (Model[list[Doc], TextScores]): a model from documents to logits.
    RAISES ValueError: a setting is not allowed.
    """
    return pooled_classifier(tok2vec, pooling, standardize, hidden_width, activation, nO)
