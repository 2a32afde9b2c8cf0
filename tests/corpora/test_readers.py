"""Readers of questions: gold stands on the reference only, offsets are kept, and nothing is lost without a word."""

import json
import lzma
import random

import pytest
import spacy
from spacy.tokens import DocBin
from spacy.training import Example

from spacy_bigbird.annotations.questions import gold_spans, install_question_extensions, read_questions
from spacy_bigbird.corpora.readers import make_question_corpus, make_squad_corpus

FIRST = "The Seine flows through Paris. Paris is large."
SECOND = "Rome was not built in a day."


@pytest.fixture
def nlp():
    return spacy.blank("en")


def squad(*questions):
    paragraphs = [{"context": FIRST, "qas": list(questions)}]
    return {
        "version": "2.0",
        "data": [
            {"title": "t", "paragraphs": [*paragraphs, {"context": SECOND, "qas": [ask("2", "What?", ("Rome", 0))]}]}
        ],
    }


def ask(name, text, *answers, **more):
    return {"id": name, "question": text, "answers": [{"text": t, "answer_start": s} for t, s in answers], **more}


def write(path, value):
    path.write_text(json.dumps(value), encoding="utf8")
    return path


def test_gold_stands_on_the_reference_only(tmp_path, nlp):
    first = ask("1", "Which city?", ("Paris", 24), ("Paris", 31), ("Paris", 24))
    impossible = ask("i", "Who?", is_impossible=True, plausible_answers=[{"text": "Seine", "answer_start": 4}])
    path = write(tmp_path / "squad.json", squad(first, impossible))
    examples = list(make_squad_corpus(path)(nlp))
    assert [example.reference.text for example in examples] == [FIRST, SECOND]
    reference, predicted = examples[0].reference, examples[0].predicted
    assert reference._.questions == [first, impossible]
    assert predicted._.questions == [
        {"id": "1", "question": "Which city?"},
        {"id": "i", "question": "Who?"},
    ]
    assert gold_spans(first, FIRST) == ([(24, 29), (31, 36)], 0)
    assert gold_spans(impossible, FIRST) == ([], 0)


def test_wrong_offsets_are_counted_and_reported_once(tmp_path, nlp):
    wrong = ask("1", "Which city?", ("Paris", 25), ("Paris", 24), ("Paris", -1), ("", 0))
    reader = make_squad_corpus(write(tmp_path / "squad.json", squad(wrong)))
    with pytest.warns(UserWarning, match=r"(?s)BW310.*3 of 5 answers"):
        examples = list(reader(nlp))
    assert gold_spans(wrong, FIRST) == ([(24, 29)], 3)
    assert examples[0].reference._.questions == [wrong], "the texts still count in the scores"
    assert len(list(reader(nlp))) == 2


def test_joined_paragraphs_move_the_offsets(tmp_path, nlp):
    path = write(tmp_path / "squad.json", squad(ask("1", "Which city?", ("Paris", 31))))
    (example,) = make_squad_corpus(path, join_paragraphs=True)(nlp)
    text = example.reference.text
    spans = [gold_spans(question, text)[0] for question in read_questions(example.reference)]
    assert [[text[start:end] for start, end in found] for found in spans] == [["Paris"], ["Rome"]]
    assert spans[1] == [(len(FIRST) + 2, len(FIRST) + 6)]


def test_many_questions_are_split_and_none_is_lost(tmp_path, nlp):
    questions = [ask(str(i), f"Question {i}?", ("Paris", 24)) for i in range(5)]
    path = write(tmp_path / "squad.json", squad(*questions))
    examples = list(make_squad_corpus(path, max_questions=2)(nlp))
    assert [len(example.reference._.questions) for example in examples] == [2, 2, 1, 1]
    assert [q["id"] for example in examples[:3] for q in example.predicted._.questions] == list("01234")
    assert len(list(make_squad_corpus(path, max_questions=2, limit=3)(nlp))) == 3


def test_a_folder_is_read_in_order_and_empty_contexts_stay(tmp_path, nlp):
    write(tmp_path / "b.json", {"data": [{"paragraphs": [{"context": "b", "qas": []}]}]})
    write(tmp_path / "a.json", {"data": [{"paragraphs": [{"context": "", "qas": [ask("e", "Anything?")]}]}]})
    examples = list(make_squad_corpus(tmp_path)(nlp))
    assert [example.reference.text for example in examples] == ["", "b"]
    assert [example.predicted._.questions for example in examples] == [[{"id": "e", "question": "Anything?"}], []]


@pytest.mark.parametrize("value", [{"paragraphs": []}, [], {"data": [{"paragraphs": [{"context": "x"}]}]}])
def test_another_format_is_named(tmp_path, nlp, value):
    with pytest.raises(ValueError, match=r"BB311.*wrong.json"):
        list(make_squad_corpus(write(tmp_path / "wrong.json", value))(nlp))


@pytest.mark.parametrize("make", [make_squad_corpus, make_question_corpus])
def test_a_missing_path_is_an_error(make, tmp_path, nlp):
    with pytest.raises(ValueError, match="BB310"):
        make(None)
    for path in (tmp_path / "nowhere.json", tmp_path):
        with pytest.raises(ValueError, match="BB310"):
            list(make(path)(nlp))


