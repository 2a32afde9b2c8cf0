"""Parameters as trees and as tensors with the names of Hugging Face's PyTorch classes, by the table of `checkpoint`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
from flax.traverse_util import flatten_dict, unflatten_dict
from torch import Tensor

from ..checkpoint.files import find_weights, read_weights
from ..checkpoint.key_map import (
    HUGGINGFACE_PREFIX,
    LM_DECODER,
    WORD_EMBEDDINGS,
    from_huggingface,
    is_base_name,
    to_huggingface,
)
from ..errors import Errors
from ..model.load_report import LoadReport

Params = dict[str, Any]
# Names of leaves in PyTorch.
_LEAVES = {"kernel": "weight", "embedding": "weight", "scale": "weight", "bias": "bias"}


def read_params(directory: Path, expected: Params) -> tuple[Params, LoadReport]:
    """Read the weights of a checkpoint into a tree.

    directory (Path): a checkpoint with safetensors, PyTorch's or Flax's weights.
    expected (Params): the tree with the shapes of the model's parameters.
    RETURNS (tuple[Params, LoadReport]): a tree of the parameters that the file has in the right shape, in fp32, and
        how well the file fits the model.
    RAISES ValueError: a weight of the base model is missing or has another shape.
    """
    path = find_weights(directory)
    translation = from_huggingface(read_weights(path))
    given = translation.tensors
    if WORD_EMBEDDINGS in given and LM_DECODER not in given:
        given[LM_DECODER] = given[WORD_EMBEDDINGS]
    theirs = to_huggingface(given)
    found, missing, mismatched = {}, [], []
    leaves = flatten_dict(expected)
    for leaf, wanted in leaves.items():
        name = torch_name(leaf)
        if name not in theirs:
            missing.append(name)
            continue
        tensor = theirs[name]
        if not tensor.is_floating_point():
            dtype = str(tensor.dtype).removeprefix("torch.")
            raise ValueError(Errors.BB062.format(path=path, name=name, found=dtype))
        value = tensor.float().numpy()
        value = value.T if leaf[-1] == "kernel" else value
        if value.shape == wanted.shape:
            found[leaf] = jnp.asarray(value)
        else:
            shape = wanted.shape[::-1] if leaf[-1] == "kernel" else wanted.shape
            mismatched.append((name, tuple(tensor.shape), tuple(shape)))
    useless = theirs.keys() - {torch_name(leaf) for leaf in leaves} - {"cls.predictions.decoder.weight"}
    unexpected = [*sorted(useless), *translation.unknown]
    report = LoadReport(str(path), tuple(missing), tuple(mismatched), tuple(unexpected))
    if not report.fits:
        raise ValueError(Errors.BB057.format(model="Flax", report=report))
    return unflatten_dict(found), report


def torch_name(leaf: tuple[str, ...]) -> str:
    """The name of a parameter in PyTorch, without the prefix of the base model.

    leaf (tuple[str, ...]): names on the way to it, such as ("bert", "pooler", "kernel").
    RETURNS (str): for example "pooler.weight".
    """
    *modules, name = leaf
    return ".".join([*modules, _LEAVES[name]]).removeprefix(HUGGINGFACE_PREFIX)


def to_tensors(params: Mapping[str, Any], prefix: str) -> dict[str, Tensor]:
    """Convert parameters to tensors for a file that PyTorch's classes read.

    params (Mapping[str, Any]): the tree.
    prefix (str): prefix of the base model's names: "bert." in a model with a head, "" in the base model alone.
    RETURNS (dict[str, Tensor]): tensors by Hugging Face's name.
    """
    tensors = {}
    for leaf, value in flatten_dict(dict(params)).items():
        array = np.array(value, dtype=np.float32)
        name = torch_name(leaf)
        tensor = torch.from_numpy(np.ascontiguousarray(array.T if leaf[-1] == "kernel" else array))
        tensor = tensor.to(getattr(torch, str(jnp.dtype(value.dtype))))
        tensors[prefix + name if is_base_name(name) else name] = tensor
    return tensors


def with_random(found: Params, random: Params) -> Params:
    """Fill in what a checkpoint does not have.

    found (Params): a tree of the parameters that there are.
    random (Params): the complete tree, newly initialized.
    RETURNS (Params): the complete tree.
    """
    return unflatten_dict({**flatten_dict(random), **flatten_dict(found)})


def check_tree(params: Mapping[str, Any], expected: Params) -> None:
    """Raise a clear error for parameters of another model.

    params (Mapping[str, Any]): the tree that was given.
    expected (Params): the tree with the shapes of the model's parameters.
    RAISES ValueError: a parameter is missing, or has another shape.
    """
    given = {leaf: jnp.shape(value) for leaf, value in flatten_dict(dict(params)).items()}
    wanted = {leaf: value.shape for leaf, value in flatten_dict(expected).items()}
    if given != wanted:
        wrong = sorted("/".join(leaf) for leaf in wanted.keys() ^ given.keys()) or sorted(
            f"{'/'.join(leaf)} {given[leaf]}" for leaf in wanted if given[leaf] != wanted[leaf]
        )
        raise ValueError(Errors.BB731.format(wrong=", ".join(wrong[:6]), number=len(wrong)))


def count(params: Mapping[str, Any]) -> int:
    """The number of numbers in a tree."""
    return sum(leaf.size for leaf in jax.tree_util.tree_leaves(params))
