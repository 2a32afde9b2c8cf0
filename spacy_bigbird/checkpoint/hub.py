"""Resolve a path, or a name on the Hugging Face hub, to a local directory, with or without a network."""

from pathlib import Path
from typing import Any

from huggingface_hub import snapshot_download

from ..errors import Errors

SMALL_FILES = (
    "config.json",
    "spiece.model",
    "vocab.txt",
    "vocab.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "added_tokens.json",
)
# In order of preference. Only the first format that a repository offers is downloaded.
WEIGHT_PATTERNS = (
    ("model.safetensors", "model-*.safetensors", "model.safetensors.index.json"),
    ("pytorch_model.bin", "pytorch_model-*.bin", "pytorch_model.bin.index.json"),
    ("flax_model.msgpack", "flax_model-*.msgpack", "flax_model.msgpack.index.json"),
)


def resolve_directory(path_or_hub_name: str | Path, *, revision: str | None = None, weights: bool = True) -> Path:
    """Find the directory of a checkpoint.

    A local directory is used directly, and a hub name is resolved by `huggingface_hub`. Without a network, or with
    HF_HUB_OFFLINE=1, only the hub's local cache is searched.

    path_or_hub_name (str | Path): a directory, or a name such as "google/bigbird-roberta-base".
    revision (str | None): branch, tag or commit on the hub; None for the newest of the main branch.
    weights (bool): whether to download the weights too. Otherwise, only small files (configuration and vocabularies)
        are downloaded. Has no effect on a local directory.
    RETURNS (Path): the directory.
    RAISES FileNotFoundError: this is neither a directory nor a name known to the hub or its cache, or there is no such
        revision.
    RAISES ValueError: a revision of a local directory was requested.
    """
    path = Path(path_or_hub_name).expanduser()
    if path.is_dir():
        if revision is not None:
            raise ValueError(Errors.BB063.format(revision=revision, given=path_or_hub_name))
        return path
    if path.exists():
        raise FileNotFoundError(Errors.BB050.format(given=path_or_hub_name, found="a file, not a directory"))
    name = str(path_or_hub_name)
    if isinstance(path_or_hub_name, Path) or name != path.as_posix() or path.is_absolute() or len(path.parts) > 2:
        raise FileNotFoundError(Errors.BB050.format(given=path_or_hub_name, found="not an existing directory"))
    directory = _snapshot(name, revision, SMALL_FILES)
    if weights:
        for patterns in WEIGHT_PATTERNS:
            directory = _snapshot(name, revision, (*SMALL_FILES, *patterns))
            if any(next(directory.glob(pattern), None) for pattern in patterns):
                break
    return directory


def _snapshot(name: str, revision: str | None, patterns: tuple[str, ...]) -> Path:
    wanted: dict[str, Any] = {"revision": revision, "allow_patterns": list(patterns)}
    try:
        return Path(snapshot_download(name, **wanted))
    except Exception as error:  # the HTTP library, and with it the exceptions, depends on huggingface_hub's version
        try:
            return Path(snapshot_download(name, **wanted, local_files_only=True))
        except (OSError, ValueError):
            reason = str(error).strip().split("\n")[0] or type(error).__name__
            it = "it" if revision is None else f"its revision {revision!r}"
            found = f"not an existing directory, and neither the hub nor its cache has {it} ({reason})"
            raise FileNotFoundError(Errors.BB050.format(given=name, found=found)) from error
