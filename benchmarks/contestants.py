"""The encoders that the benchmarks compare, all in BigBird's base size: ours, that of transformers, and a dense one."""

import logging
from collections.abc import Callable

import torch
from torch import Tensor

from spacy_bigbird.model import BigBirdConfig, BigBirdModel

REFERENCE = "transformers, fp32"
REFERENCE_BF16 = "transformers, bf16"
REFERENCE_AUTOCAST = "transformers, autocast"
DENSE = "dense, fp32"
OURS = "ours, fp32"
OURS_BF16 = "ours, bf16"
OURS_AUTOCAST = "ours, autocast"
OURS_CHECKPOINTING = "ours, fp32, checkpointing"

INFERENCE = (REFERENCE, REFERENCE_BF16, DENSE, OURS, OURS_BF16)
TRAINING = (REFERENCE, REFERENCE_AUTOCAST, OURS, OURS_AUTOCAST, OURS_CHECKPOINTING)
VOCAB_SIZE = 1000


def work_of(name: str, lengths: list[int], layers: int, training: bool) -> Callable[[], object]:
    """Build a contestant, and return the function to time: a forward pass, or a forward and a backward pass.

    name (str): one of the names above.
    lengths (list[int]): number of pieces in each document.
    layers (int): number of layers of base size: 12 heads, width 768, feed-forward width 3,072, blocks of 64, 3 random
        blocks.
    training (bool): whether to include the backward pass.
    RETURNS (Callable): performs the work once. A forward pass returns the vectors. The weights depend only on the
        library.
    """
    torch.manual_seed(0)
    documents = [torch.randint(3, VOCAB_SIZE, (length,)) for length in lengths]
    forward = _reference(name, documents, layers) if name.startswith("transformers") else _ours(name, documents, layers)
    precision = torch.autocast("cpu", torch.bfloat16, enabled=name in (REFERENCE_AUTOCAST, OURS_AUTOCAST, OURS_BF16))

    def infer() -> Tensor:
        with torch.no_grad(), precision:
            return forward(False)

    def train() -> None:
        with precision:
            output = forward(True)
        output.float().square().mean().backward()

    return train if training else infer


def _ours(name: str, documents: list[Tensor], layers: int) -> Callable[[bool], Tensor]:
    # The reference has no dropout in its sparse attention either. Without dropout, both do the same work.
    config = BigBirdConfig(
        vocab_size=VOCAB_SIZE,
        num_hidden_layers=layers,
        max_position_embeddings=max(4096, *map(len, documents)),
        attention_type="original_full" if name == DENSE else "block_sparse",
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    model = BigBirdModel(config, add_pooling_layer=False)
    model.gradient_checkpointing = name == OURS_CHECKPOINTING
    flat, lengths = torch.cat(documents), [len(document) for document in documents]

    def forward(training: bool) -> Tensor:
        if model.training != training:
            model.train(training)
        return model.forward_packed(flat, lengths)

    return forward


def _reference(name: str, documents: list[Tensor], layers: int) -> Callable[[bool], Tensor]:
    from transformers import BigBirdConfig as ReferenceConfig
    from transformers import BigBirdModel as ReferenceModel

    logging.getLogger("transformers").setLevel(logging.ERROR)
    config = ReferenceConfig(
        vocab_size=VOCAB_SIZE,
        num_hidden_layers=layers,
        max_position_embeddings=max(4096, *map(len, documents)),
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    model = ReferenceModel(config, add_pooling_layer=False)
    if name == REFERENCE_BF16:
        model = model.bfloat16()
    ids = torch.nn.utils.rnn.pad_sequence(documents, batch_first=True)
    mask = torch.nn.utils.rnn.pad_sequence([torch.ones_like(document) for document in documents], batch_first=True)

    def forward(training: bool) -> Tensor:
        model.train(training)
        # Only the time of a pass matters: in eval mode, transformers reads block 0 instead of random blocks.
        return model(ids, attention_mask=mask).last_hidden_state

    return forward


def layer_flop(lengths: list[int], layers: int) -> float:
    """Count the floating-point operations of a forward pass: linear layers, and the attention used for each length.

    lengths (list[int]): number of pieces in each document.
    layers (int): number of layers of base size.
    RETURNS (float): number of operations.
    """
    config = BigBirdConfig()
    width, block = config.hidden_size, config.block_size
    total = 0.0
    for length in lengths:
        keys = length
        if length > config.full_attention_up_to:
            blocks = -(-length // block)
            keys = ((blocks - 2) * (5 + config.num_random_blocks) * block + 2 * length) / blocks
        total += 2 * length * (12 * width**2) + 4 * length * keys * width
    return layers * total
