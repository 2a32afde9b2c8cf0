"""Writes corpora: spaCy's .spacy, JSON lines, and columns of tokens and tags."""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from spacy.tokens import Doc, DocBin
from spacy.training.iob_utils import biluo_to_iob, doc_to_biluo_tags

from ...annotations.questions import read_questions
from ...errors import Errors

PARTS = ("train", "dev", "test")
NO_ENTITIES = "-DOCSTART- -X- O O"


def write_spacy(docs: list[Doc], path: Path) -> None:
    """Write a .spacy file, with the questions of the documents.

    docs (list[Doc]): the documents.
    path (Path): the file.
    """
    DocBin(docs=docs, store_user_data=True).to_disk(path)


def write_jsonl(docs: list[Doc], path: Path) -> None:
    """Write JSON lines, as `spacy-bigbird.JsonlCorpus.v1` reads them. Arguments as for `write_spacy`."""
    with path.open("w", encoding="utf8") as file:
        file.writelines(json.dumps(as_json(doc), ensure_ascii=False) + "\n" for doc in docs)


def as_json(doc: Doc) -> dict[str, Any]:
    """Convert a document to an object of JSON lines.

    doc (Doc): the document.
    RETURNS (dict[str, Any]): its text, and what is annotated: entities, cats, spans and questions.
    """
    found: dict[str, Any] = {"text": doc.text}
    if doc.has_annotation("ENT_IOB"):
        found["entities"] = [[ent.start_char, ent.end_char, ent.label_] for ent in doc.ents]
    spans = {key: [[s.start_char, s.end_char, s.label_] for s in group] for key, group in doc.spans.items()}
    found |= {"cats": doc.cats} if doc.cats else {}
    found |= {"spans": spans} if spans else {}
    questions = read_questions(doc)
    return found | ({"questions": questions} if questions else {})


def write_conll(docs: list[Doc], path: Path) -> None:
    """Write a token and its IOB tag on each line. Arguments as for `write_spacy`."""
    with path.open("w", encoding="utf8") as file:
        for doc in docs:
            file.write(f"{NO_ENTITIES}\n\n")
            tags = biluo_to_iob(doc_to_biluo_tags(doc, missing="O"))
            for token, tag in zip(doc, tags, strict=True):
                # Spaces and line breaks are no tokens in columns.
                if not token.is_space:
                    file.write(f"\n{token.text} {tag}" if token.is_sent_start and token.i else f"{token.text} {tag}")
                    file.write("\n")
            file.write("\n")


WRITERS: dict[str, Callable[[list[Doc], Path], None]] = {
    "spacy": write_spacy,
    "jsonl": write_jsonl,
    "conll": write_conll,
}


def split(sources: Sequence[str], shares: Sequence[int], seed: int) -> Iterator[tuple[str, list[int]]]:
    """Share documents out to training, development and test.

    sources (Sequence[str]): the source of each document. Documents of one source stay together.
    shares (Sequence[int]): two or three shares, in percent.
    seed (int): decides which documents come where.
    YIELDS (tuple[str, list[int]]): the name of a part and the numbers of its documents, in order.
    RAISES ValueError: the shares do not add up to 100, or a part would be empty.
    """
    if not 2 <= len(shares) <= len(PARTS) or sum(shares) != 100 or min(shares) <= 0:
        raise ValueError(Errors.BB510.format(shares=",".join(map(str, shares))))
    groups: dict[str, list[int]] = {}
    for number, source in enumerate(sources):
        groups.setdefault(source, []).append(number)
    order = list(groups.values())
    random.Random(seed).shuffle(order)
    parts: list[list[int]] = [[] for _ in shares]
    for group in order:
        # The part that is furthest below its share gets the next source.
        lacking = [share * len(sources) / 100 - len(part) for share, part in zip(shares, parts, strict=True)]
        parts[lacking.index(max(lacking))] += group
    if not all(parts):
        raise ValueError(Errors.BB511.format(number=len(groups), parts=len(shares)))
    yield from zip(PARTS, map(sorted, parts), strict=False)
