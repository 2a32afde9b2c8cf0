"""Read flax_model.msgpack without flax.

The file is msgpack with flax's three extension types. Names and axes are converted to PyTorch's.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgpack
import numpy
import torch
from torch import Tensor

_NDARRAY, _COMPLEX, _SCALAR = 1, 2, 3
_CHUNKED = "__msgpack_chunked_array__"
# How a map begins in msgpack.
_MAPS = tuple(bytes([first]) for first in (*range(0x80, 0x90), 0xDE, 0xDF))
_LEAVES = {"kernel": "weight", "embedding": "weight", "scale": "weight"}


def read_flax(path: Path) -> dict[str, Tensor]:
    """Read a file written with `flax.serialization.to_bytes`.

    path (Path): the file.
    RETURNS (dict[str, Tensor]): tensors by Hugging Face's PyTorch names, with kernels transposed to (out, in).
    RAISES ValueError: the file is truncated or contains something else.
    """
    with path.open("rb") as file:
        # What is something else is not worth reading to its end.
        if not file.peek(1).startswith(_MAPS):
            raise ValueError("it does not begin with a tree of arrays, as msgpack writes it")
        content = file.read()
    try:
        tree = msgpack.unpackb(content, ext_hook=_extension, raw=False, strict_map_key=False)
    except (msgpack.UnpackException, msgpack.ExtraData, TypeError) as error:
        raise ValueError(f"it is not complete msgpack as flax writes it: {error or type(error).__name__}") from error
    return to_torch_names(dict(_leaves(tree)))


def to_torch_names(tensors: Mapping[str, Any]) -> dict[str, Any]:
    """Rename flax's leaves as in PyTorch and transpose kernels to PyTorch's order of axes.

    tensors (Mapping[str, Any]): tensors by name, with "/" or "." between the parts. Other values are left as they are.
    RETURNS (dict[str, Any]): tensors by name, with "." between the parts. For example, "pooler/kernel" becomes
        "pooler.weight", transposed.
    """
    result = {}
    for name, value in tensors.items():
        module, _, leaf = name.replace("/", ".").removeprefix("params.").rpartition(".")
        if leaf == "kernel" and isinstance(value, Tensor):
            value = value.transpose(-1, -2).contiguous()
        result[f"{module}.{_LEAVES.get(leaf, leaf)}".lstrip(".")] = value
    return result


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Tensor]]:
    for name, value in tree.items():
        if isinstance(value, Mapping) and _CHUNKED in value:
            shape = [value["shape"][str(axis)] for axis in range(len(value["shape"]))]
            chunks = [value["chunks"][str(number)] for number in range(len(value["chunks"]))]
            yield f"{prefix}{name}", torch.cat(chunks).reshape(shape)
        elif isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{name}.")
        elif isinstance(value, Tensor):
            yield f"{prefix}{name}", value
        else:
            raise ValueError(f"{prefix}{name} holds a {type(value).__name__}, not an array")


def _extension(code: int, data: bytes) -> Any:
    if code in (_NDARRAY, _SCALAR):
        shape, dtype, buffer = msgpack.unpackb(data, raw=True)
        return _array(shape, dtype.decode("ascii"), buffer)
    if code == _COMPLEX:
        return complex(*msgpack.unpackb(data))
    raise ValueError(f"extension type {code} is not one of flax's")


def _array(shape: list[int], dtype: str, buffer: bytes) -> Tensor:
    # NumPy has no bfloat16, so its bits are read as integers.
    values = numpy.frombuffer(buffer, numpy.dtype("int16" if dtype == "bfloat16" else dtype)).reshape(shape)
    tensor = torch.from_numpy(values.copy())
    return tensor.view(torch.bfloat16) if dtype == "bfloat16" else tensor
