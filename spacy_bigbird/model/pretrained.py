"""The base class of all models: reading checkpoints, and writing them in the format of transformers."""

from __future__ import annotations

import dataclasses
import inspect
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from ..checkpoint.config_json import read_config, write_config
from ..checkpoint.files import find_weights, read_weights, write_weights
from ..checkpoint.hub import resolve_directory
from ..checkpoint.key_map import (
    HUGGINGFACE_PREFIX,
    LM_DECODER,
    WORD_EMBEDDINGS,
    is_base_name,
    to_huggingface,
)
from ..errors import Errors
from ..errors.closest import did_you_mean
from ..plan.config import BigBirdConfig
from ..warnings import Warnings
from .attention.api import AUTO, check_engine
from .initialization import initialize_weight
from .load_report import LoadReport, match_tensors

Model = TypeVar("Model", bound="PretrainedModel")


class PretrainedModel(nn.Module):
    """Base class of all models. A subclass takes `config` as the first argument of its constructor.

    config (BigBirdConfig): the hyper-parameters.

    base_model_prefix (str): class attribute with the name of the base model's attribute; "" in the base model itself.
    load_report (LoadReport | None): how well the checkpoint fitted, if the model was loaded from one.
    """

    base_model_prefix: str = "bigbird"

    def __init__(self, config: BigBirdConfig) -> None:
        super().__init__()
        self.config = config
        self.load_report: LoadReport | None = None

    @property
    def gradient_checkpointing(self) -> bool:
        """Whether training keeps only each layer's input and recomputes the rest in the backward pass.

        This saves memory and takes about a third more time.
        """
        return self._base_model._gradient_checkpointing

    @gradient_checkpointing.setter
    def gradient_checkpointing(self, wanted: bool) -> None:
        self._base_model._gradient_checkpointing = wanted

    @property
    def attention_engine(self) -> str:
        """Name of the engine that computes the encoder's attention, or "auto" for the fastest on the device.

        RAISES ValueError: when set, there is no such engine, or the model is a decoder, which has none.
        """
        return self._base_model._attention_engine

    @attention_engine.setter
    def attention_engine(self, name: str) -> None:
        check_engine(name)
        if self.config.is_decoder:
            if name != AUTO:
                raise ValueError(Errors.BB702.format(engine=name))
            return
        self._base_model._attention_engine = name
        for layer in self._base_model.encoder.layers:
            layer.attention.engine = name

    @property
    def _base_model(self) -> Any:
        return getattr(self, self.base_model_prefix) if self.base_model_prefix else self

    @classmethod
    def from_pretrained(
        cls: type[Model],
        path_or_hub_name: str | Path,
        *,
        revision: str | None = None,
        dtype: torch.dtype | str = torch.float32,
        **overrides: Any,
    ) -> Model:
        """Load a model from a checkpoint written by this package, or by transformers for PyTorch or Flax.

        A checkpoint of the base model can be loaded into a model with a head, and vice versa. If a head's weights are
        missing or have another shape, they are newly initialized with a warning; see `load_report` for details.

        path_or_hub_name (str | Path): a directory with config.json and weights, or a name on the Hugging Face hub.
        revision (str | None): branch, tag or commit on the hub; None for the newest of the main branch.
        dtype (torch.dtype | str): type to which the weights are converted, or its name, such as "bfloat16".
        **overrides (Any): fields of the configuration to change, and further arguments of the class's constructor.
        RETURNS (PretrainedModel): the model, in eval mode, on the CPU.
        RAISES FileNotFoundError: there is no such checkpoint, or one of its files is missing.
        RAISES ValueError: a file is corrupt or of another type of model, the base model's weights do not fit, or a
            setting is not allowed.
        RAISES TypeError: an override is neither a field of the configuration nor an argument of the constructor.
        """
        dtype = _floating_dtype(dtype)
        directory = resolve_directory(path_or_hub_name, revision=revision)
        config = BigBirdConfig.from_dict(read_config(directory))
        changes, arguments = split_overrides(cls, overrides)
        path = find_weights(directory)
        tensors = read_weights(path)
        model, report = cls.from_huggingface_tensors(
            config.replace(**changes), tensors, str(path), dtype=dtype, **arguments
        )
        if report.is_worth_a_warning:
            warnings.warn(Warnings.BW050.format(model=cls.__name__, report=report), stacklevel=2)
        return model

    @classmethod
    def from_huggingface_tensors(
        cls: type[Model],
        config: BigBirdConfig,
        tensors: Mapping[str, Tensor],
        source: str,
        *,
        dtype: torch.dtype = torch.float32,
        **arguments: Any,
    ) -> tuple[Model, LoadReport]:
        """Build a model from tensors with Hugging Face's names. Weights that do not match any are newly initialized.

        config (BigBirdConfig): the hyper-parameters.
        tensors (Mapping[str, Tensor]): tensors by name, which are copied.
        source (str): where they come from, for messages.
        dtype (torch.dtype): type to which the weights are converted.
        **arguments (Any): further arguments of the class's constructor.
        RETURNS (tuple[PretrainedModel, LoadReport]): the model, in eval mode, on the CPU, and its `load_report`.
        RAISES ValueError: a weight of the base model is missing or has another shape, or a tensor is not
            floating-point.
        """
        model = cls._without_memory(config, arguments)
        values, report = model._match(tensors, source)
        model._fill(values, dtype)
        model.load_report = report
        return model.eval(), report

    @classmethod
    def build(
        cls: type[Model],
        config: BigBirdConfig,
        weights: Mapping[str, Tensor] | None = None,
        *,
        dtype: torch.dtype = torch.float32,
        complete: bool = False,
        **arguments: Any,
    ) -> Model:
        """Build a model with given weights, and random ones where none are given.

        Unlike the constructor, this does not depend on PyTorch's default dtype and device, and draws random numbers
        only for weights that are not given, in the order of their names.

        config (BigBirdConfig): the hyper-parameters.
        weights (Mapping[str, Tensor] | None): weights by canonical name, which are copied; see `canonical_weights`.
        dtype (torch.dtype): type to which the weights are converted.
        complete (bool): whether all weights must be given.
        **arguments (Any): further arguments of the class's constructor.
        RETURNS (PretrainedModel): the model, in training mode, on the CPU.
        RAISES ValueError: a given weight has another shape or no place, or one is missing although `complete` is set.
        """
        model = cls._without_memory(config, arguments)
        given, wanted = weights or {}, model.canonical_weights()
        shapes = [
            (name, tuple(given[name].shape), tuple(weight.shape))
            for name, weight in wanted.items()
            if name in given and given[name].shape != weight.shape
        ]
        missing = tuple(sorted(wanted.keys() - given.keys())) if complete else ()
        unexpected = tuple(sorted(given.keys() - wanted.keys())) if complete else ()
        if missing or shapes or unexpected:
            report = LoadReport("The given weights", missing, tuple(shapes), unexpected)
            raise ValueError(Errors.BB057.format(model=cls.__name__, report=report))
        model._fill({name: given[name] for name in wanted if name in given}, dtype)
        return model

    @classmethod
    def _without_memory(cls: type[Model], config: BigBirdConfig, arguments: Mapping[str, Any]) -> Model:
        """Build the modules, whose weights have a shape but no values until `_fill` is called."""
        with torch.device("meta"):
            return cls(config, **arguments)

    def _fill(self, values: Mapping[str, Tensor], dtype: torch.dtype) -> None:
        """Give the weights memory on the CPU and the given values by canonical name, and initialize the others."""
        self.to(dtype).to_empty(device="cpu")
        # Sorted, so that the same seed gives the same weights in every process.
        for name in sorted(self.canonical_weights().keys() - values.keys()):
            owner, _, leaf = self._full_name(name).rpartition(".")
            initialize_weight(self.get_submodule(owner), leaf, self.config)
        self._copy(values)

    def load_huggingface_tensors(self, tensors: Mapping[str, Tensor], source: str) -> LoadReport:
        """Copy tensors with Hugging Face's names into this model's weights.

        Tied weights stay tied. Weights that are missing or have another shape keep their values.

        tensors (Mapping[str, Tensor]): tensors by name, which are cast to the type of the model's weights.
        source (str): where they come from, for messages.
        RETURNS (LoadReport): which weights were missing, unexpected or of another shape.
        RAISES ValueError: a weight of the base model is missing or has another shape, or a tensor is not
            floating-point. The model is unchanged in this case.
        """
        values, self.load_report = self._match(tensors, source)
        self._copy(values)
        return self.load_report

    def _match(self, tensors: Mapping[str, Tensor], source: str) -> tuple[dict[str, Tensor], LoadReport]:
        weights = self.canonical_weights()
        is_tied = LM_DECODER in self.state_dict() and LM_DECODER not in weights
        values, report = match_tensors(weights, tensors, source, is_tied=is_tied)
        if not report.fits:
            raise ValueError(Errors.BB057.format(model=type(self).__name__, report=report))
        return values, report

    def _copy(self, values: Mapping[str, Tensor]) -> None:
        weights = self.canonical_weights()
        with torch.no_grad():
            for name, value in values.items():
                weights[name].copy_(value)

    def save_pretrained(self, path: str | Path) -> None:
        """Write config.json and model.safetensors, which `from_pretrained` and transformers can read.

        path (str | Path): directory to write to, created if it does not exist. Existing files are replaced.
        """
        directory = Path(path)
        directory.mkdir(parents=True, exist_ok=True)
        weights = self.canonical_weights()
        prefix = HUGGINGFACE_PREFIX if self.base_model_prefix else ""
        dtype = str(weights[WORD_EMBEDDINGS].dtype).removeprefix("torch.")
        write_weights(directory, to_huggingface(weights, prefix))
        write_config(directory, self.config.to_dict(), type(self).__name__, dtype)

    def canonical_weights(self) -> dict[str, Tensor]:
        """Get the weights by name, without the prefix of the base model.

        RETURNS (dict[str, Tensor]): the weights themselves. Tied ones are only included as word embeddings.
        """
        state = self.state_dict(keep_vars=True)
        prefix = f"{self.base_model_prefix}." if self.base_model_prefix else ""
        weights = {name.removeprefix(prefix): weight for name, weight in state.items()}
        if weights.get(LM_DECODER) is weights[WORD_EMBEDDINGS]:
            del weights[LM_DECODER]
        return weights

    def _full_name(self, name: str) -> str:
        return f"{self.base_model_prefix}.{name}" if self.base_model_prefix and is_base_name(name) else name


