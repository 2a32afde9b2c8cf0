"""The common part of components that learn labels on top of a shared encoder."""

import warnings
from collections.abc import Iterable
from typing import Any

from spacy.vocab import Vocab
from thinc.api import Model

from ..errors import Errors
from ..warnings import Warnings


class Labelled:
    """Mixin for a component with labels, to be listed before its spaCy class. The labels are stored in `cfg`."""

    name: str
    vocab: Vocab
    model: Model
    cfg: dict[str, Any]
    _has_reported_unknown = False

    def _num_outputs(self) -> int:
        """Compute how many outputs the model needs for the labels."""
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

    def _require_weights(self) -> None:
        """Check that there are labels and weights.

        RAISES ValueError: there are none yet.
        """
        if not self.labels or not self.model.get_ref("output_layer").has_param("W"):
            raise ValueError(Errors.BB202.format(name=self.name))

    def _report_unknown(self, given: Iterable[str]) -> None:
        """Warn, only once, of labels in the annotation that the component does not have and cannot learn."""
        known, given = set(self.labels), list(given)
        unknown = [label for label in given if label not in known]
        if unknown and not self._has_reported_unknown:
            self._has_reported_unknown = True
            labels = ", ".join(sorted(set(unknown)))
            message = Warnings.BW202.format(name=self.name, lost=len(unknown), total=len(given), labels=labels)
            warnings.warn(message, stacklevel=4)
