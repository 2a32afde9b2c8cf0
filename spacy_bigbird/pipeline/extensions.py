"""Attributes that the components add to spaCy's Doc and Span, in one place."""

from spacy.tokens import Doc, Span

from ..training.questions import install_question_extensions

DOC_EXTENSIONS = ("trf_data", "bigbird_stats")
SPAN_EXTENSIONS = ("score",)


def install_extensions() -> None:
    """Add the attributes that are not there yet, with None as their default.

    Called by every factory, at load and before a component runs: a process that only reads a saved pipeline has
    them too. What another package has set under one of these names stays.
    """
    install_question_extensions()
    for name in DOC_EXTENSIONS:
        if not Doc.has_extension(name):
            Doc.set_extension(name, default=None)
    for name in SPAN_EXTENSIONS:
        if not Span.has_extension(name):
            Span.set_extension(name, default=None)
