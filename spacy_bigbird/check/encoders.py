"""Checks the encoders of a pipeline before training: how they split documents, and what a training step costs."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from spacy.language import Language
from spacy.tokens import Doc
from thinc.api import Model

from ..annotations.choices import choice_texts, read_choices
from ..annotations.questions import read_questions
from ..checkpoint.config_json import read_config
from ..checkpoint.hub import resolve_directory
from ..errors import Errors
from ..model.encoder import BigBirdModel
from ..plan.config import BigBirdConfig
from ..plan.windows import plan_windows
from ..thinc_layers.checkpoints import Checkpoint
from ..thinc_layers.question_windows import QuestionTokenizer
from ..thinc_layers.settings import EncoderSettings
from ..thinc_layers.shim import EncoderShim
from ..thinc_layers.types import Array, PackedPieces
from ..tokenizer.encoding import TextPieces
from ..tokenizer.sentencepiece import BigBirdTokenizer

FLOAT_BYTES = 4
# The gradient and Adam's two moments for every trained weight.
TRAINING_COPIES = 3


@dataclass
class PlannedEncoder:
    """An encoder of a pipeline as described by its config: vocabulary and shape, but no weights.

    component (str): the component that the encoder belongs to.
    settings (EncoderSettings): the settings of the encoder.
    tokenizer (BigBirdTokenizer): its tokenizer.
    config (BigBirdConfig): its shape.
    factory (str): factory of the component. Some components encode each question together with the document.
    """

    component: str
    settings: EncoderSettings
    tokenizer: BigBirdTokenizer
    config: BigBirdConfig
    factory: str = "bigbird"

    @classmethod
    def of(cls, component: str, shim: EncoderShim, factory: str = "bigbird") -> "PlannedEncoder":
        """Determine vocabulary and shape of an encoder without loading its weights.

        component (str): the component that the encoder belongs to.
        shim (EncoderShim): the encoder, loaded or not.
        factory (str): factory of the component.
        RETURNS (PlannedEncoder): the encoder.
        RAISES ValueError: the config names neither a checkpoint nor a vocabulary, or its settings do not fit them.
        """
        settings = shim.settings
        if shim.is_loaded:
            return cls(component, settings, shim.checkpoint.tokenizer, shim.config, factory)
        if settings.name is None and settings.vocab_file is None:
            raise ValueError(Errors.BB137)
        if settings.name is not None:
            directory = resolve_directory(settings.name, revision=settings.revision, weights=False)
            tokenizer = BigBirdTokenizer.from_pretrained(directory, map_whitespace=settings.map_whitespace)
            config = settings.apply_to(BigBirdConfig.from_dict(read_config(directory)))
        else:
            assert settings.vocab_file is not None
            tokenizer = BigBirdTokenizer(settings.vocab_file, map_whitespace=settings.map_whitespace)
            config = settings.apply_to(settings.scratch_config(tokenizer))
        if tokenizer.vocab_size > config.vocab_size:
            raise ValueError(Errors.BB138.format(pieces=tokenizer.vocab_size, rows=config.vocab_size))
        return cls(component, settings, tokenizer, config, factory)

    @property
    def capacity(self) -> int:
        """Number of pieces of a document that fit into one window, special ones excluded."""
        return self.settings.window_capacity(self.config)[0]

    def window_sizes(self, doc: Doc, pieces: TextPieces) -> list[int]:
        """Get the sizes of the sequences that the encoder sees of a document.

        doc (Doc): the document, with its questions or choices if the component reads them.
        pieces (TextPieces): the pieces of the document.
        RETURNS (list[int]): number of pieces in each sequence, special ones included.
        """
        if self.factory in _ASKED_BY_FACTORY:
            paired = QuestionTokenizer(self.tokenizer, self.config.max_position_embeddings, self.settings.overlap)
            asked = paired.questions(_ASKED_BY_FACTORY[self.factory](doc))
            if self.settings.join_layer is not None:
                windows = paired.document_windows(pieces) if asked else []
                return [*(len(window.ids) for window in windows), *(len(paired.alone(question)) for question in asked)]
            return [len(window.ids) for question in asked for window in paired.windows(question, pieces)]
        capacity, overlap = self.settings.window_capacity(self.config)
        length = min(len(pieces), capacity) if self.settings.on_oversize == "truncate" else len(pieces)
        return [window.end - window.start + 2 for window in plan_windows(length, capacity, overlap)] if length else []


def _questions(doc: Doc) -> list[str]:
    return [question["question"] for question in read_questions(doc)]


def _choices(doc: Doc) -> list[str]:
    return [text for choice in read_choices(doc) for text in choice_texts(choice)]


_ASKED_BY_FACTORY = {"bigbird_span_qa": _questions, "bigbird_multiple_choice": _choices}


def find_encoders(nlp: Language) -> list[PlannedEncoder]:
    """Find all encoders of this package in a pipeline, both shared ones and those inside other components.

    nlp (Language): the pipeline; it does not need to be initialized.
    RETURNS (list[PlannedEncoder]): the encoders, in the order of the pipeline.
    """
    initialized = nlp.config.interpolate()["initialize"].get("components", {})
    found = []
    for name, component in nlp.components:
        factory = nlp.get_pipe_meta(name).factory
        source = initialized.get(name, {}).get("encoder_from")
        for shim in _shims(component):
            if source in nlp.component_names:
                # The source's encoder is copied when the pipeline is initialized.
                (copied, *_) = _shims(nlp.get_pipe(source)) or [shim]
                plan = replace(PlannedEncoder.of(name, copied, factory), settings=shim.settings)
            else:
                plan = PlannedEncoder.of(name, shim, factory)
            found.append(plan)
    return found


def _shims(component: Any) -> list[EncoderShim]:
    model = getattr(component, "model", None)
    shims = [shim for node in model.walk() for shim in node.shims] if isinstance(model, Model) else []
    return [shim for shim in shims if isinstance(shim, EncoderShim)]


@dataclass
class StepCost:
    """What an encoder costs on this machine, not counting heads, optimizer and Python.

    parameters (int): number of weights.
    trained_parameters (int): number of weights that receive a gradient.
    bytes_per_piece (float): memory kept for the backward pass. Unit: bytes per piece.
    training_seconds (float): time of the forward and backward pass. Unit: seconds per piece.
    prediction_seconds (float): time of the forward pass. Unit: seconds per piece.
    """

    parameters: int
    trained_parameters: int
    bytes_per_piece: float
    training_seconds: float
    prediction_seconds: float

    def training_memory(self, pieces_at_once: int) -> float:
        """Estimate the memory for weights, gradients, Adam's moments and activations.

        pieces_at_once (int): maximum number of pieces in the encoder at a time.
        RETURNS (float): the memory. Unit: bytes.
        """
        weights = self.parameters + TRAINING_COPIES * self.trained_parameters
        return weights * FLOAT_BYTES + self.bytes_per_piece * pieces_at_once


def measure_step(encoder: PlannedEncoder, sequences: Sequence[np.ndarray]) -> StepCost:
    """Measure a short step with random weights of the right shape and the settings of the config, on Thinc's device.

    encoder (PlannedEncoder): the encoder.
    sequences (Sequence[ndarray]): piece ids of real sequences, none longer than the encoder allows. Shape: (pieces,)
        each.
    RETURNS (StepCost): the costs.
    """
    with torch.random.fork_rng(devices=[]):
        module = BigBirdModel.build(encoder.config, add_pooling_layer=False)
    shim = EncoderShim(encoder.settings)
    shim.use(Checkpoint(module, encoder.tokenizer).adapted(encoder.settings))
    lengths = [len(ids) for ids in sequences]
    ids: Array = np.concatenate(sequences)
    pieces, total = PackedPieces(ids, lengths), sum(lengths)
    warm_up = PackedPieces(ids[: min(64, lengths[0])], [min(64, lengths[0])])
    _step(shim, warm_up)
    training_seconds, kept = _timed(shim, lambda: _step(shim, pieces))
    shim.predict(warm_up)
    prediction_seconds, _ = _timed(shim, lambda: shim.predict(pieces))
    parameters = list(shim.module.parameters())
    return StepCost(
        parameters=sum(parameter.numel() for parameter in parameters),
        trained_parameters=sum(parameter.numel() for parameter in parameters if parameter.requires_grad),
        bytes_per_piece=kept / total,
        training_seconds=training_seconds / total,
        prediction_seconds=prediction_seconds / total,
    )


def _step(shim: EncoderShim, pieces: PackedPieces) -> int:
    """Run a forward and a backward pass. RETURNS (int): bytes kept in between, not counting weights."""
    weights = {parameter.untyped_storage().data_ptr() for parameter in shim.module.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        rows, backprop = shim.begin_update(pieces)
    backprop(torch.full_like(rows, 1e-3))
    return sum(kept.values())


def _timed(shim: EncoderShim, function: Any) -> tuple[float, Any]:
    start = time.perf_counter()
    result = function()
    if shim.device.type == "cuda":
        torch.cuda.synchronize(shim.device)
    return time.perf_counter() - start, result
