"""The attributes that the components add to spaCy's Doc and Span."""

from typing import Any

from spacy.tokens import Doc, Span

from .questions import install_question_extensions
from .registration import register

DOC_EXTENSIONS = ("trf_data", "bigbird_stats")


def install_extensions() -> None:
    """Register the attributes that are not registered yet, with None as the default.

    Components call this when they are created and before they run, so that the attributes also exist in a process that
    only loads a saved pipeline.
    """
    install_question_extensions()
    for name in DOC_EXTENSIONS:
        register(Doc, name)
    score_attribute()


def score_attribute() -> str:
    """Register the Span attribute for the probability of an entity, if it is missing.

    RETURNS (str): its name: "score", or "bigbird_score" if another package computes `span._.score`.
    """
    return register(Span, "score", instead="bigbird_score")


class WithExtensions:
    """Mixin for components: a pickled one registers the attributes in the process that it arrives in.

    It must be listed before the component's spaCy class.
    """

    def __setstate__(self, state: Any) -> None:
        install_extensions()
        super().__setstate__(state)  # type: ignore[misc]
