"""What components that learn labels behind a shared encoder have in common."""

from typing import Any

from spacy.vocab import Vocab
from thinc.api import Model

from ..errors import Errors


class Labelled:
    """Mixed into a component before its spaCy class: labels, kept in `cfg`, and the size of the model's output."""

    name: str
    vocab: Vocab
    model: Model
    cfg: dict[str, Any]

    def _num_outputs(self) -> int:
        """RETURNS (int): how many outputs the model needs for the labels."""
        raise NotImplementedError

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels."""
        return tuple(self.cfg["labels"])

    @property
    def label_data(self) -> list[str]:
        """The labels, as `initialize` takes them."""
        return list(self.cfg["labels"])

    def add_label(self, label: str) -> int:
        """Add a label. A trained component keeps what it knows of the others.

        label (str): the label.
        RETURNS (int): 1, or 0 where it is there already.
        RAISES ValueError: it is no string, or an empty one.
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
        """RAISES ValueError: there are no labels or no weights yet."""
        if not self.labels or not self.model.get_ref("output_layer").has_param("W"):
            raise ValueError(Errors.BB202.format(name=self.name))
