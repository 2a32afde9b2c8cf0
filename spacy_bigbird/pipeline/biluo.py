"""The BILUO scheme over spaCy documents: tags that a token may have, what the annotation says, entities from tags."""

from collections.abc import Sequence

import numpy as np
from spacy.attrs import IS_SPACE, SENT_START
from spacy.tokens import Doc, Span
from spacy.training import Example

from .crf import BEGIN, IN, LAST, UNIT, Mask, tag_index

ACTIONS = {"B": BEGIN, "I": IN, "L": LAST, "U": UNIT}


def tag_names(labels: Sequence[str]) -> list[str]:
    """RETURNS (list[str]): the names of the columns: O, then B-, I-, L-, U- of each label."""
    return ["O", *(f"{action}-{label}" for label in labels for action in ACTIONS)]


def valid_tags(doc: Doc, labels: Sequence[str], keep: Sequence[Span] = (), blocked: Sequence[int] = ()) -> Mask:
    """Find the tags that each token may have. That I and L continue an open label is left to the lattice.

    An entity neither starts nor goes on before a sentence start (where those are set) or the document's end, and does
    not start on white space. The rules are those of spaCy's own entity recogniser.
    doc (Doc): the document.
    labels (Sequence[str]): the labels, in the order of the columns.
    keep (Sequence[Span]): entities that stay whatever the rules say; under one with an unknown label all is O.
    blocked (Sequence[int]): tokens that may not be part of an entity.
    RETURNS (Mask): Shape: (tokens, 1 + 4 labels).
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
    """RETURNS (list[int]): the actions of an entity of so many tokens."""
    return [UNIT] if length == 1 else [BEGIN, *[IN] * (length - 2), LAST]


def preset_entities(doc: Doc) -> tuple[list[Span], list[int]]:
    """RETURNS (tuple): the entities that a document already has, and the tokens that are blocked for entities."""
    # spaCy marks a blocked token as a beginning without a label.
    return list(doc.ents), [token.i for token in doc if token.ent_iob == 3 and not token.ent_type]


def gold_tags(example: Example, labels: Sequence[str]) -> tuple[Mask, np.ndarray]:
    """Read the annotation of the reference, on the tokens of the predicted document.

    Entities of labels that the component does not have count as outside. Entities that do not match the predicted
    tokens are not annotated at all: see `misaligned_entities`.
    RETURNS (tuple): the tags that agree with the annotation, all of them where there is none. Shape:
        (tokens, 1 + 4 labels); and which tokens are annotated. Shape: (tokens,).
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
    """RETURNS (int): how many entities of the reference do not match tokens of the predicted document."""
    return len(example.reference.ents) - len(example.get_aligned_spans_y2x(example.reference.ents))


def entities_of(path: Sequence[int]) -> list[tuple[int, int, int]]:
    """RETURNS (list): (start, end, label number) of the entities of a valid tag sequence."""
    found = []
    start = 0
    for i, tag in enumerate(path):
        label, action = divmod(tag - 1, 4)
        if tag and action in (BEGIN, UNIT):
            start = i
        if tag and action in (LAST, UNIT):
            found.append((start, i + 1, label))
    return found
