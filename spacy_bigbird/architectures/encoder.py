"""Architectures around the encoder. They load nothing: weights are read by `initialize` or from disk."""

from typing import Any

from spacy.tokens import Doc
from spacy.util import SimpleFrozenDict
from spacy_transformers.layers import split_trf_batch, trfs2arrays
from thinc.api import Model, chain
from thinc.layers.chain import init as init_chain
from thinc.types import Floats2d, Ragged

from ..thinc_layers.document_encoder import document_encoder
from ..thinc_layers.encoder_wrapper import build_encoder, get_shim, set_width
from ..thinc_layers.layer_choice import checked_choice
from ..thinc_layers.layer_mix import choice_of, tell_layers
from ..thinc_layers.listener import listening_node, mixing, piece_listener, piece_rows, set_mixed_width
from ..thinc_layers.pooling import allow_empty_tokens
from ..thinc_layers.private import replace_init
from ..thinc_layers.settings import EncoderSettings
from ..thinc_layers.token_vectors import pool_in_stretches
from ..thinc_layers.types import BigBirdBatch, PieceRows
from ..thinc_layers.windows import with_windows

NO_OVERRIDES: dict[str, Any] = SimpleFrozenDict()
UNSHARED = "spacy-bigbird.BigBirdTok2Vec.v1"
UNSHARED_LAYERS = "spacy-bigbird.BigBirdTok2Vec.v2"


def build_bigbird_model_v1(
    name: str | None = None,
    revision: str | None = None,
    vocab_file: str | None = None,
    transformer_config: dict[str, Any] = NO_OVERRIDES,
    overlap: int | None = None,
    on_oversize: str = "window",
    max_batch_pieces: int = 16384,
    precision: str = "fp32",
    mixed_precision: bool = False,
    gradient_checkpointing: bool = False,
    attention_engine: str = "auto",
    freeze_layers: int = 0,
    learning_rate_factor: float = 1.0,
    layer_learning_rate_decay: float = 1.0,
    map_whitespace: bool = True,
    save_as: str = "float32",
) -> Model[list[Doc], BigBirdBatch]:
    """Build `spacy-bigbird.BigBirdModel.v1`, the encoder that components share, for `[components.bigbird.model]`.

    It can also be the model of the stock `transformer` factory.

    name (str | None): directory or hub name of a checkpoint. Read once, by `initialize`; a saved pipeline needs
        neither the checkpoint nor a network.
    revision (str | None): branch, tag or commit of `name` on the hub; None for the newest of the main branch.
    vocab_file (str | None): without `name`, path of a spiece.model to train from scratch with.
    transformer_config (dict): fields of BigBirdConfig. With `name`, only those that the weights do not depend on
        (random_pattern, full_attention_up_to, dropouts ...), and a lower num_hidden_layers to use the lowest layers
        alone; others are an error.
    overlap (int | None): pieces shared by neighbouring windows of a document longer than the encoder's maximum; less
        than half of a window. None for an eighth of a window.
    on_oversize (str): what to do with such a document: "window" (encode all of it), "error" or "truncate" (with a
        warning and a count in `doc._.bigbird_stats`).
    max_batch_pieces (int): maximum number of pieces in the encoder at a time, in prediction and training; one window
        is always allowed. This limits memory use and does not change results.
    precision (str): "fp32" or "bf16", in prediction.
    mixed_precision (bool): whether to use bf16 autocast in training, on CPU and GPU; it needs no gradient scaler.
    gradient_checkpointing (bool): whether to recompute each layer in the backward pass instead of keeping its
        activations.
    attention_engine (str): what computes the attention: "auto" for the fastest on the device, or "cpu", "torch",
        "flex" or "reference". An engine that cannot do what is asked raises an error; see docs/gpu.md.
    freeze_layers (int): how many of the lowest layers to freeze, along with the embeddings. They need no backward pass.
    learning_rate_factor (float): factor on the encoder's learning rate; that of the head is the optimizer's.
    layer_learning_rate_decay (float): factor on the learning rate from each layer to the one below it.
    map_whitespace (bool): whether every run of whitespace counts as one space, as in pre-training.
    save_as (str): type of the saved weights: "float32", or "float16" for half the size and rounded weights.
    RETURNS (Model[list[Doc], BigBirdBatch]): the encoder, without weights yet.
    RAISES ValueError: a setting is not allowed.
    """
    settings = EncoderSettings(**locals())
    attrs = {"replace_listener": replace_listener, "replace_listener_cfg": replace_listener_cfg}
    return document_encoder(with_windows(build_encoder(settings)), attrs)


