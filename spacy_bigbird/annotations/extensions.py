"""The attributes that the components add to spaCy's Doc and Span."""

from spacy.tokens import Doc, Span

from .questions import install_question_extensions

DOC_EXTENSIONS = ("trf_data", "bigbird_stats")
SPAN_EXTENSIONS = ("score",)


def install_extensions() -> None:
    """Register the attributes that are not registered yet, with None as the default.

    Components call this when they are created and before they run, so that the attributes also exist in a process that
    only loads a saved pipeline. Attributes that another package has registered under one of these names are kept.
    """
    install_question_extensions()
    for name in DOC_EXTENSIONS:
        if not Doc.has_extension(name):
            Doc.set_extension(name, default=None)
    for name in SPAN_EXTENSIONS:
        if not Span.has_extension(name):
            Span.set_extension(name, default=None)
