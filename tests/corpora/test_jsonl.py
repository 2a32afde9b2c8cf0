"""The reader of JSON lines: what is whole becomes examples, what is broken is counted, shown and left out."""

import json
import warnings

import pytest
import spacy

from spacy_bigbird.annotations.choices import choices_with_gold
from spacy_bigbird.annotations.masks import read_masks
from spacy_bigbird.annotations.questions import gold_spans, read_questions
from spacy_bigbird.corpora.broken_records import Problems
from spacy_bigbird.corpora.jsonl import make_jsonl_corpus
from spacy_bigbird.corpora.readers import make_question_corpus, make_squad_corpus

TEXT = "Anna met Boris in London."
GOOD = {"text": TEXT, "entities": [[0, 4, "PER"], [18, 24, "PLACE"]], "cats": {"TRAVEL": 1, "OTHER": 0.0}}
QUESTION = {"question": "Where?", "answers": [{"text": "London", "answer_start": 18}]}


@pytest.fixture
def nlp():
    return spacy.blank("en")


def write(path, *lines):
    content = b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines)
    path.write_bytes(content + b"\n")
    return path


def entities(doc):
    return [(ent.start_char, ent.end_char, ent.label_) for ent in doc.ents]


def test_whole_records(tmp_path, nlp):
    path = write(tmp_path / "a.jsonl", GOOD, b"", {"text": TEXT, "questions": [QUESTION, "Who?"]}, {"text": ""})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        first, second, third = make_jsonl_corpus(path, strict=True)(nlp)
    assert entities(first.reference) == [(0, 4, "PER"), (18, 24, "PLACE")] and not first.predicted.ents
    assert first.reference.cats == {"TRAVEL": 1.0, "OTHER": 0.0} and first.predicted.cats == {}
    assert second.reference._.questions == [QUESTION, {"question": "Who?"}]
    assert second.predicted._.questions == [{"question": "Where?"}, {"question": "Who?"}]
    # Without `entities` nothing is said about them, and nothing is learned.
    assert not second.reference.has_annotation("ENT_IOB") and first.reference.has_annotation("ENT_IOB")
    assert len(third.reference) == 0
    write(tmp_path / "b.jsonl", {"text": "b"}, {"text": "c"})
    assert [example.text for example in make_jsonl_corpus(tmp_path, limit=4)(nlp)] == [TEXT, TEXT, "", "b"]


def test_spans_under_one_key_or_several(tmp_path, nlp):
    listed = [[0, 8, "EVENT"], [0, 4, "PER"], [0, 24, "EVENT"]]
    path = write(tmp_path / "a.jsonl", {"text": TEXT, "spans": listed}, {"text": TEXT, "spans": {"a": [], "b": listed}})
    one, several = (example.reference for example in make_jsonl_corpus(path, strict=True)(nlp))
    assert [(s.start_char, s.end_char, s.label_) for s in one.spans["sc"]] == [tuple(span) for span in listed]
    # An empty list says that there are no spans, not that nothing is known.
    assert {key: len(group) for key, group in several.spans.items()} == {"a": 0, "b": 3}


