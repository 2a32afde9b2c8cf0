"""Read a checkpoint's weights in every format that transformers writes, and write them as safetensors."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from ..atomic import replace_file
from ..errors import Errors
from .flax import read_flax, to_torch_names
from .wrappings import without_nests

SAFETENSORS_NAME = "model.safetensors"
# In order of preference. Each may also be split into parts, listed in a file with ".index.json" appended to the name.
WEIGHT_NAMES = (SAFETENSORS_NAME, "pytorch_model.bin", "flax_model.msgpack")


def find_weights(directory: Path) -> Path:
    """Find the file with a checkpoint's weights, or the index of its parts.

    directory (Path): the checkpoint's directory.
    RETURNS (Path): the first file with a known name.
    RAISES FileNotFoundError: there is no such file.
    """
    for name in WEIGHT_NAMES:
        for path in (Path(directory) / name, Path(directory) / f"{name}.index.json"):
            if path.is_file():
                return path
    found = ", ".join(sorted(path.name for path in Path(directory).iterdir())) or "nothing"
    raise FileNotFoundError(Errors.BB054.format(directory=directory, expected=", ".join(WEIGHT_NAMES), found=found))


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read all tensors of a checkpoint to the CPU, under Hugging Face's PyTorch names.

    path (Path): a path returned by `find_weights`: safetensors, pytorch_model.bin (tensors only, code in it is never
        run), flax_model.msgpack, or the index of the parts of one of these.
    RETURNS (dict[str, Tensor]): tensors by name, in the file's own type.
    RAISES ValueError: the file is corrupt, truncated or not what its name says, or a part is missing.
    """
    if path.name.endswith(".index.json"):
        return _read_parts(path)
    try:
        return _READERS[path.suffix](path)
    except MemoryError:
        raise
    except Exception as error:  # for a damaged file, the underlying libraries raise nearly anything
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        if _beginning(path).startswith(b"version https://git-lfs"):
            reason = "it is only a Git LFS pointer; run `git lfs pull` in its repository"
        raise ValueError(Errors.BB055.format(path=path, reason=reason)) from error


def write_weights(directory: Path, tensors: Mapping[str, Tensor]) -> Path:
    """Write model.safetensors. An existing file is replaced only once the new one is complete.

    directory (Path): an existing directory to write to.
    tensors (Mapping[str, Tensor]): tensors by name, no two of which share memory.
    RETURNS (Path): path of the file.
    """
    content = {name: tensor.detach().to("cpu").contiguous() for name, tensor in tensors.items()}
    path = Path(directory) / SAFETENSORS_NAME
    replace_file(path, lambda temporary: save_file(content, temporary, metadata={"format": "pt"}))
    return path


def _beginning(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(32)
    except OSError:
        return b""


def _read_parts(index: Path) -> dict[str, Tensor]:
    try:
        weight_map: dict[str, str] = json.loads(index.read_text(encoding="utf8"))["weight_map"]
        parts = sorted(set(weight_map.values()))
        outside = [part for part in parts if Path(part).name != part or Path(part).suffix not in _READERS]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(Errors.BB055.format(path=index, reason=f"it is not an index of parts ({error})")) from error
    lacking = [part for part in parts if part in outside or not (index.parent / part).is_file()]
    if lacking:
        raise ValueError(Errors.BB056.format(path=index, what="part", names=", ".join(lacking)))
    tensors: dict[str, Tensor] = {}
    for part in parts:
        tensors.update(read_weights(index.parent / part))
    is_flax = index.name.startswith("flax_model")
    lacking = sorted(set(to_torch_names(weight_map) if is_flax else weight_map) - set(tensors))
    if lacking:
        raise ValueError(Errors.BB056.format(path=index, what="tensor", names=", ".join(lacking)))
    return tensors


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    with safe_open(path, framework="pt") as file:
        names = file.keys()
        tensors = {name: file.get_tensor(name) for name in names}
        written_by_flax = (file.metadata() or {}).get("format") == "flax"
    return to_torch_names(tensors) if written_by_flax else tensors


def _read_pickle(path: Path) -> dict[str, Tensor]:
    content = torch.load(path, map_location="cpu", weights_only=True)
    tensors = without_nests(content)
    if tensors is None or any(value.layout != torch.strided for value in tensors.values()):
        raise ValueError(f"it holds a {type(content).__name__} that is not a mapping of names to dense tensors")
    return tensors


_READERS: dict[str, Callable[[Path], dict[str, Tensor]]] = {
    ".safetensors": _read_safetensors,
    ".bin": _read_pickle,
    ".msgpack": read_flax,
}