def build_bigbird_tok2vec_v1(
    encoder: Model[list[Doc], BigBirdBatch],
    pooling: Model[Ragged, Floats2d] | None,
    grad_factor: float = 1.0,
) -> Model:
    """Build `spacy-bigbird.BigBirdTok2Vec.v1`, an encoder for one component only: `[components.NAME.model.tok2vec]`.

    encoder (Model[list[Doc], BigBirdBatch]): a block with `spacy-bigbird.BigBirdModel.v1`.
    pooling (Model[Ragged, Floats2d] | None): combines the vectors of a token's pieces, e.g. reduce_mean.v1. With None,
        whole documents are returned, for heads that take `spacy-bigbird.PieceListener.v1`.
    grad_factor (float): factor on the head's gradient before it reaches the encoder.
    RETURNS (Model[list[Doc], list[Floats2d] | list[PieceRows]]): a layer from documents to token vectors or PieceRows.
    """
    return build_bigbird_tok2vec_v2(encoder, pooling, grad_factor)


def build_bigbird_tok2vec_v2(
    encoder: Model[list[Doc], BigBirdBatch],
    pooling: Model[Ragged, Floats2d] | None,
    grad_factor: float = 1.0,
    layers: str | list[int] = "last",
) -> Model:
    """Build `spacy-bigbird.BigBirdTok2Vec.v2`: v1 for any layers of the encoder.

    encoder (Model[list[Doc], BigBirdBatch]): a block with `spacy-bigbird.BigBirdModel.v1`.
    pooling (Model[Ragged, Floats2d] | None): combines the vectors of a token's pieces, or None for whole documents.
    grad_factor (float): factor on the head's gradient before it reaches the encoder.
    layers (str | list[int]): as in `spacy-bigbird.PieceListener.v2`.
    RETURNS (Model[list[Doc], list[Floats2d] | list[PieceRows]]): a layer from documents to token vectors or PieceRows.
    RAISES ValueError: `layers` is not allowed.
    """
    choice = checked_choice(layers)
    get_shim(encoder).wanted_layers = {choice}
    if pooling is None:
        model: Model = chain(_by_document(encoder), *mixing(choice), piece_rows(grad_factor))
        replace_init(model, _init_whole_documents)
        return model
    token_vectors: Model = chain(_by_document(encoder), *mixing(choice), trfs2arrays(pooling, grad_factor))
    if choice != "last":
        replace_init(token_vectors, _init_token_vectors)
    allow_empty_tokens(token_vectors)
    pool_in_stretches(token_vectors)
    return token_vectors


def _init_whole_documents(model: Model, X: Any = None, Y: Any = None) -> None:
    """Set the width to that of the encoder's layers, which is known without a forward pass."""
    shim = get_shim(model)
    shim.load()
    set_width(model.layers[0])
    tell_layers(model, shim)
    set_mixed_width(model, shim.config.hidden_size)


def _init_token_vectors(model: Model, X: Any = None, Y: Any = None) -> None:
    """Load the encoder first, because a layer mix needs to know how many layers there are."""
    shim = get_shim(model)
    shim.load()
    tell_layers(model, shim)
    init_chain(model, X, Y)