BROKEN = [
    (b'{"text": "cut', "1 of 2 records are not a JSON object with a string `text`"),
    (b'{"text": "\xff\xfe"}', "1 of 2 records are not a JSON object"),
    ({"txt": "x"}, "1 of 2 records are not a JSON object"),
    ([1], "1 of 2 records are not a JSON object"),
    ({"text": "x" * 3_000_000}, "1 of 2 records have more than nlp.max_length = 1,000,000 characters"),
    ({"text": TEXT, "entities": [[0, 4]]}, "1 of 3 entities are not [start, end, label] inside the text"),
    ({"text": TEXT, "entities": "PER"}, "1 of 3 entities are not [start, end, label] inside the text"),
    ({"text": TEXT, "entities": [[20, 99, "PLACE"]]}, "inside the text"),
    ({"text": TEXT, "entities": [[0, 3, "PER"]]}, "1 of 3 entities are not at token boundaries"),
    ({"text": TEXT, "entities": [[0, 4, "A"], [0, 14, "B"]]}, "1 of 4 entities overlap longer ones"),
    ({"text": TEXT, "cats": {"A": "yes"}}, "1 of 3 cats are not finite numbers"),
    ({"text": TEXT, "cats": {"A": 10**400}}, "1 of 3 cats are not finite numbers"),
    ({"text": TEXT, "cats": {"A": float("inf")}}, "1 of 3 cats are not finite numbers"),
    ({"text": TEXT, "entities": [[0, 4.5, "PER"]]}, "1 of 3 entities are not [start, end, label] inside the text"),
    (b'{"text": "half \\ud800 a letter"}', "1 of 2 records have a text with half a character"),
    ({"text": TEXT, "cats": ["A"]}, "1 of 3 cats are not an object of labels and numbers"),
    ({"text": TEXT, "label": [[0, 4, "PER"]]}, "1 of 2 records have a key that is not read, 'label'"),
    ({"text": TEXT, "entitys": []}, "have a key that is not read, 'entitys'. Did you mean 'entities' for 'entitys'?"),
    ({"text": TEXT, "spans": [{"start": 0, "end": 4, "label": "PER"}]}, "1 of 1 spans are not [start, end, label]"),
    ({"text": TEXT, "spans": {"x": [[0, 3, "PER"]]}}, "1 of 1 spans are not at token boundaries"),
    ({"text": TEXT, "spans": {"x": 3}}, "1 of 1 spans are not [start, end, label] inside the text"),
    ({"text": TEXT, "entities": [{"start": 0, "end": 4}]}, "1 of 3 entities are not [start, end, label]"),
    ({"text": TEXT, "questions": [" "]}, "1 of 1 questions have no text"),
    (
        {"text": TEXT, "questions": [{"question": "Where?", "answer": "London"}]},
        "1 of 1 questions have `answer` instead of SQuAD's `answers`",
    ),
    (
        {"text": TEXT, "questions": [{"question": "x", "answers": [{"text": "London", "answer_start": "there"}]}]},
        "1 of 1 answers have no answer_start that is a whole number",
    ),
    ({"text": TEXT, "questions": [{"id": 3}]}, "1 of 1 questions have no text, or an answer without text"),
    ({"text": TEXT, "questions": [{"question": "x", "answers": [{}]}]}, "1 of 1 questions have no text"),
    (
        {"text": TEXT, "questions": [{"question": "x", "answers": [{"text": "London", "answer_start": 3}]}]},
        "1 of 1 answers are not at their answer_start",
    ),
]


@pytest.mark.parametrize(("record", "expected"), BROKEN, ids=lambda value: value if isinstance(value, str) else "")
def test_each_kind_of_broken_record(tmp_path, nlp, record, expected):
    path = write(tmp_path / "train.jsonl", GOOD, record)
    reader = make_jsonl_corpus(path)
    with pytest.warns(UserWarning) as caught:
        examples = list(reader(nlp))
    (message,) = [str(one.message) for one in caught]
    assert "[BW310]" in message and expected in message and "train.jsonl, line 2: " in message
    assert examples[0].reference.cats["TRAVEL"] == 1.0
    with warnings.catch_warnings():
        # It is said once, not in every epoch.
        warnings.simplefilter("error")
        assert len(list(reader(nlp))) == len(examples)
    with pytest.raises(ValueError, match=r"BB318.*strict = true") as error:
        list(make_jsonl_corpus(path, strict=True)(nlp))
    assert expected in str(error.value)


def test_keys_for_other_data(tmp_path, nlp):
    path = write(tmp_path / "a.jsonl", {**GOOD, "id": 3, "meta": {"source": "mail"}, "_task_hash": 7})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (example,) = make_jsonl_corpus(path, strict=True)(nlp)
    assert len(example.reference.ents) == 2


