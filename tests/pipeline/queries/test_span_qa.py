"""Span question answering as a component: learning, saving, importing, windows, and every odd input."""

import json

import pytest
import spacy
import torch
from spacy.tokens import DocBin

from spacy_bigbird.annotations.questions import Answer
from spacy_bigbird.pipeline.queries.span_qa import SpanQA
from tests.toy_questions import QUESTIONS, TEXT, asked, make_nlp

from .toy_answers import places, question


def assert_same(left, right, tolerance=1e-5):
    assert places(left) == places(right)
    for one, other in zip(left, right, strict=True):
        assert [one.score, one.logit, one.null_logit] == pytest.approx(
            [other.score, other.logit, other.null_logit], abs=tolerance
        )


def plant(component, monkeypatch, wanted):
    """Let the model give high logits to the first and the last of certain pieces, wherever they stand."""

    def outputs(rows, ids, lengths):
        logits = torch.zeros(len(ids), 2)
        for place in range(len(ids)):
            if ids[place : place + len(wanted)].tolist() == wanted:
                logits[place, 0] = logits[place + len(wanted) - 1, 1] = 5.0
        return logits

    monkeypatch.setattr(component.shim, "_outputs", outputs)


def test_answers_are_slices_of_the_text_in_the_order_of_the_questions(nlp):
    doc = nlp(asked(nlp, TEXT, QUESTIONS))
    assert [answer.question for answer in doc._.answers] == QUESTIONS
    for answer in doc._.answers:
        assert isinstance(answer, Answer)
        assert doc.text[answer.start_char : answer.end_char] == answer.text
        assert sum(row["score"] for row in answer.alternatives) == pytest.approx(1.0)
        assert answer.score in [row["score"] for row in answer.alternatives]
        assert next(row for row in answer.alternatives if not row["text"])["logit"] == answer.null_logit
        for row in answer.alternatives:
            assert row["text"] == doc.text[row["start_char"] : row["end_char"]] == row["text"].strip()
    json.dumps(doc._.answers)


@pytest.mark.parametrize("max_batch_pieces", [1, 60, 10**6])
def test_neither_other_questions_nor_the_batch_matter(nlp, vocab_file, max_batch_pieces):
    questions = [f"Which of the {number} parties?" for number in range(12)]
    other = make_nlp(vocab_file, max_batch_pieces=max_batch_pieces)
    component = other.get_pipe("bigbird_span_qa")
    together = component.ask(other.make_doc(TEXT), questions)
    alone = [nlp.get_pipe("bigbird_span_qa").ask(nlp.make_doc(TEXT), text)[0] for text in questions]
    assert_same(together, alone)
    docs = [asked(other, TEXT, questions), asked(other, "Short.", ["Who?"]), asked(other, TEXT[:90], ["Who?"])]
    assert_same(next(iter(other.pipe(docs)))._.answers, alone)


@pytest.mark.parametrize("overlap", [None, 3, 9])
def test_a_planted_answer_is_found_at_every_offset_around_a_window_edge(vocab_file, monkeypatch, overlap):
    nlp = make_nlp(vocab_file, overlap=overlap, max_batch_pieces=200)
    component = nlp.get_pipe("bigbird_span_qa")
    tokenizer = component.shim.tokenizer
    answer = "both parties"
    wanted = tokenizer.text_pieces([answer])[0].ids.tolist()
    plant(component, monkeypatch, wanted)
    for before in range(0, 60):
        text = "the " * before + answer + " of" * (70 - before)
        doc = nlp(asked(nlp, text, ["Who?"]))
        (found,) = doc._.answers
        # Without an overlap of the answer's length no window may hold all of it; the default overlap does.
        if overlap is None or overlap >= len(wanted):
            assert (found.text, found.start_char) == (answer, 4 * before)
            assert [span.text for span in doc.spans["answers"]] == [answer]
            assert found.logit == 10.0
            assert found.null_logit == 0.0


def test_answers_are_whole_tokens_unless_pieces_are_wanted(nlp, monkeypatch):
    component = nlp.get_pipe("bigbird_span_qa")
    text = "so Xagreement, of"
    doc = nlp.make_doc(text)
    pieces = component.shim.tokenizer.text_pieces([text])[0]
    inside = [number for number, (start, end) in enumerate(pieces.offsets) if 3 < start < end < 13]
    assert inside, "the vocabulary is expected to cut this word"
    plant(component, monkeypatch, pieces.ids[inside[:1]].tolist())
    assert places(component.ask(doc, "?")) == [("Xagreement", 3, 13)]
    start, end = pieces.offsets[inside[0]].tolist()
    assert places(component.ask(doc, "?", align_to_tokens=False)) == [(text[start:end], start, end)]


