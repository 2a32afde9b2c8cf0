"""The PyTorch encoder and its tokenizer inside a Thinc model: running, training, saving and copying."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, ClassVar, cast

import srsly
import torch
from thinc.api import Optimizer, PyTorchGradScaler, PyTorchShim, get_torch_default_device, xp2torch
from thinc.shims.shim import Shim
from torch import Tensor

from ..cache.frozen_layers import FrozenLayers
from ..cache.store import StateStore, only_existing
from ..checkpoint.files import SAFETENSORS_NAME
from ..errors import Errors
from ..model.encoder import BigBirdModel
from ..plan.config import BigBirdConfig
from ..tokenizer.sentencepiece import VOCAB_FILE, BigBirdTokenizer
from .checkpoints import Checkpoint
from .layer_choice import LayerChoice, all_layers
from .process_state import RandomState, use_one_thread_if_forked
from .rates import rate_of
from .settings import EncoderSettings
from .summaries import Summaries
from .types import PackedPieces
from .weights import copy_into, take_step

# While one thread changes the mode of a module, no other may compute with the layers that have not been changed yet.
# One lock for all modules, because a lock in the shim could not be copied or pickled.
_MODE_LOCK = threading.Lock()


class EncoderShim(PyTorchShim):
    """Holds an encoder and its tokenizer once they are loaded.

    settings (EncoderSettings): how to load, run and train the encoder. They are not saved with it.
    """

    checkpoint_class: ClassVar[type[Checkpoint]] = Checkpoint

    def __init__(self, settings: EncoderSettings) -> None:
        # No gradient scaler: bf16 has the range of fp32, and scaled gradients could not be accumulated over calls.
        # Thinc creates the scaler's tensors on PyTorch's default device, and moves them from there.
        with torch.device("cpu"):
            super().__init__(None, grad_scaler=PyTorchGradScaler(False))
        self.settings = settings
        self.tokenizer: BigBirdTokenizer | None = None
        # What listeners read, and where states of layers that do not change are kept. Whoever runs the model sets both.
        self.wanted_layers: set[LayerChoice] = set()
        self.store: StateStore | None = None
        # Whether documents are returned as statistics of their pieces, and those seen.
        self.summarizes = False
        self.summaries = Summaries()
        self._is_changed = False
        # A folder that was read but contained nothing, for the error message if the weights are needed later.
        self._empty_folder: Path | None = None

    @property
    def is_loaded(self) -> bool:
        """Whether the encoder has weights."""
        return self._model is not None

    @property
    def module(self) -> BigBirdModel:
        """The encoder, or in subclasses the model with a head.

        RAISES ValueError: nothing is loaded yet.
        """
        if self._model is None:
            folder = f": there were none in {self._empty_folder}" if self._empty_folder else " yet"
            raise ValueError(Errors.BB139.format(folder=folder))
        return self._model

    @property
    def config(self) -> BigBirdConfig:
        """The encoder's configuration.

        RAISES ValueError: nothing is loaded yet.
        """
        return self.module.config

    @property
    def layers(self) -> tuple[int, ...]:
        """The layers whose states are returned, in order: those that a listener reads, and in any case the last one,
        which becomes the document's vectors. Only documents without vectors, as statistics, can do without it.

        RETURNS (tuple[int, ...]): numbers of the layers, 0 for the embeddings.
        RAISES ValueError: nothing is loaded yet, or a listener wants a layer that the encoder lacks.
        """
        choices = self.wanted_layers if self.summarizes else {"last", *self.wanted_layers}
        return all_layers(choices, self.config.num_hidden_layers)

    @property
    def checkpoint(self) -> Checkpoint:
        """The encoder and its tokenizer, ready to be saved.

        RETURNS (Checkpoint): the checkpoint.
        RAISES ValueError: nothing is loaded yet.
        """
        return self.checkpoint_class(self.module, cast(BigBirdTokenizer, self.tokenizer))

    @property
    def device(self) -> torch.device:
        """The device of the weights, or the one they will be loaded to."""
        return get_torch_default_device() if self._model is None else next(self._model.parameters()).device

    def load(self) -> None:
        """Load what the settings name, unless weights are already loaded.

        RAISES ValueError: the settings name nothing, or do not fit what they name.
        """
        use_one_thread_if_forked()
        if not self.is_loaded:
            self.use(self.checkpoint_class.load(self.settings))

    def use(self, checkpoint: Checkpoint) -> None:
        """Use the given encoder and tokenizer, replacing any previous ones.

        checkpoint (Checkpoint): encoder and tokenizer.
        """
        self._model = checkpoint.module.to(get_torch_default_device()).eval()
        self.lower = FrozenLayers(checkpoint.encoder)
        self._is_changed = False
        self.tokenizer = checkpoint.tokenizer

    def predict(self, inputs: Any) -> Tensor:
        """Encode without computing gradients.

        inputs (PackedPieces): the sequences.
        RETURNS (Tensor): one row per piece. Shape: (total_pieces, layers * width).
        """
        self._set_training(False)
        with torch.no_grad(), self._autocast(self.settings.precision == "bf16"):
            return self._encode(inputs).float()

    def begin_update(self, inputs: Any) -> tuple[Tensor, Callable[[Tensor], None]]:
        """Encode for training.

        inputs (PackedPieces): the sequences. With `recompute`, only they are kept for the backward pass, which repeats
            the forward pass with the same dropout.
        RETURNS (tuple[Tensor, Callable[[Tensor], None]]): one row per piece, and a function that takes the gradient of
            the rows and adds to the gradients of the weights. Shape: (total_pieces, layers * width).
        """
        # There is nothing to recompute for an encoder that is wholly frozen.
        learns = any(weight.requires_grad for weight in self.module.parameters())
        state = RandomState(self.device) if inputs.recompute and learns else None
        with torch.set_grad_enabled(state is None):
            rows = self._encode_for_training(inputs)

        def backprop(gradient: Tensor) -> None:
            # A prediction in between may have changed the mode, which must be the same as in the first forward pass.
            self._set_training(True)
            with torch.enable_grad():
                if state is None:
                    result = rows
                else:
                    with state.restored():
                        result = self._encode_for_training(inputs)
                if result.requires_grad:
                    result.backward(gradient)

        return rows.detach(), backprop

    def _encode_for_training(self, inputs: Any) -> Tensor:
        self._set_training(True)
        with self._autocast(self.settings.mixed_precision):
            return self._encode(inputs).float()

    def _encode(self, inputs: Any) -> Tensor:
        return self._outputs(self._rows(inputs, self.layers), self._tensor(inputs.ids), inputs.lengths)

    def _rows(self, inputs: PackedPieces, layers: Sequence[int]) -> Tensor:
        """Compute the states of some layers, side by side. Shape: (total_pieces, layers * width)."""
        use_one_thread_if_forked()
        pieces = self._tensor(inputs.ids), list(inputs.lengths), self._tensor(inputs.token_type_ids)
        if frozen := self._num_frozen():
            return self.lower.encode(*pieces, layers, frozen, self.store, self.summarizes)
        return self.checkpoint.encoder.forward_packed(*pieces, layers=layers)

    def _tensor(self, values: Any) -> Any:
        return None if values is None else torch.as_tensor(values, dtype=torch.long, device=self.device)

    def _outputs(self, rows: Tensor, ids: Tensor, lengths: Sequence[int]) -> Tensor:
        """Compute the output from the encoder's rows: the rows themselves here, a head's output in subclasses."""
        return rows

    def _num_frozen(self) -> int:
        """Count the layers whose states do not change: with a cache, also all of an encoder that was never trained."""
        if self.settings.freeze_layers or self.store is None or self._is_changed or self.module.training:
            return self.settings.freeze_layers
        return self.config.num_hidden_layers

    def _set_training(self, mode: bool) -> None:
        """Set the mode only if it changes, because setting it visits every layer.

        Frozen layers have no dropout, so that their states are always the same.
        """
        with _MODE_LOCK:
            if self.module.training != mode:
                self.module.train(mode)
                self.lower.eval(self.settings.freeze_layers)

    def _autocast(self, enabled: bool) -> AbstractContextManager:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=enabled)

    def finish_update(self, optimizer: Optimizer) -> None:
        """Update the weights with the accumulated gradients, and set these to zero.

        optimizer (Optimizer): the optimizer.
        """
        if self._model is None:
            return
        self._is_changed = True
        for name, parameter in self._model.named_parameters():
            if parameter.grad is not None:
                scale = rate_of(name, self.settings, self.config.num_hidden_layers)
                take_step(parameter, optimizer, (self.id, name), scale)

    @contextmanager
    def use_params(self, params: dict) -> Iterator[None]:
        """Use other weights within a context, such as an optimizer's averages.

        params (dict): arrays by the shim's id and the weight's name.
        """
        own = {name: value for (owner, name), value in params.items() if owner == self.id} if self._model else {}
        parameters = dict(self._model.named_parameters()) if own else {}
        backup = {name: parameters[name].detach().clone() for name in own if name in parameters}
        copy_into(parameters, {name: xp2torch(own[name], device=self.device) for name in backup})
        try:
            yield
        finally:
            copy_into(parameters, backup)

    def to_device(self, device_type: str, device_id: int) -> None:
        """Move the weights to another device.

        device_type (str): "cpu", or anything else for a GPU.
        device_id (int): number of the GPU.
        """
        if self._model is not None:
            self._model.to("cpu" if device_type == "cpu" else f"cuda:{device_id}")

    def to_bytes(self) -> bytes:
        """Serialize configuration, weights and vocabulary.

        RETURNS (bytes): the checkpoint, or an empty message if nothing is loaded.
        """
        return srsly.msgpack_dumps(self.checkpoint.to_message(self.settings.save_as) if self.is_loaded else {})

    def from_bytes(self, bytes_data: bytes) -> "EncoderShim":
        """Restore what `to_bytes` serialized.

        bytes_data (bytes): the result of `to_bytes`.
        RETURNS (EncoderShim): the shim itself.
        RAISES ValueError: the settings do not fit the weights.
        """
        use_one_thread_if_forked()
        message = srsly.msgpack_loads(bytes_data)
        if message:
            self.use(self.checkpoint_class.from_message(message, self.settings))
        return self

    def to_folder(self, path: Path) -> None:
        """Write config.json, model.safetensors and spiece.model. Does nothing if nothing is loaded.

        path (Path): the folder.
        """
        if self.is_loaded:
            self.checkpoint.to_folder(path, self.settings.save_as)

    def from_folder(self, path: Path) -> None:
        """Read a folder written by `to_folder`, which may be empty.

        path (Path): the folder.
        RAISES ValueError: a file is missing or damaged, or the settings do not fit the weights.
        """
        use_one_thread_if_forked()
        config = Path(path) / "config.json"
        if not config.is_file() and any((Path(path) / name).is_file() for name in (SAFETENSORS_NAME, VOCAB_FILE)):
            raise ValueError(Errors.BB051.format(path=config))
        self._empty_folder = None if config.is_file() else Path(path)
        if config.is_file():
            self.use(self.checkpoint_class.from_folder(Path(path), self.settings))
        only_existing(self.store)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Give a copy an id of its own; otherwise it would share the optimizer's moments with the original.

        A copy is ready to predict, even if the original is being trained.
        """
        self.__dict__.update(state)
        self.summarizes = False
        if self.is_loaded:
            self.module.eval()
        with Shim.global_id_lock:
            Shim.global_id += 1
            self.id = Shim.global_id