def build_piece_listener_v1(upstream: str = "*", grad_factor: float = 1.0) -> Model[list[Doc], list[PieceRows]]:
    """Build `spacy-bigbird.PieceListener.v1` for `[components.NAME.model.tok2vec]`.

    The listener returns whole documents from a shared encoder, for heads that need [CLS] or pieces.

    upstream (str): name of the encoder's component, or "*" for any.
    grad_factor (float): factor on the head's gradient before it reaches the encoder.
    RETURNS (Model[list[Doc], list[PieceRows]]): the listener.
    """
    return piece_listener(upstream, grad_factor)


def build_piece_listener_v2(
    upstream: str = "*", grad_factor: float = 1.0, layers: str | list[int] = "last"
) -> Model[list[Doc], list[PieceRows]]:
    """Build `spacy-bigbird.PieceListener.v2`: v1 for any layers of the encoder.

    upstream (str): name of the encoder's component, or "*" for any.
    grad_factor (float): factor on the head's gradient before it reaches the encoder.
    layers (str | list[int]): "last"; numbers of layers, whose states are put side by side (0 for the embeddings); or
        "mix", a mean of all layers with learned weights.
    RETURNS (Model[list[Doc], list[PieceRows]]): the listener.
    RAISES ValueError: `layers` is not allowed.
    """
    return piece_listener(upstream, grad_factor, checked_choice(layers))


def build_layer_mix_v1(
    pooling: Model[Ragged, Floats2d],
    upstream: str = "*",
    grad_factor: float = 1.0,
    layers: str | list[int] = "mix",
) -> Model[list[Doc], list[Floats2d]]:
    """Build `spacy-bigbird.LayerMix.v1`: a listener for spaCy's own heads that reads any layers of the encoder.

    It takes the place of `spacy-transformers.TransformerListener.v1` in `[components.NAME.model.tok2vec]`.

    pooling (Model[Ragged, Floats2d]): combines the vectors of a token's pieces, e.g. reduce_mean.v1.
    upstream (str): name of the encoder's component, or "*" for any.
    grad_factor (float): factor on the head's gradient before it reaches the encoder.
    layers (str | list[int]): as in `spacy-bigbird.PieceListener.v2`.
    RETURNS (Model[list[Doc], list[Floats2d]]): a layer from documents to token vectors.
    RAISES ValueError: `layers` is not allowed.
    """
    choice = checked_choice(layers)
    listener = listening_node(upstream, choice)
    model: Model = chain(listener, *mixing(choice), trfs2arrays(pooling, grad_factor))
    model.set_ref("listener", listener)
    return model


def replace_listener(model: Model[list[Doc], BigBirdBatch], listener: Model, component: Any) -> Model:
    """Make what spaCy puts in a listener's place: the encoder, followed by a layer that returns what the listener did.

    model (Model[list[Doc], BigBirdBatch]): the encoder; spaCy passes a copy of the shared one.
    listener (Model): the listener.
    component (BigBird): the shared encoder's component.
    RETURNS (Model[list[Doc], list[TransformerData]]): the replacement.
    """
    get_shim(model).wanted_layers = {choice_of(listener)}
    return _by_document(model)


def _by_document(model: Model[list[Doc], BigBirdBatch]) -> Model:
    split: Model = split_trf_batch()
    return chain(model, split)


def replace_listener_cfg(encoder_config: dict[str, Any], listener_config: dict[str, Any]) -> dict[str, Any]:
    """Make the config section that builds the result of `replace_listener` along with the listener's own layers.

    encoder_config (dict): the shared encoder's model section.
    listener_config (dict): the listener's section.
    RETURNS (dict): a section for `spacy-bigbird.BigBirdTok2Vec.v2`, or v1 if only the last layer is read.
    """
    pooling, grad_factor = listener_config.get("pooling"), listener_config.get("grad_factor", 1.0)
    section = {"encoder": dict(encoder_config), "pooling": pooling, "grad_factor": grad_factor}
    layers = listener_config.get("layers", "last")
    if layers == "last":
        return {"@architectures": UNSHARED, **section}
    return {"@architectures": UNSHARED_LAYERS, **section, "layers": layers}