def test_threshold_length_grouping_and_their_names(nlp, monkeypatch):
    component = nlp.get_pipe("bigbird_span_qa")
    doc = nlp.make_doc("the town, the city, the town")
    wanted = component.shim.tokenizer.text_pieces(["the town"])[0].ids.tolist()
    plant(component, monkeypatch, wanted)
    (answer,) = component.ask(doc, ["Where?"])
    starts = [row["start_char"] for row in answer.alternatives if row["text"] == "the town"]
    assert sorted(starts) == [0, 20], "both mentions stay"
    (grouped,) = component.ask(doc, ["Where?"], group_by_text=True)
    assert [row["start_char"] for row in grouped.alternatives if row["text"] == "the town"] == [0]
    (refused,) = component.ask(doc, ["Where?"], null_threshold=-10.5)
    assert (refused.text, refused.start_char, refused.end_char) == ("", 0, 0)
    assert refused.best_text == "the town"
    assert refused.null_odds == -10.0
    (short,) = component.ask(doc, ["Where?"], max_answer_length=1)
    assert max(len(row["text"].split()) for row in short.alternatives) == 1
    assert len(component.ask(doc, ["Where?"], n_best=2)[0].alternatives) == 3
    with pytest.raises(TypeError, match=r"BB242.*'threshold'"):
        component.ask(doc, ["Where?"], threshold=0.0)


@pytest.mark.parametrize("text", ["", " ", "\n\n \t", "Paris", "?", " Paris \n", "\u200b", "🙂 " * 60])
@pytest.mark.parametrize("questions", [None, [], [""], ["  \n"], ["Who?", ""], ["Who? " * 50]])
@pytest.mark.filterwarnings("ignore:.*BW240")
def test_odd_questions_and_documents_have_defined_answers(nlp, text, questions):
    doc = nlp(asked(nlp, text, questions))
    assert [answer.question for answer in doc._.answers] == (questions or [])
    for answer in doc._.answers:
        assert doc.text[answer.start_char : answer.end_char] == answer.text
        assert 0.0 <= answer.score <= 1.0
        if not answer.question.strip() or not text.strip():
            assert (places([answer]), answer.score, len(answer.alternatives)) == ([("", 0, 0)], 1.0, 1)
    assert len(doc.spans["answers"]) == sum(bool(answer.text) for answer in doc._.answers)


def test_the_question_may_be_the_document(nlp):
    (answer,) = nlp(asked(nlp, TEXT[:50], [TEXT[:50]]))._.answers
    assert TEXT[answer.start_char : answer.end_char] == answer.text


def test_questions_in_the_shape_of_squad_and_bad_ones(nlp):
    doc = nlp(asked(nlp, TEXT, [{"id": "a", **question("Who?", ("court", 4))}, "Who?"]))
    assert_same(doc._.answers[:1], doc._.answers[1:])
    for wrong in (
        "Who?",
        [{"question": "Who?", "answers": ["court"]}],
        [{"question": "Who?", "answers": {"text": "a"}}],
    ):
        with pytest.raises(ValueError, match="BB240"):
            nlp(asked(nlp, TEXT, wrong))


def test_a_text_in_place_of_a_doc_is_told_what_to_do(nlp):
    with pytest.raises(TypeError, match=r"BB246.*given a str.*nlp\.make_doc"):
        nlp.get_pipe("bigbird_span_qa").ask(TEXT, "Who?")


@pytest.mark.parametrize(
    "settings, said",
    [
        ({"n_best": 0}, "n_best = 0 .*whole number"),
        ({"max_answer_length": 2.5}, "max_answer_length = 2.5"),
        ({"null_threshold": "low"}, "null_threshold = 'low' .*a number"),
        ({"null_threshold": float("nan")}, "null_threshold = nan"),
    ],
)
def test_settings_that_are_not_allowed_are_named(nlp, settings, said):
    component = nlp.get_pipe("bigbird_span_qa")
    with pytest.raises(ValueError, match=f"BB200.*{said}"):
        component.ask(nlp.make_doc(TEXT), "Who?", **settings)
    with pytest.raises(ValueError, match=f"BB200.*{said}"):
        SpanQA(nlp.vocab, component.model, "qa", None, **{**dict(component.settings), **settings})


def test_a_saved_setting_comes_back_and_a_new_config_wins(vocab_file, tmp_path):
    nlp = make_nlp(vocab_file)
    nlp.get_pipe("bigbird_span_qa").set(null_threshold=1.5)
    nlp.to_disk(tmp_path)
    assert spacy.load(tmp_path).get_pipe("bigbird_span_qa").settings.null_threshold == 1.5
    changed = spacy.load(tmp_path, config={"components": {"bigbird_span_qa": {"null_threshold": -2.0, "n_best": 3}}})
    assert changed.get_pipe("bigbird_span_qa").settings.null_threshold == -2.0
    assert changed.get_pipe("bigbird_span_qa").settings.n_best == 3
    batches = {"components": {"bigbird_span_qa": {"model": {"max_batch_pieces": 7}}}}
    assert spacy.load(tmp_path, config=batches).get_pipe("bigbird_span_qa").shim.settings.max_batch_pieces == 7


def test_factory_defaults_are_complete_and_answers_travel_in_a_docbin(nlp):
    block = nlp.config["components"]["bigbird_span_qa"]
    assert (block["n_best"], block["max_answer_length"], block["null_threshold"]) == (20, 30, 0.0)
    assert nlp.get_pipe_meta("bigbird_span_qa").default_score_weights["qa_f1"] == 0.5
    assert isinstance(nlp.get_pipe("bigbird_span_qa"), SpanQA)
    doc = nlp(asked(nlp, TEXT, QUESTIONS))
    stored = DocBin(docs=[doc], store_user_data=True).to_bytes()
    (again,) = DocBin(store_user_data=True).from_bytes(stored).get_docs(nlp.vocab)
    assert places(again._.answers) == places(doc._.answers)
    assert [span.text for span in again.spans["answers"]] == [span.text for span in doc.spans["answers"]]
