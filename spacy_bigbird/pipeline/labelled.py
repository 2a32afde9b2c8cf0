"""The common part of components that learn labels on top of a shared encoder."""

import warnings
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any, ClassVar

from spacy.language import Language
from spacy.training import Example, validate_get_examples
from thinc.api import set_dropout_rate

from ..check.upstreams import check_weights_of_upstreams
from ..errors import Errors
from ..warnings import Warnings
from .trainable import Trainable


class Labelled(Trainable):
    """A component with labels, which are stored in `cfg`. Arguments as in `Trainable`."""

    unfitted: ClassVar[dict[str, Any]] = {"labels": []}
    _has_reported_unknown = False

    def _num_outputs(self) -> int:
        """Compute how many outputs the model needs for the labels."""
        raise NotImplementedError

    def _labels_of(self, example: Example) -> Iterable[str]:
        """Get the labels in the annotation of an example."""
        raise NotImplementedError

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, in the order of the model's outputs."""
        return tuple(self.cfg["labels"])

    @property
    def label_data(self) -> list[str]:
        """The labels in the form that `initialize` takes."""
        return list(self.cfg["labels"])

    def add_label(self, label: str) -> int:
        """Add a label. A trained component keeps what it has learned about the others.

        label (str): the label.
        RETURNS (int): 1 if the label was added, 0 if it was already there.
        RAISES ValueError: the label is not a string, or is empty.
        """
        if not isinstance(label, str) or not label:
            raise ValueError(Errors.BB200.format(name="label", value=label, expected="a string that is not empty"))
        if label in self.labels:
            return 0
        self.cfg["labels"].append(label)
        self.vocab.strings.add(label)
        if self.model.has_dim("nO"):
            self.model.attrs["resize_output"](self.model, self._num_outputs())
        return 1

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Language | None = None,
        labels: Iterable[str] | None = None,
    ) -> None:
        """Initialize the weights for the labels.

        get_examples (Callable[[], Iterable[Example]]): returns examples, whose labels are used if `labels` is None.
        nlp (Language | None): the pipeline.
        labels (Iterable[str] | None): the labels, for example from `spacy init labels`.
        RAISES ValueError: there are no labels, they or the annotation are not allowed, or the encoder is missing or has
            no weights.
        """
        validate_get_examples(get_examples, f"{type(self).__name__}.initialize")
        if nlp is not None:
            check_weights_of_upstreams(self.name, self, nlp)
        for label in self._find_labels(get_examples) if labels is None else labels:
            self.add_label(label)
        self._require_labels()
        self._prepare(get_examples)
        if not self.model.has_dim("nO"):
            self.model.set_dim("nO", self._num_outputs())
        self.model.initialize(X=[example.predicted for example in islice(get_examples(), 10)])

    def _find_labels(self, get_examples: Callable[[], Iterable[Example]]) -> Iterable[str]:
        """Get the labels of all examples."""
        return sorted({label for example in get_examples() for label in self._labels_of(example)} - {""})

    def _prepare(self, get_examples: Callable[[], Iterable[Example]]) -> None:
        """Check the labels, and compute from the examples what else the component needs. By default, nothing."""

    def _require_weights(self) -> None:
        """Check that there are labels and weights.

        RAISES ValueError: there are none yet.
        """
        if not self.labels or not self.model.get_ref("output_layer").has_param("W"):
            raise ValueError(Errors.BB202.format(name=self.name))

    def _train_on(self, examples: list[Example], drop: float) -> float:
        self._report_unknown(label for example in examples for label in self._labels_of(example))
        set_dropout_rate(self.model, drop)
        scores, backprop = self.model.begin_update([example.predicted for example in examples])
        loss, gradient = self._loss(examples, scores)
        backprop(gradient)
        return loss

    def _loss(self, examples: list[Example], scores: Any) -> tuple[float, Any]:
        """Compute the loss of a batch and its gradient, in `update`."""
        return self.get_loss(examples, scores)

    def _report_unknown(self, given: Iterable[str]) -> None:
        """Warn, only once, of labels in the annotation that the component does not have and cannot learn."""
        known, given = set(self.labels), list(given)
        unknown = [label for label in given if label not in known]
        if unknown and not self._has_reported_unknown:
            self._has_reported_unknown = True
            labels = ", ".join(sorted(set(unknown)))
            message = Warnings.BW202.format(name=self.name, lost=len(unknown), total=len(given), labels=labels)
            warnings.warn(message, stacklevel=5)
