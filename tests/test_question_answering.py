"""The call shape of the pipeline that transformers removed."""

import pickle
import re
import warnings

import pytest
import spacy
import torch

from spacy_bigbird.question_answering import QuestionAnswerer
from spacy_bigbird.thinc_layers.question_windows import QuestionTokenizer
from spacy_bigbird.tokenizer import BigBirdTokenizer
from tests.toy_questions import QUESTIONS, TEXT, TINY, asked, make_nlp


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


QUESTION, CONTEXT = "Who agrees?", TEXT


@pytest.mark.parametrize(
    ("arguments", "keywords"),
    [
        (({"question": QUESTION, "context": CONTEXT},), {}),
        (([{"question": QUESTION, "context": CONTEXT}],), {}),
        ((), {"data": {"question": QUESTION, "context": CONTEXT}}),
        ((QUESTION, CONTEXT), {}),
        (([QUESTION], CONTEXT), {}),
        ((QUESTION,), {"context": CONTEXT}),
        ((), {"question": [QUESTION], "context": [CONTEXT]}),
        ((), {"question": QUESTION, "context": CONTEXT, "topk": 1, "padding": "longest", "batch_size": 8}),
    ],
)
def test_every_form_of_a_call(question_answerer, arguments, keywords):
    """As transformers does, a single question gives a dictionary, in a list or not."""
    assert question_answerer(*arguments, **keywords) == question_answerer(question=QUESTION, context=CONTEXT)


@pytest.fixture(scope="module")
def two_pipelines(vocab_file, tmp_path_factory):
    """Ours and that of transformers on the same weights, and a context of words that are one piece each."""
    transformers = pytest.importorskip("transformers")
    if "question-answering" not in transformers.pipelines.SUPPORTED_TASKS:
        pytest.skip("this version of transformers has no such pipeline (version 5.3 dropped it)")
    nlp = make_nlp(vocab_file, transformer_config={**TINY, "attention_type": "original_full"})
    module = nlp.get_pipe("bigbird_span_qa").shim.module
    torch.manual_seed(1)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    folder = tmp_path_factory.mktemp("weights")
    module.save_pretrained(folder)
    theirs = transformers.pipeline(
        "question-answering",
        model=transformers.BigBirdForQuestionAnswering.from_pretrained(folder),
        tokenizer=transformers.BigBirdTokenizerFast(str(vocab_file)),
        device="cpu",
    )
    tokenizer = BigBirdTokenizer(vocab_file)
    words = [word for word in dict.fromkeys(re.findall(r"\w+", TEXT)) if len(tokenizer(word).ids) == 3]
    assert len(words) > 10
    return QuestionAnswerer(nlp), theirs, " ".join(words * 2)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"top_k": 5},
        {"top_k": 3, "handle_impossible_answer": True},
        {"top_k": 3, "max_answer_len": 2},
        {"top_k": 3, "align_to_words": False},
        {"question": QUESTIONS[:2], "top_k": 2},
    ],
    ids=str,
)
def test_answers_and_their_order_are_those_of_transformers(two_pipelines, settings):
    ours, theirs, context = two_pipelines
    given = {"question": "Who agrees?", "context": context, "max_answer_len": 4, **settings}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found, expected = (flat(pipeline(**given)) for pipeline in (ours, theirs))
    assert len(found) == len(expected) == settings.get("top_k", 1) * len(settings.get("question", [""]))
    for one, other in zip(found, expected, strict=True):
        space = len(other["answer"]) - len(other["answer"].lstrip())
        assert (one["start"], one["end"]) == (other["start"] + space, other["end"])
        assert one["answer"] == other["answer"].strip()
    if "question" not in settings:
        best = expected[0]["score"] / found[0]["score"]
        assert [row["score"] * best for row in found] == pytest.approx([row["score"] for row in expected], rel=1e-4)


def flat(results):
    """The answers to all questions, one after the other."""
    return [row for part in results for row in flat(part)] if isinstance(results, list) else [results]


def test_several_dictionaries_and_their_ids(question_answerer):
    asked = [{"question": text, "context": TEXT, "id": number} for number, text in enumerate(QUESTIONS)]
    results = question_answerer(asked)
    assert [result.pop("id") for result in results] == [0, 1, 2]
    assert results == question_answerer(question=QUESTIONS, context=TEXT)
    rows = question_answerer(asked[0], topk=2)
    assert [row["id"] for row in rows] == [0, 0]
    assert "id" not in question_answerer(question="Who?", context=TEXT)


def test_ids_reach_the_answers_of_the_component(nlp):
    doc = nlp(asked(nlp, TEXT, [{"id": "q1", "question": "Who agrees?"}, "Where?", {"id": "q2", "question": " "}]))
    assert [answer.get("id") for answer in doc._.answers] == ["q1", None, "q2"]
    assert doc._.answers[0].id == "q1" and doc._.answers[0].text


def test_a_blank_question_is_said(nlp):
    with pytest.warns(UserWarning, match="BW662.*blank questions get no answer"):
        first, second = nlp.get_pipe("bigbird_span_qa").ask(nlp.make_doc(TEXT), ["", "Who agrees?"])
    assert first.text == "" and second.text


def test_windows_are_those_of_the_call(nlp, question_answerer, monkeypatch):
    seen = []
    windows = QuestionTokenizer.windows

    def watched(self, question, document):
        found = windows(self, question, document)
        seen.extend((len(window.ids), window.start, window.end, len(question)) for window in found)
        return found

    monkeypatch.setattr(QuestionTokenizer, "windows", watched)
    question_answerer(QUESTION, TEXT)
    assert max(size for size, *_ in seen) == 48
    seen.clear()
    question_answerer(QUESTION, TEXT, max_seq_len=24, doc_stride=5, max_question_len=6)
    assert max(size for size, *_ in seen) <= 24 and len(seen) > 2
    assert seen[0][2] - seen[1][1] == 5
    seen.clear()
    with pytest.warns(UserWarning, match="BW240"):
        question_answerer(QUESTION * 3, TEXT, max_seq_len=4096, max_question_len=2)
    assert {length for *_, length in seen} == {2} and max(size for size, *_ in seen) == 48


@pytest.mark.parametrize(
    ("keywords", "code"),
    [
        ({"top_k": 0}, "BB200"),
        ({"max_answer_len": 0}, "BB200"),
        ({"doc_stride": 20, "max_seq_len": 10}, "BB200"),
        ({"context": None}, "BB666"),
    ],
)
def test_what_transformers_refuses_too(question_answerer, keywords, code):
    with pytest.raises(ValueError, match=code):
        question_answerer(**{"question": QUESTION, "context": TEXT, **keywords})
    with pytest.raises(ValueError, match="BB666"):
        question_answerer({"question": QUESTION})


@pytest.mark.filterwarnings("ignore:.BW662")
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
