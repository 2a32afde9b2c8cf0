"""The call shape of the pipeline that transformers removed."""

import pickle

import pytest
import spacy
import torch

from spacy_bigbird.question_answering import QuestionAnswerer
from tests.toy_questions import QUESTIONS, TEXT, make_nlp


@pytest.fixture(scope="module")
def nlp(vocab_file):
    return make_nlp(vocab_file)


@pytest.fixture(scope="module")
def question_answerer(nlp):
    return QuestionAnswerer(nlp)


def test_one_question(question_answerer):
    result = question_answerer(question="Who agrees?", context=TEXT)
    assert set(result) == {"score", "start", "end", "answer"}
    assert result["answer"] == TEXT[result["start"] : result["end"]] != ""
    assert question_answerer("Who agrees?", TEXT) == result


def test_several_answers_are_ranked_and_share_the_probability(question_answerer):
    found = question_answerer(question="Who agrees?", context=TEXT, top_k=50)
    assert found[0]["answer"] == question_answerer(question="Who agrees?", context=TEXT)["answer"]
    assert [row["score"] for row in found] == sorted((row["score"] for row in found), reverse=True)
    assert sum(row["score"] for row in found) == pytest.approx(1.0)
    assert len({(row["start"], row["end"]) for row in found}) == len(found) == 50
    assert all(row["answer"] for row in found)
    short = question_answerer(question="Who?", context="The town.", top_k=50, handle_impossible_answer=True)
    assert sum((row["answer"], row["start"], row["end"]) == ("", 0, 0) for row in short) == 1
    assert sum(row["score"] for row in short) == pytest.approx(1.0)


def test_no_answer_only_where_it_is_allowed(nlp, question_answerer, monkeypatch):
    def outputs(rows, ids, lengths):
        logits = torch.zeros(len(ids), 2)
        logits[0] = 9.0
        return logits

    monkeypatch.setattr(nlp.get_pipe("bigbird_span_qa").shim, "_outputs", outputs)
    refused = question_answerer(question="Who?", context="Both parties agree.", handle_impossible_answer=True)
    assert (refused["answer"], refused["start"], refused["end"]) == ("", 0, 0)
    assert refused["score"] > 0.99
    forced = question_answerer(question="Who?", context="Both parties agree.")
    assert forced["answer"] != ""
    assert 0.0 < forced["score"] <= 1.0


def test_lists_of_questions_and_contexts(question_answerer):
    single = [question_answerer(question=question, context=TEXT) for question in QUESTIONS]
    together = question_answerer(question=QUESTIONS, context=TEXT)
    assert [row["answer"] for row in together] == [row["answer"] for row in single]
    contexts = [TEXT, "Short.", TEXT]
    found = question_answerer(question=QUESTIONS, context=contexts, max_answer_len=2, top_k=2)
    for context, rows in zip(contexts, found, strict=True):
        assert all(row["answer"] == context[row["start"] : row["end"]] for row in rows)
    with pytest.raises(ValueError, match=r"BB314.*3 questions and 2 contexts"):
        question_answerer(question=QUESTIONS, context=contexts[:2])


def test_nothing_to_answer_with(question_answerer):
    nothing = {"score": 1.0, "start": 0, "end": 0, "answer": ""}
    for question, context in [("Who?", ""), ("", TEXT), ("Who?", " \n")]:
        assert question_answerer(question=question, context=context) == nothing


def test_needs_a_component_that_answers_questions(nlp, tmp_path):
    with pytest.raises(ValueError, match="BB315"):
        QuestionAnswerer(spacy.blank("en"))
    nlp.to_disk(tmp_path)
    loaded = pickle.loads(pickle.dumps(QuestionAnswerer(tmp_path)))
    assert loaded("Who agrees?", TEXT)["answer"] == QuestionAnswerer(nlp)("Who agrees?", TEXT)["answer"]