def _floating_dtype(given: Any) -> torch.dtype:
    dtype = getattr(torch, given, None) if isinstance(given, str) else given
    if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
        expected = 'torch.float32, torch.bfloat16, torch.float16 or torch.float64, or its name such as "bfloat16"'
        raise ValueError(Errors.BB103.format(name="dtype", given=given, expected=expected))
    return dtype


def split_overrides(cls: type, overrides: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Separate changes of the configuration from arguments of a model's constructor.

    cls (type): the model's class.
    overrides (Mapping[str, Any]): keyword arguments of `from_pretrained`.
    RETURNS (tuple[dict[str, Any], dict[str, Any]]): fields of the configuration, and arguments of the constructor.
    RAISES TypeError: an override is neither.
    """
    fields = [field.name for field in dataclasses.fields(BigBirdConfig)]
    arguments = [name for name in inspect.signature(cls).parameters if name != "config"]
    unknown = sorted(set(overrides) - {*fields, *arguments})
    if unknown:
        allowed = ", ".join(["a field of BigBirdConfig", *arguments, "revision, dtype (in from_pretrained)"])
        hint = did_you_mean(unknown, [*fields, *arguments])
        raise TypeError(Errors.BB058.format(model=cls.__name__, unknown=", ".join(unknown), allowed=allowed, hint=hint))
    changes = {name: value for name, value in overrides.items() if name in fields}
    return changes, {name: value for name, value in overrides.items() if name in arguments}
