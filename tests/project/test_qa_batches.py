"""Extracts and beginnings of documents with questions."""

import random

import pytest
import spacy
from spacy.training import Example

from project.workflows.qa import task as qa
from project.workflows.qa.articles import Article
from project.workflows.qa.batches import as_example, doc_part, extracts, make_extract_batcher, make_questions
from spacy_bigbird.annotations.questions import gold_texts, read_questions, without_gold


def long_doc(length=400, answers=((50, 52), (310, 314))):
    nlp = spacy.blank("en")
    words = [f"w{n}" for n in range(length)]
    text = " ".join(words)
    starts = [sum(len(word) + 1 for word in words[:n]) for n in range(length + 1)]
    found = [{"text": text[starts[a] : starts[b] - 1], "answer_start": starts[a]} for a, b in answers]
    asked = [
        {"id": "x__first", "question": "Which?", "answers": found, "is_impossible": False},
        {"id": "x__second", "question": "What?", "answers": [], "is_impossible": True},
    ]
    return qa.as_doc(nlp, Article("x", "train", text, asked))


def test_parts_keep_the_answers_that_lie_in_them_as_a_whole():
    doc = long_doc()
    part = doc_part(doc, 51, 320)
    assert part.text == doc[51:320].text_with_ws and len(part) == 269
    (answer,) = part._.questions[0]["answers"]
    assert answer["text"] == "w310 w311 w312 w313"
    assert part.text[answer["answer_start"] :].startswith(answer["text"])
    assert doc_part(doc, 51, 60)._.questions[0]["is_impossible"]
    assert [len(question["answers"]) for question in doc_part(doc, 0, 9999)._.questions] == [2, 0]
    assert len(doc._.questions[0]["answers"]) == 2
    example = as_example(part)
    assert "answers" not in example.predicted._.questions[0] and example.predicted.text == part.text


@pytest.mark.parametrize("size", [3, 40, 390, 1000])
def test_extracts_hold_one_answer_anywhere_or_none(size):
    doc, generator = long_doc(), random.getstate()
    random.seed(1)
    with_answer = [part for _ in range(60) for part in extracts(doc, doc._.questions[0], size, negatives=2.0)]
    without = list(extracts(doc, doc._.questions[1], size, negatives=1.5))
    random.setstate(generator)
    kinds = [bool(part._.questions[0]["answers"]) for part in with_answer]
    assert sum(kinds) == 60 and all(len(part) <= max(size, 4) for part in with_answer)
    assert not any(part._.questions[0]["answers"] for part in without) and len(without) in (1, 2)
    if size == 1000:
        assert len(with_answer) == 60 and all(part.text == doc.text for part in with_answer)
    elif size == 40:
        # The answer begins anywhere in its extract, and all extracts are equally long.
        starts = {
            part._.questions[0]["answers"][0]["answer_start"] for part in with_answer if part._.questions[0]["answers"]
        }
        assert len(starts) > 20 and {len(part) for part in with_answer} == {40}


def test_batches_of_extracts_grow_with_the_budget(monkeypatch):
    from project.workflows.qa import batches as qa_batches

    class Share:
        seconds = 600.0
        share = 0.2

    monkeypatch.setattr(qa_batches, "CLOCK", Share)
    examples = [as_example(long_doc()) for _ in range(6)]
    batcher = make_extract_batcher(pieces=240, phases=[{"until": 0.5, "tokens": 20}, {"tokens": 100}])
    batches = list(batcher(examples))
    # Six questions have an extract with an answer and, unless it met one, another; six have one without.
    assert sum(map(len, batches)) >= 10 and {len(batch) for batch in batches} == {10}
    assert {len(one.predicted) for batch in batches for one in batch} == {20}
    Share.share = 0.6
    assert {len(one.predicted) for batch in batcher(examples) for one in batch} == {100}


def test_the_reader_gives_the_beginnings(tmp_path, vocab_file):
    nlp = spacy.blank("en")
    spacy.tokens.DocBin(docs=[long_doc(), long_doc()], store_user_data=True).to_disk(tmp_path / "train.spacy")
    whole, _ = make_questions(str(tmp_path / "train.spacy"))(nlp)
    (first,) = make_questions(str(tmp_path / "train.spacy"), str(vocab_file), first_pieces=200, limit=1)(nlp)
    assert len(whole.reference) == 400 and len(whole.reference._.questions[0]["answers"]) == 2
    assert len(first.reference) < 200 and whole.reference.text.startswith(first.reference.text)
    assert [answer["text"] for answer in first.reference._.questions[0]["answers"]] == ["w50 w51"]


def test_answers_after_the_beginning_count_as_missed_in_development(tmp_path, vocab_file):
    nlp = spacy.blank("en")
    spacy.tokens.DocBin(docs=[long_doc()], store_user_data=True).to_disk(tmp_path / "dev.spacy")
    (first,) = make_questions(str(tmp_path / "dev.spacy"), str(vocab_file), first_pieces=99, is_dev=True)(nlp)
    assert len(first.predicted) == len(first.reference) < 99
    asked = first.reference._.questions
    assert asked == long_doc()._.questions and asked[0]["answers"]
    gold = {text for question in asked for text in gold_texts(question)}
    assert any(text not in first.predicted.text for text in gold)
    # spaCy evaluates copies.
    copied = Example(first.predicted.copy(), first.reference)
    assert read_questions(copied.predicted) == without_gold(asked) and read_questions(copied.reference) == asked