def test_question_corpus_from_a_docbin(tmp_path, nlp):
    install_question_extensions()
    doc = nlp(FIRST)
    doc._.questions = ["No gold here?", *(ask(str(i), "Which city?", ("Paris", 24)) for i in range(3))]
    doc._.choices = [{"question": "Which?", "options": ["Rome", "Paris"], "answer": 1}]
    doc._.masks = [[4, 9]]
    DocBin(docs=[doc, nlp(SECOND)], store_user_data=True).to_disk(tmp_path / "train.spacy")
    whole, plain = make_question_corpus(tmp_path / "train.spacy")(nlp)
    assert plain.reference.text == SECOND
    assert read_questions(plain.predicted) == []
    assert [gold_spans(q, FIRST)[0] for q in read_questions(whole.reference)] == [[], *([(24, 29)],) * 3]
    assert read_questions(whole.predicted)[1] == {"id": "0", "question": "Which city?"}
    assert not any("answers" in question for question in read_questions(whole.predicted))
    assert whole.predicted._.choices == [{"question": "Which?", "options": ("Rome", "Paris")}]
    assert whole.reference._.choices[0]["answer"] == 1
    assert list(whole.predicted._.masks) == [(4, 9)]
    parts = list(make_question_corpus(tmp_path, max_questions=3)(nlp))
    assert [len(read_questions(part.reference)) for part in parts] == [3, 1, 0]
    assert all(isinstance(part, Example) for part in parts)


@pytest.mark.parametrize("value", ["Who?", [3], [{"text": "Who?"}], {"question": "Who?"}])
def test_what_is_no_list_of_questions_is_an_error(nlp, value):
    install_question_extensions()
    doc = nlp(FIRST)
    doc._.questions = value
    with pytest.raises(ValueError, match="BB240"):
        read_questions(doc)


def test_every_answer_of_real_articles_is_found_again(data_dir, tmp_path, nlp):
    articles = json.loads(lzma.decompress((data_dir / "covid_qa" / "covid_qa_ccby_squad.json.xz").read_bytes()))
    articles["data"] = random.Random(5).sample(articles["data"], 5)
    path = write(tmp_path / "covid.json", articles)
    examples = list(make_squad_corpus(path, join_paragraphs=True)(nlp))
    assert len(examples) == 5
    for example in examples:
        for question in read_questions(example.reference):
            spans, mismatched = gold_spans(question, example.reference.text)
            assert mismatched == 0
            assert len(spans) >= 1


def test_choices_and_masks_that_no_component_could_take_are_left_out(tmp_path, nlp):
    install_question_extensions()
    good = {"question": "Which city?", "options": ("Paris", "Rome"), "answer": 1}
    answered_wrongly = [{**good, "answer": answer} for answer in (7, "Rome")]
    wrong = [*answered_wrongly, {"question": "Which?"}, "Which?", {**good, "options": [1]}]
    first, second = nlp.make_doc(FIRST), nlp.make_doc(SECOND)
    first._.choices = [*wrong, good]
    second._.masks = [(0, 4), (2, 6), (3, 999), "all", (5, 5), [5, 8]]
    path = tmp_path / "train.spacy"
    DocBin(docs=[first, second], store_user_data=True).to_disk(path)
    with pytest.warns(UserWarning, match="BW310") as caught:
        examples = list(make_question_corpus(path)(nlp))
    assert examples[0].reference._.choices == [good]
    assert examples[0].predicted._.choices == [{"question": "Which city?", "options": ("Paris", "Rome")}]
    assert [tuple(mask) for mask in examples[1].reference._.masks] == [(0, 4), (5, 8)]
    (report,) = [str(one.message) for one in caught if "BW310" in str(one.message)]
    for line in (
        "2 of 6 choices have an answer that is not the number of an option",
        "3 of 6 choices have no question or no options",
        "3 of 6 masks are not the first and last character of a span of the text",
        "1 of 6 masks overlap others",
        "document 0: ",
    ):
        assert line in report
    with pytest.raises(ValueError, match="BB318"):
        list(make_question_corpus(path, strict=True)(nlp))


def test_contexts_that_are_no_text_are_left_out_and_a_byte_order_mark_is_none_of_it(tmp_path, nlp):
    content = squad(ask("1", "Which city?", ("Paris", 24)))
    content["data"][0]["paragraphs"].insert(0, {"context": None, "qas": []})
    path = tmp_path / "squad.json"
    path.write_text("\ufeff" + json.dumps(content), encoding="utf8")
    with pytest.warns(UserWarning, match=r"1 of 3 contexts are not text"):
        examples = list(make_squad_corpus(path)(nlp))
    assert [example.reference.text for example in examples] == [FIRST, SECOND]
    with pytest.warns(UserWarning, match=r"1 of 2 contexts are not text"):
        (joined,) = make_squad_corpus(path, join_paragraphs=True)(nlp)
    assert joined.reference.text == f"{FIRST}\n\n{SECOND}"
