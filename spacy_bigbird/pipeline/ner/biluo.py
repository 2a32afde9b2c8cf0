"""The BILUO scheme for spaCy documents: the tags that a token may have, tags from annotation, entities from tags."""

from collections.abc import Sequence

import numpy as np
from spacy.attrs import IS_SPACE, SENT_START
from spacy.tokens import Doc, Span
from spacy.training import Example

from .crf import BEGIN, IN, LAST, UNIT, Mask, tag_index

ACTIONS = {"B": BEGIN, "I": IN, "L": LAST, "U": UNIT}


def tag_names(labels: Sequence[str]) -> list[str]:
    """Name the columns of an array of tag scores.

    labels (Sequence[str]): the labels.
    RETURNS (list[str]): O, then B-, I-, L- and U- of each label.
    """
    return ["O", *(f"{action}-{label}" for label in labels for action in ACTIONS)]


def valid_tags(doc: Doc, labels: Sequence[str], keep: Sequence[Span] = (), blocked: Sequence[int] = ()) -> Mask:
    """Find the tags that each token may have.

    An entity does not cross a sentence start (if sentences are set) or the end of the document, and does not start on
    whitespace. These are the rules of spaCy's own entity recognizer. Which tags may follow each other is decided by the
    lattice instead.

    doc (Doc): the document.
    labels (Sequence[str]): the labels, in the order of the columns.
    keep (Sequence[Span]): entities to keep regardless of the rules. If the label is unknown, their tokens must be O.
    blocked (Sequence[int]): tokens that cannot be part of an entity.
    RETURNS (Mask): whether each tag is allowed. Shape: (tokens, 1 + 4 labels).
    """
    allowed = np.ones((len(doc), 1 + 4 * len(labels)), dtype=bool)
    if not len(doc):
        return allowed
    by_action = allowed[:, 1:].reshape(len(doc), len(labels), 4)
    by_action[doc.to_array(IS_SPACE) == 1] &= [False, True, True, False]
    next_starts = np.ones(len(doc), dtype=bool)
    next_starts[:-1] = doc.to_array(SENT_START)[1:] == 1 if doc.has_annotation("SENT_START") else False
    by_action[next_starts] &= [False, False, True, True]
    allowed[:, 1:] = by_action.reshape(len(doc), -1)
    numbers = {label: i for i, label in enumerate(labels)}
    for i in blocked:
        allowed[i] = False
        allowed[i, 0] = True
    for span in keep:
        allowed[span.start : span.end] = False
        if span.label_ not in numbers:
            allowed[span.start : span.end, 0] = True
        else:
            for i, action in enumerate(entity_actions(len(span)), start=span.start):
                allowed[i, tag_index(action, numbers[span.label_])] = True
    return allowed


def entity_actions(length: int) -> list[int]:
    """List the actions of an entity.

    length (int): its length. Unit: tokens.
    RETURNS (list[int]): UNIT, or BEGIN, any number of IN, and LAST.
    """
    return [UNIT] if length == 1 else [BEGIN, *[IN] * (length - 2), LAST]


def preset_entities(doc: Doc) -> tuple[list[Span], list[int]]:
    """Get the entities that are already set on a document.

    doc (Doc): the document.
    RETURNS (tuple[list[Span], list[int]]): the entities, and the tokens that are blocked from being part of one.
    """
    # In spaCy, a blocked token is the beginning of an entity without a label.
    return list(doc.ents), [token.i for token in doc if token.ent_iob == 3 and not token.ent_type]


def gold_tags(example: Example, labels: Sequence[str]) -> tuple[Mask, np.ndarray]:
    """Read the annotation of the reference, aligned with the tokens of the predicted document.

    Entities with a label that the component does not have count as O. Entities that do not match the predicted tokens
    count as missing annotation, see `misaligned_entities`.

    example (Example): the example.
    labels (Sequence[str]): the labels, in the order of the columns.
    RETURNS (tuple[Mask, ndarray]): the tags that agree with the annotation (all of them if it is missing), and which
        tokens are annotated. Shapes: (tokens, 1 + 4 labels) and (tokens,).
    """
    columns = {name: i for i, name in enumerate(tag_names(labels))}
    tags = example.get_aligned_ner()
    annotated = np.asarray([tag is not None and tag != "-" for tag in tags], dtype=bool)
    gold = np.ones((len(tags), len(columns)), dtype=bool)
    for i in np.flatnonzero(annotated):
        gold[i] = False
        gold[i, columns.get(tags[i], 0)] = True
    return gold, annotated


def misaligned_entities(example: Example) -> int:
    """Count the entities of the reference that do not match the tokens of the predicted document.

    example (Example): the example.
    RETURNS (int): the number of entities.
    """
    return len(example.reference.ents) - len(example.get_aligned_spans_y2x(example.reference.ents))


def entities_of(path: Sequence[int]) -> list[tuple[int, int, int]]:
    """Convert a valid sequence of tags to entities.

    path (Sequence[int]): the column of each token's tag.
    RETURNS (list[tuple[int, int, int]]): start, end (exclusive) and label number of each entity.
    """
    found = []
    start = 0
    for i, tag in enumerate(path):
        label, action = divmod(tag - 1, 4)
        if tag and action in (BEGIN, UNIT):
            start = i
        if tag and action in (LAST, UNIT):
            found.append((start, i + 1, label))
    return found
