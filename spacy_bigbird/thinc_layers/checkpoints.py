"""Load an encoder and its tokenizer from a checkpoint or create them from scratch; save them as files or as bytes."""

import json
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from ..errors import Errors
from ..model.encoder import BigBirdModel
from ..plan.config import BigBirdConfig
from ..tokenizer.added import AddedToken
from ..tokenizer.sentencepiece import BigBirdTokenizer
from ..warnings import Warnings
from .layer_choice import layer_of
from .settings import EncoderSettings

POSITIONS = "embeddings.position_embeddings.weight"


@dataclass
class Checkpoint:
    """Everything an encoder needs to run. Subclasses hold a model with a head.

    module (PretrainedModel): the encoder, without a pooler, which no component with a shared encoder uses.
    tokenizer (BigBirdTokenizer): the encoder's tokenizer, with its vocabulary.
    """

    model_class: ClassVar[type[Any]] = BigBirdModel
    model_arguments: ClassVar[dict[str, Any]] = {"add_pooling_layer": False}

    module: Any
    tokenizer: BigBirdTokenizer

    @property
    def encoder(self) -> BigBirdModel:
        """The encoder, without a head."""
        prefix = self.module.base_model_prefix
        return getattr(self.module, prefix) if prefix else self.module

    @classmethod
    def load(cls, settings: EncoderSettings) -> "Checkpoint":
        """Read a checkpoint from disk or the hub, or create one with random weights.

        settings (EncoderSettings): with `name`, or with `vocab_file` and `transformer_config`.
        RETURNS (Checkpoint): the checkpoint, with weights in fp32 on the CPU.
        RAISES ValueError: the settings name nothing, or do not fit what they name.
        """
        if settings.name is not None:
            source: dict[str, Any] = {"path_or_hub_name": settings.name, "revision": settings.revision}
            tokenizer = BigBirdTokenizer.from_pretrained(**source, map_whitespace=settings.map_whitespace)
            module = cls.model_class.from_pretrained(**source, **cls.model_arguments)
            _check_size(settings.name, module.config.vocab_size, tokenizer.vocab_size)
        elif settings.vocab_file is not None:
            tokenizer = BigBirdTokenizer(settings.vocab_file, map_whitespace=settings.map_whitespace)
            module = cls.model_class.build(settings.scratch_config(tokenizer), **cls.model_arguments)
        else:
            raise ValueError(Errors.BB137)
        return cls(module, tokenizer).adapted(settings)

    @classmethod
    def from_folder(cls, path: Path, settings: EncoderSettings) -> "Checkpoint":
        """Read a folder written by `to_folder` or by transformers.

        path (Path): a folder with config.json, weights and spiece.model.
        settings (EncoderSettings): the settings in use; they take precedence where the weights allow it.
        RETURNS (Checkpoint): the checkpoint.
        RAISES ValueError: a file is missing or damaged, or the settings do not fit the weights.
        """
        tokenizer = BigBirdTokenizer.from_pretrained(path, map_whitespace=settings.map_whitespace)
        module = cls.model_class.from_pretrained(path, **cls.model_arguments)
        return cls(module, tokenizer).adapted(settings)

    def to_folder(self, path: Path, dtype: str) -> None:
        """Write config.json, model.safetensors and spiece.model, which transformers can read too.

        path (Path): the folder; created if it does not exist.
        dtype (str): type of the saved weights, "float32" or "float16".
        """
        module = self.module
        if dtype != "float32":
            module = self._rebuilt(module.config, getattr(torch, dtype))
        module.save_pretrained(path)
        self.tokenizer.save_pretrained(path)

    @classmethod
    def from_message(cls, message: dict[str, Any], settings: EncoderSettings) -> "Checkpoint":
        """Restore a checkpoint from the result of `to_message`.

        message (dict[str, Any]): the result of `to_message`.
        settings (EncoderSettings): the settings in use; they take precedence where the weights allow it.
        RETURNS (Checkpoint): the checkpoint, with weights in fp32 on the CPU.
        RAISES ValueError: the settings do not fit the weights.
        """
        # Messages of earlier versions have no added tokens.
        added_tokens = [AddedToken(**token) for token in message.get("added_tokens", ())]
        tokenizer = BigBirdTokenizer(
            message["vocabulary"], map_whitespace=settings.map_whitespace, added_tokens=added_tokens
        )
        prefix = f"{cls.model_class.base_model_prefix}." if cls.model_class.base_model_prefix else ""
        weights = {name.removeprefix(prefix): weight for name, weight in load_tensors(message["weights"]).items()}
        config = BigBirdConfig.from_dict(json.loads(message["config"]))
        module = cls.model_class.build(config, weights, complete=True, **cls.model_arguments)
        return cls(module, tokenizer).adapted(settings)

    def to_message(self, dtype: str) -> dict[str, Any]:
        """Gather configuration, weights and vocabulary in a serializable message.

        dtype (str): type of the weights in the message, "float32" or "float16".
        RETURNS (dict[str, Any]): strings and bytes under "config", "weights" and "vocabulary".
        """
        state, parameters = self.module.state_dict(), dict(self.module.named_parameters())
        # Tied weights have several names in the state dict, but only one among the parameters.
        state = {key: state[key].detach().cpu().to(getattr(torch, dtype)) for key in state if key in parameters}
        return {
            "config": json.dumps(self.module.config.to_dict()),
            "weights": save_tensors(state),
            "vocabulary": self.tokenizer.to_bytes(),
            "added_tokens": [asdict(token) for token in self.tokenizer.added_tokens],
        }

    def adapted(self, settings: EncoderSettings) -> "Checkpoint":
        """Apply the settings that may change an existing checkpoint, such as dropouts, frozen or fewer layers.

        settings (EncoderSettings): the settings in use.
        RETURNS (Checkpoint): a new checkpoint with the same module, or with one rebuilt around the same weights.
        RAISES ValueError: the vocabulary is larger than the embeddings, or the settings do not fit the weights.
        """
        config = settings.apply_to(self.module.config)
        if self.tokenizer.vocab_size > config.vocab_size:
            raise ValueError(Errors.BB138.format(pieces=self.tokenizer.vocab_size, rows=config.vocab_size))
        module = self.module
        if config != module.config:
            module = self._rebuilt(config)
        changed = type(self)(module, self.tokenizer)
        changed.encoder.gradient_checkpointing = settings.gradient_checkpointing
        changed.encoder.attention_engine = settings.attention_engine
        frozen = ["embeddings.", *(f"encoder.layers.{number}." for number in range(settings.freeze_layers))]
        for name, parameter in changed.encoder.named_parameters():
            parameter.requires_grad_(not (settings.freeze_layers and name.startswith(tuple(frozen))))
        return changed

    def _rebuilt(self, config: BigBirdConfig, dtype: torch.dtype = torch.float32) -> Any:
        """Build a module with copies of the same weights, without those of layers and positions that are left out."""
        weights = {
            name: weight[: config.max_position_embeddings] if name.endswith(POSITIONS) else weight
            for name, weight in self.module.canonical_weights().items()
            if (layer := layer_of(name)) is None or layer < config.num_hidden_layers
        }
        return self.model_class.build(config, weights, dtype=dtype, complete=True, **self.model_arguments)


def _check_size(name: str, rows: int, pieces: int) -> None:
    """Warn if there are embeddings for more pieces than the vocabulary has, except to make a round number."""
    if rows > pieces and rows not in {-(-pieces // size) * size for size in (8, 16, 32, 64, 128, 256)}:
        warnings.warn(Warnings.BW051.format(name=name, rows=rows, pieces=pieces), stacklevel=2)
