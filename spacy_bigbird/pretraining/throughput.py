"""Estimates how much of the machine's computing power a training step uses."""

from __future__ import annotations

import time
from collections.abc import Sequence

import torch

from ..model.cpu.linear import Linear
from ..plan.config import BigBirdConfig

# The backward pass computes two matrix products for each one of the forward pass.
PASSES = 3


def training_operations(config: BigBirdConfig, lengths: Sequence[int], masked: int) -> int:
    """Count the floating-point operations in the matrix products of one step, forward and backward.

    Operations that gradient checkpointing repeats are not counted.

    config (BigBirdConfig): configuration of the model.
    lengths (Sequence[int]): number of pieces in each sequence.
    masked (int): number of pieces to predict, the only ones scored against the vocabulary.
    RETURNS (int): number of operations.
    """
    width = config.hidden_size
    weights = 4 * width * width + 2 * width * config.intermediate_size
    layer = 2 * weights * sum(lengths) + 4 * width * sum(_attended(config, length) for length in lengths)
    head = 2 * masked * width * (width + config.vocab_size)
    return PASSES * (config.num_hidden_layers * layer + head)


def _attended(config: BigBirdConfig, length: int) -> int:
    """Count the pairs of a query and a key in one sequence."""
    block = config.block_size
    blocks = -(-length // block)
    keys = (5 + config.num_random_blocks) * block
    if config.attention_type == "original_full" or length <= config.full_attention_up_to or keys >= length:
        return length * length
    return 2 * block * length + (blocks - 2) * block * keys


def matrix_product_limit(device: torch.device, mixed_precision: bool, seconds: float = 0.3) -> float:
    """Measure how fast this machine multiplies matrices of the size found in a large encoder.

    device (torch.device): the device to measure.
    mixed_precision (bool): whether to compute in bfloat16.
    seconds (float): how long to measure. Unit: seconds.
    RETURNS (float): the highest rate observed. Unit: floating-point operations per second.
    """
    rows, width = (16384, 4096) if device.type == "cuda" else (2048, 768)
    layer = Linear(width, 4 * width).to(device).eval()
    x = torch.randn(rows, width, device=device)
    best = 0.0
    with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=mixed_precision):
        layer(x)
        end = time.perf_counter() + seconds
        while time.perf_counter() < end or not best:
            _wait(device)
            start = time.perf_counter()
            layer(x)
            _wait(device)
            best = max(best, 2 * rows * width * 4 * width / (time.perf_counter() - start))
    return best


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
