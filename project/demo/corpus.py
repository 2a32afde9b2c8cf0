"""Converts contracts to Docs, and reads and writes the corpora of the demonstration."""

import random
from collections.abc import Iterable, Iterator
from pathlib import Path

import spacy
from spacy.language import Language
from spacy.tokens import Doc, DocBin

from spacy_bigbird.annotations.questions import install_question_extensions

from .contracts import FIRST_PART, Contract


def as_doc(nlp: Language, contract: Contract) -> Doc:
    """Convert a contract to a document with gold entities, categories and questions.

    nlp (Language): the pipeline, which tokenizes the text.
    contract (Contract): the contract.
    RETURNS (Doc): the document, with the places of the categories' clauses in `user_data["clauses"]`.
    """
    install_question_extensions()
    doc = nlp.make_doc(contract.text)
    spans = [doc.char_span(start, end, label=label) for start, end, label in contract.entities]
    if None in spans:
        start, end, label = contract.entities[spans.index(None)]
        raise ValueError(f"The {label} {contract.text[start:end]!r} does not begin and end where tokens do.")
    doc.set_ents(spans, default="outside")
    doc.cats = {label: float(is_true) for label, is_true in contract.categories.items()}
    doc._.questions = contract.questions
    doc.user_data["clauses"] = contract.clauses
    return doc


def first_part(doc: Doc, tokens: int = FIRST_PART) -> Doc:
    """RETURNS (Doc): the first tokens of a document, with the categories of the whole."""
    part = doc[:tokens].as_doc()
    part.cats = dict(doc.cats)
    return part


def save_docs(path: Path, docs: Iterable[Doc]) -> None:
    """Write documents, including their questions, to a .spacy file."""
    DocBin(docs=docs, store_user_data=True).to_disk(path)


def read_docs(path: Path, nlp: Language | None = None) -> Iterator[Doc]:
    """Read what `save_docs` wrote."""
    yield from DocBin().from_disk(path).get_docs((nlp or spacy.blank("en")).vocab)


def shuffled(docs: Iterable[Doc], seed: int) -> list[Doc]:
    """RETURNS (list[Doc]): the documents in an order that depends on the seed."""
    docs = list(docs)
    random.Random(seed).shuffle(docs)
    return docs