@pytest.mark.parametrize("whole", [int, float, str])
def test_whole_numbers_in_any_form(tmp_path, nlp, whole):
    """pandas writes 20.0 where a column has gaps, and tables of text "20"."""
    question = {"question": "Where?", "answers": [{"text": "London", "answer_start": whole(18)}]}
    columns = {"question": "Where?", "answers": {"text": ["London"], "answer_start": [whole(18)]}}
    entities = [[whole(0), whole(4), "PER"]]
    record = {"text": TEXT, "entities": entities, "questions": [question, columns]}
    (example,) = make_jsonl_corpus(write(tmp_path / "a.jsonl", record), strict=True)(nlp)
    assert [ent.text for ent in example.reference.ents] == ["Anna"]
    assert [gold_spans(q, TEXT) for q in read_questions(example.reference)] == [([(18, 24)], 0)] * 2
    doc = nlp(TEXT)
    doc._.questions, doc._.masks = [question], [[whole(0), whole(4)]]
    doc._.choices = [{"question": "Where?", "options": ["Rome", "London"], "answer": whole(1)}]
    assert gold_spans(read_questions(doc)[0], TEXT) == ([(18, 24)], 0)
    assert read_masks(doc) == [(0, 4)] and choices_with_gold(doc)[0]["answer"] == 1


@pytest.mark.parametrize(
    ("make", "name", "expected"),
    [
        (make_jsonl_corpus, "train.spacy", "set @readers to spacy.Corpus.v1"),
        (make_squad_corpus, "train.jsonl", "set @readers to spacy-bigbird.JsonlCorpus.v1"),
        (make_question_corpus, "train.json", "set @readers to spacy-bigbird.SquadCorpus.v1"),
        (make_question_corpus, "train.jsonl", "set @readers to spacy-bigbird.JsonlCorpus.v1"),
    ],
)
def test_files_of_another_reader(tmp_path, nlp, make, name, expected):
    (tmp_path / name).write_bytes(b"{}")
    for path in (tmp_path / name, tmp_path):
        with pytest.raises(ValueError, match="BB661") as error:
            list(make(path)(nlp))
        assert expected in str(error.value)


def test_what_is_left_of_a_broken_record(tmp_path, nlp):
    overlapping = [[0, 4, "PER"], [0, 14, "GROUP"], [9, 14, "PER"], [18, 24, "PLACE"], [20, 25, "ODD"]]
    path = write(tmp_path / "train.jsonl", {"text": TEXT, "entities": overlapping, "cats": {"A": 1, "B": None}})
    with pytest.warns(UserWarning, match="BW310"):
        (example,) = make_jsonl_corpus(path)(nlp)
    assert entities(example.reference) == [(0, 14, "GROUP"), (18, 24, "PLACE")]
    assert example.reference.cats == {"A": 1.0}
    # The full stop belongs to the entity that matches no tokens: it is not known to be outside of all entities.
    assert example.get_aligned_ner() == ["B-GROUP", "I-GROUP", "L-GROUP", "O", "U-PLACE", None]


def test_labels_that_the_pipeline_does_not_know(tmp_path, nlp):
    nlp.add_pipe("bigbird_ner").add_label("PER")
    nlp.add_pipe("bigbird_textcat").add_label("TRAVEL")
    with pytest.warns(UserWarning, match="BW310") as caught:
        (example,) = make_jsonl_corpus(write(tmp_path / "train.jsonl", GOOD))(nlp)
    message = str(caught[0].message)
    assert "1 of 2 entities have a label that the pipeline does not know" in message and "'PLACE', 'London'" in message
    assert "1 of 2 cats have a label that the pipeline does not know" in message and "line 1: OTHER" in message
    assert len(example.reference.ents) == 2


def test_counts_and_examples(tmp_path):
    problems = Problems(tmp_path)
    problems.seen("records", 9)
    problems.report()
    for number in range(5):
        problems.add("records", "are bad", f"line {number}", "x" * 100)
    assert str(problems).splitlines() == [
        "5 of 9 records are bad",
        *(f"  line {number}: {'x' * 60}..." for number in range(3)),
    ]
