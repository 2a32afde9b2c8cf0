"""Finds files that are handed to a reader of another kind of files."""

from typing import Any

from spacy.training import Corpus

from ..corpora.kinds_of_files import find_files


def check_kind_of_files(reader: Any) -> None:
    """Check that spaCy's reader was given .spacy files: it takes others for an empty corpus.

    reader (Callable[[Language], Iterable[Example]]): a corpus reader. Those of this package check their files.
    RAISES ValueError: there are files, but of another kind.
    """
    if isinstance(reader, Corpus) and reader.path.exists():
        find_files(reader.path, ".spacy", "spacy.Corpus.v1")
