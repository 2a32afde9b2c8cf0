"""The Doc attribute for filling masks: `doc._.masks`."""

from typing import Any

from spacy.tokens import Doc

from ..corpora.broken_records import Problems
from ..errors import Errors
from .questions import as_whole_number, install_question_extensions


def read_masks(doc: Doc) -> list[tuple[int, int]]:
    """Get the spans of a document that are to be masked.

    doc (Doc): a document whose `doc._.masks` holds spans or None.
    RETURNS (list[tuple[int, int]]): start and end (exclusive) of each span. Unit: characters.
    RAISES ValueError: a span is malformed, empty, outside the text, or overlaps another one.
    """
    masks = []
    for mask in doc._.masks or ():
        stretch = _as_stretch(mask)
        if stretch is None:
            raise ValueError(Errors.BB245.format(value=mask, length=len(doc.text)))
        masks.append(stretch)
    end_before = 0
    for start, end in sorted(masks):
        if not end_before <= start < end <= len(doc.text):
            raise ValueError(Errors.BB245.format(value=(start, end), length=len(doc.text)))
        end_before = end
    return masks


def drop_unusable_masks(doc: Doc, where: str, problems: Problems) -> None:
    """Remove masks that no component can use. Arguments as in `choices.drop_unusable_choices`."""
    install_question_extensions()
    if doc._.masks is not None:
        masks: list[tuple[int, int]] = []
        for mask in doc._.masks if isinstance(doc._.masks, (list, tuple)) else [doc._.masks]:
            problems.seen("masks")
            stretch = _as_stretch(mask)
            if stretch is None or not 0 <= stretch[0] < stretch[1] <= len(doc.text):
                problems.add("masks", "are not the first and last character of a span of the text", where, mask)
            elif any(stretch[0] < end and start < stretch[1] for start, end in masks):
                problems.add("masks", "overlap others", where, mask)
            else:
                masks.append(stretch)
        doc._.masks = masks


def _as_stretch(mask: Any) -> tuple[int, int] | None:
    start, end = map(as_whole_number, mask) if isinstance(mask, (list, tuple)) and len(mask) == 2 else (None, None)
    return None if start is None or end is None else (start, end)
