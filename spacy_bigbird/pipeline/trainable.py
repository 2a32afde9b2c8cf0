"""The common part of components that learn from annotation: what they are made of, and how a batch passes through."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from spacy.language import Language
from spacy.pipeline import TrainablePipe
from spacy.training import Example, validate_examples
from spacy.vocab import Vocab
from thinc.api import Model, Optimizer

from ..annotations.extensions import WithExtensions, install_extensions
from .configured import Configured

Component = TypeVar("Component", bound="Trainable")


class Trainable(WithExtensions, Configured, TrainablePipe):
    """A trainable component with settings.

    vocab (Vocab): the pipeline's vocabulary.
    model (Model): the model that the component's factory names.
    name (str): name of the component.
    scorer (Callable | None): the scoring function.
    **settings (Any): the other arguments of the component's factory.
    RAISES ValueError: a setting is not allowed.
    """

    def __init__(self, vocab: Vocab, model: Model, name: str, scorer: Callable | None, **settings: Any) -> None:
        self.vocab = vocab
        self.model = model
        self.name = name
        self.scorer = scorer
        self._configure(settings)
        install_extensions()

    @classmethod
    def from_factory(cls: type[Component], nlp: Language, **arguments: Any) -> Component:
        """Construct the component from all arguments of its factory.

        nlp (Language): the pipeline.
        **arguments (Any): the others, by name.
        RETURNS (Trainable): the component.
        RAISES ValueError: a setting is not allowed.
        """
        return cls(nlp.vocab, **arguments)

    def update(
        self,
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: Optimizer | None = None,
        losses: dict[str, float] | None = None,
    ) -> dict[str, float]:
        """Learn from the annotation of a batch. Without any, the weights do not change.

        examples (Iterable[Example]): the batch.
        drop (float): the dropout rate of a head. A component with an encoder of its own does not use it: its rates are
            set in the configuration of its model.
        sgd (Optimizer | None): if given, takes a step immediately.
        losses (dict[str, float] | None): the loss is added under the component's name. What it measures is said in
            `get_loss`.
        RETURNS (dict[str, float]): the losses.
        """
        losses = {} if losses is None else losses
        losses.setdefault(self.name, 0.0)
        examples = list(examples)
        validate_examples(examples, f"{type(self).__name__}.update")
        loss = self._train_on(examples, drop) if examples else None
        if loss is not None:
            losses[self.name] += loss
        if sgd not in (None, False):
            self.finish_update(sgd)
        return losses

    def _train_on(self, examples: list[Example], drop: float) -> float | None:
        """Add to the gradients of the weights.

        examples (list[Example]): the batch, at least one example.
        drop (float): the dropout rate.
        RETURNS (float | None): the loss; None if there is nothing to learn.
        """
        raise NotImplementedError
