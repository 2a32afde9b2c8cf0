"""Read and write config.json in the format of transformers."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..atomic import replace_file
from ..errors import Errors

CONFIG_NAME = "config.json"
MODEL_TYPE = "big_bird"


def read_config(directory: Path, model_types: Sequence[str] = (MODEL_TYPE,)) -> dict[str, Any]:
    """Read a checkpoint's config.json. Unknown keys are kept.

    directory (Path): the checkpoint's directory.
    model_types (Sequence[str]): the model types that the caller supports.
    RETURNS (dict[str, Any]): the file's content, including "model_type".
    RAISES FileNotFoundError: there is no config.json.
    RAISES ValueError: the file is not a JSON object, or belongs to a model of another type.
    """
    path = Path(directory) / CONFIG_NAME
    if not path.is_file():
        raise FileNotFoundError(Errors.BB051.format(path=path))
    try:
        values = json.loads(path.read_text(encoding="utf8"))
    except ValueError as error:
        raise ValueError(Errors.BB052.format(path=path, reason=error)) from error
    if not isinstance(values, dict):
        raise ValueError(Errors.BB052.format(path=path, reason=f"it holds a {type(values).__name__}, not an object"))
    found = values.get("model_type")
    if found not in model_types:
        raise ValueError(Errors.BB053.format(path=path, found=found, expected=" or ".join(map(repr, model_types))))
    return values


def write_config(
    directory: Path, values: Mapping[str, Any], architecture: str | None = None, dtype: str | None = None
) -> None:
    """Write a config.json in which transformers finds the model's type, class and fields.

    directory (Path): an existing directory to write to.
    values (Mapping[str, Any]): fields of the configuration, along with unknown keys that were read.
    architecture (str | None): transformers' name of the model's class; None keeps what `values` contain.
    dtype (str | None): type of the weights in the same directory, such as "float32"; None keeps what `values` contain.
    """
    content = {**values, "model_type": MODEL_TYPE}
    if architecture is not None:
        content["architectures"] = [architecture]
    if dtype is not None:
        content["torch_dtype"] = dtype
        if "dtype" in content:  # newer versions of transformers use this name instead of torch_dtype
            content["dtype"] = dtype
    text = json.dumps(content, indent=2, sort_keys=True) + "\n"
    replace_file(Path(directory) / CONFIG_NAME, lambda path: path.write_text(text, encoding="utf8"))
