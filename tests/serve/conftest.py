"""Pipelines that answer at once, and a client of a service with them."""

from collections.abc import Iterator

import pytest
import spacy
from fastapi.testclient import TestClient
from spacy.language import Language
from spacy.tokens import Doc, Span

from spacy_bigbird.annotations.extensions import install_extensions
from spacy_bigbird.annotations.questions import Answer
from spacy_bigbird.serve.app import create_app
from spacy_bigbird.serve.engine import Engine
from spacy_bigbird.serve.settings import ServiceSettings

NAMES = {"Anna", "Boris", "Clara"}


def mark_names(doc: Doc) -> Doc:
    """Annotates as the components of the package do, without a model."""
    if "crash" in doc.text:
        raise RuntimeError(f"a secret of the document: {doc.text}")
    found = [Span(doc, token.i, token.i + 1, label="PERSON") for token in doc if token.text in NAMES]
    for number, span in enumerate(found):
        span._.score = 0.9 - 0.3 * (number % 3)
    doc.ents = found
    doc.spans["clauses"] = [sentence for sentence in _sentences(doc) if len(sentence) > 2]
    doc.spans["clauses"].attrs["scores"] = [0.8] * len(doc.spans["clauses"])
    doc.cats = {"LEASE": 0.75, "SALE": 0.25}
    doc._.bigbird_stats = {"pieces": len(doc) + 2, "windows": 1}
    if doc._.questions:
        doc._.answers = [answer(doc, question) for question in doc._.questions]
    return doc


def _sentences(doc: Doc) -> Iterator[Span]:
    start = 0
    for token in doc:
        if token.text == ".":
            yield Span(doc, start, token.i + 1, label="CLAUSE")
            start = token.i + 1


def answer(doc: Doc, question: str) -> Answer:
    """The first name in the document; none if the question asks for nothing."""
    token = next((token for token in doc if token.text in NAMES and "nothing" not in question), None)
    place = (token.text, token.idx, token.idx + len(token)) if token else ("", 0, 0)
    row = {**dict(zip(("text", "start_char", "end_char"), place, strict=True)), "score": 0.7, "logit": 1.0}
    return Answer(question=question, **row, null_logit=0.0, alternatives=[row])


class ToyEngine(Engine):
    """Answers questions without a model."""

    @property
    def answers(self) -> bool:
        return True

    def _answers(self, job):
        doc = self.nlp.tokenizer(job.text)
        return [dict(answer(doc, question)) for question in job.questions]


def make_nlp() -> Language:
    install_extensions()
    nlp = spacy.blank("en")
    if not Language.has_factory("mark_names"):
        Language.component("mark_names", func=mark_names)
    nlp.add_pipe("mark_names")
    return nlp


def make_client(token: str | None = None, **settings) -> TestClient:
    """A client of a service with two pipelines, of which only the first answers questions."""
    chosen = ServiceSettings(pipelines={"names": "a", "plain": "b"}, token=token, **settings)
    engines = {"names": ToyEngine(make_nlp()), "plain": Engine(spacy.blank("en"))}
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    app = create_app(chosen, engines)
    return TestClient(app, headers=headers, raise_server_exceptions=False)


@pytest.fixture
def client():
    with make_client() as made:
        yield made
