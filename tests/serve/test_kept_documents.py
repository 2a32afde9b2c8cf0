"""A question that follows costs a service no more than it must, and gets the answer that it would have had at first."""

import pytest
from fastapi.testclient import TestClient

from spacy_bigbird.serve.app import create_app
from spacy_bigbird.serve.batching import Job
from spacy_bigbird.serve.engine import Engine
from spacy_bigbird.serve.settings import ServiceSettings
from tests.toy_questions import QUESTIONS, TEXT, TINY, make_nlp

DEEP = {**TINY, "num_hidden_layers": 2}


@pytest.fixture(scope="module")
def engines(vocab_file):
    """A pipeline that reads documents once, another with other weights, and one that reads them with each question."""
    return {
        name: Engine(make_nlp(vocab_file, seed, transformer_config=DEEP, join_layer=join_layer))
        for seed, (name, join_layer) in enumerate({"once": 1, "other": 1, "together": None}.items())
    }


@pytest.fixture
def encoded(engines, monkeypatch):
    """How many documents the lower layers encode, by pipeline."""
    counts = dict.fromkeys(engines, 0)
    for name, engine in engines.items():
        shim = engine._answering.shim

        def counting(inputs, layers, name=name, rows=shim._rows):
            counts[name] += inputs.token_type_ids is not None
            return rows(inputs, layers)

        monkeypatch.setattr(shim, "_rows", counting)
    return counts


def service(engines, **settings):
    return TestClient(create_app(ServiceSettings(pipelines=dict.fromkeys(engines, "a"), **settings), engines))


def number(client, name):
    (line,) = [line for line in client.get("/metrics").text.splitlines() if line.startswith(f"{name} ")]
    return float(line.split()[1])


def test_a_question_that_follows_encodes_no_document(engines, encoded):
    with service(engines) as client:
        first = client.post("/v1/documents", json={"text": TEXT, "questions": QUESTIONS[:1]}).json()
        assert encoded["once"] == 1 and number(client, "bigbird_kept_states_bytes") > 0
        more = client.post("/v1/ask", json={"document": first["id"], "questions": QUESTIONS[1:]}).json()
        assert encoded["once"] == 1
        size = number(client, "bigbird_kept_states_bytes")
        other = client.post("/v1/ask", json={"text": TEXT, "questions": QUESTIONS, "pipeline": "other"}).json()
        assert encoded["other"] == 1 and number(client, "bigbird_kept_states_bytes") == 2 * size
    with service(engines) as client:
        afresh = client.post("/v1/ask", json={"text": TEXT, "questions": QUESTIONS}).json()
        assert encoded["once"] == 2
    found = first["answers"] + more["answers"]
    assert [one["text"] for one in afresh["answers"]] == [one["text"] for one in found]
    assert [one["score"] for one in afresh["answers"]] == pytest.approx([one["score"] for one in found], abs=2e-4)
    assert found != other["answers"]


def test_a_document_that_is_not_kept_any_more_is_encoded_again(engines, encoded):
    with service(engines, kept_characters=0) as client:
        for question in QUESTIONS:
            client.post("/v1/ask", json={"text": TEXT, "questions": [question]})
        assert encoded["once"] == 1, "the states are kept, and the text was sent again"
    with service(engines, kept_megabytes=0) as client:
        for question in QUESTIONS:
            client.post("/v1/ask", json={"text": TEXT, "questions": [question]})
        assert encoded["once"] == 1 + len(QUESTIONS) and number(client, "bigbird_kept_states_bytes") == 0


def test_what_a_question_costs(engines):
    once, together = engines["once"], engines["together"]
    read, asked = Job(TEXT, QUESTIONS), Job(TEXT, QUESTIONS, is_known=True)
    one = once.pieces_of(Job(TEXT))
    assert one > 0 and (once.pieces_of(read), once.pieces_of(asked)) == (2 * one, one)
    assert (together.pieces_of(read), together.pieces_of(asked)) == (4 * one, 3 * one)
