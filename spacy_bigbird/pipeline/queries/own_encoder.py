"""The common part of components with an encoder of their own: training, saving, and settings from the config."""

import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar, cast

import srsly
from spacy import util
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example, validate_get_examples
from thinc.api import Optimizer

from ...annotations.extensions import install_extensions
from ...errors import Errors
from ...thinc_layers.encoder_wrapper import get_shim
from ...thinc_layers.head_wrapper import HeadShim
from ...warnings import Warnings
from ..configured import naming
from ..trainable import Trainable


class OwnEncoderPipe(Trainable):
    """A component with a complete model of its own, which reads pairs of texts or masked texts.

    The arguments are those of Trainable; its model has a `HeadShim`.
    """

    _has_gradient = False
    # What the component learns from, for use in messages.
    gold: ClassVar[str]

    @property
    def shim(self) -> HeadShim:
        """The object that holds the model with its weights and its tokenizer."""
        shim = get_shim(self.model)
        assert isinstance(shim, HeadShim)
        return shim

    def __call__(self, doc: Doc) -> Doc:
        """Apply the component to one document, which is modified.

        doc (Doc): the document.
        RETURNS (Doc): the document.
        """
        install_extensions()
        return super().__call__(doc)

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 16) -> Iterator[Doc]:
        """Apply the component to a stream of documents.

        stream (Iterable[Doc]): the documents.
        batch_size (int): number of documents to process together. The model gets at most `max_batch_pieces` pieces at a
            time regardless.
        YIELDS (Doc): the documents, in order.
        """
        install_extensions()
        yield from super().pipe(stream, batch_size=batch_size)

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Language | None = None,
        encoder_from: str | None = None,
    ) -> None:
        """Load the weights that the model's settings name, or copy the encoder of another component.

        get_examples (Callable[[], Iterable[Example]]): returns examples, which are only checked for gold annotation.
        nlp (Language | None): the pipeline.
        encoder_from (str | None): name of a component with a trained or loaded BigBird encoder, whose weights,
            configuration and vocabulary are copied. To start from the encoder of a saved pipeline instead, set `name`
            of the model to that encoder's folder.
        RAISES ValueError: `encoder_from` is not in the pipeline, or the settings name no weights.
        """
        validate_get_examples(get_examples, f"{type(self).__name__}.initialize")
        if encoder_from is not None:
            if nlp is None or encoder_from not in nlp.component_names:
                found = [] if nlp is None else nlp.component_names
                raise ValueError(Errors.BB241.format(name=self.name, given=encoder_from, found=found))
            self.shim.use_encoder(get_shim(cast(Any, nlp.get_pipe(encoder_from)).model))
        self.model.initialize()
        self._look_for_gold(get_examples())

    def _look_for_gold(self, examples: Iterable[Example]) -> None:
        """Warn if there is nothing to learn from. Otherwise, the loss would be 0 in every step without explanation."""
        number = 0
        for example in examples:
            if self._has_gold(example.reference):
                return
            number += 1
        # `nlp.initialize()` without examples creates one.
        if number > 1:
            warnings.warn(Warnings.BW203.format(name=self.name, number=number, gold=self.gold), stacklevel=3)

    def _has_gold(self, doc: Doc) -> bool:
        """Whether a reference has something to learn from."""
        raise NotImplementedError

    def _train_on(self, examples: list[Example], drop: float) -> float | None:
        loss = self._learn(examples)
        self._has_gradient |= loss is not None
        return loss

    def _learn(self, examples: list[Example]) -> float | None:
        """Add to the gradients of the weights.

        RETURNS (float | None): the loss; None if there is nothing to learn.
        """
        raise NotImplementedError

    def finish_update(self, sgd: Optimizer) -> None:
        """Take a step if there is a gradient. Without one, an optimizer with momentum would still change the weights.

        sgd (Optimizer): the optimizer.
        """
        if self._has_gradient:
            self.model.finish_update(sgd)
            self._has_gradient = False

    def to_disk(self, path: Path | str, *, exclude: Iterable[str] = ()) -> None:
        """Write the component. transformers can read its config.json, model.safetensors and spiece.model.

        path (Path | str): the component's folder.
        exclude (Iterable[str]): what to leave out: "cfg", "vocab", "model".
        """
        writers = {
            "cfg": lambda p: srsly.write_json(p, self.cfg),
            "vocab": lambda p: self.vocab.to_disk(p, exclude=exclude),
        }
        util.to_disk(path, writers, exclude)
        if "model" not in exclude:
            self.shim.to_folder(Path(path))

    def from_disk(self, path: Path | str, *, exclude: Iterable[str] = ()) -> "OwnEncoderPipe":
        """Read a folder written by `to_disk`.

        path (Path | str): the component's folder.
        exclude (Iterable[str]): what to leave out: "cfg", "vocab", "model".
        RETURNS (OwnEncoderPipe): the component itself.
        RAISES ValueError: a file is missing or damaged.
        """
        readers: dict[str, Callable] = {
            "cfg": lambda p: self.cfg.update(srsly.read_json(p)),
            "vocab": lambda p: self.vocab.from_disk(p, exclude=exclude),
        }
        with naming(Path(path) / "cfg"):
            util.from_disk(path, readers, exclude)
        if "model" not in exclude:
            self.shim.from_folder(Path(path))
        self._set_again()
        return self
