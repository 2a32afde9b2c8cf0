"""`spacy bigbird check`: what would be lost of the corpora, or is in another form."""

import json

import pytest
import spacy
import srsly
from spacy.tokens import DocBin

from spacy_bigbird.annotations.questions import install_question_extensions
from spacy_bigbird.cli.check import check

from ..toy_text import toy_texts
from .checked import flat, run


def test_lost_spans_are_written_and_fail(checked_folder, tmp_path):
    result = run(checked_folder, "--misaligned", str(tmp_path / "lost.jsonl"), "--no-measure", train="train_odd.spacy")
    assert result.exit_code == 1 and "1 of 1 gold spans" in flat(result)
    (row,) = srsly.read_jsonl(tmp_path / "lost.jsonl")
    expected = {"corpus": "train", "document": 4, "kind": "ents", "label": "GPE", "text": "New York"}
    assert {key: row[key] for key in expected} == expected and row["tokens"] == ["New", "Yorkers"]


def test_records_that_cannot_be_used_are_written_too(checked_folder, tmp_path):
    """All of them, where the report shows three of a kind."""
    lines = [{"text": "New Yorkers left.", "entities": [[0, 8, "GPE"]]}] * 5 + [{"txt": "wrong"}]
    srsly.write_jsonl(tmp_path / "train.jsonl", lines)
    arguments = ["--corpora.train.@readers=spacy-bigbird.JsonlCorpus.v1", f"--paths.train={tmp_path / 'train.jsonl'}"]
    result = run(checked_folder, *arguments, "--misaligned", str(tmp_path / "lost.jsonl"), "--no-measure")
    assert result.exit_code == 1 and "5 of 5 entities are not at token boundaries" in flat(result)
    *entities, record = srsly.read_jsonl(tmp_path / "lost.jsonl")
    assert [row["where"] for row in entities] == [f"train.jsonl, line {number}" for number in range(1, 6)]
    assert entities[0] == {
        "corpus": "train",
        "kind": "entities",
        "problem": "are not at token boundaries",
        "where": "train.jsonl, line 1",
        "text": "[0, 8, 'GPE', 'New York']",
    }
    assert record["kind"] == "records" and "txt" in record["text"]


ANNA = {"start": 0, "end": 4, "label": "PER"}
OTHER_TOOLS = [
    # doccano, in two versions.
    ({"label": [[0, 4, "PER"]]}, "records have a key that is not read, 'label'."),
    ({"labels": [[0, 4, "PER"]]}, "records have a key that is not read, 'labels'."),
    # Prodigy, for entities and for categories.
    ({"spans": [ANNA], "_task_hash": 7}, "spans are not [start, end, label] inside the text"),
    ({"accept": ["PER"], "_view_id": "choice"}, "records have a key that is not read, 'accept'."),
    # Label Studio, with and without a text of its own.
    ({"text": None, "data": {"text": "Anna left."}}, "records are not a JSON object with a string `text`"),
    ({"annotations": [{"result": []}]}, "records have a key that is not read, 'annotations'."),
    # Nobody's.
    ({"entitys": []}, "records have a key that is not read, 'entitys'. Did you mean 'entities' for 'entitys'?"),
    ({"entities": [ANNA]}, "entities are not [start, end, label] inside the text"),
    ({"cats": "TRAVEL"}, "cats are not an object of labels and numbers"),
]


def test_annotation_in_the_form_of_another_tool_is_not_taken_for_text_without_annotation(checked_folder, tmp_path):
    records = [{"text": "Berta left."}, *({"text": "Anna left.", **record} for record, _ in OTHER_TOOLS)]
    srsly.write_jsonl(tmp_path / "train.jsonl", records)
    arguments = ["--corpora.train.@readers=spacy-bigbird.JsonlCorpus.v1", f"--paths.train={tmp_path / 'train.jsonl'}"]
    result = run(checked_folder, *arguments, "--misaligned", str(tmp_path / "lost.jsonl"), "--no-measure")
    assert result.exit_code == 1
    for line, (_, problem) in enumerate(OTHER_TOOLS, start=2):
        assert f" {problem} train.jsonl, line {line}: " in flat(result)
    rows = list(srsly.read_jsonl(tmp_path / "lost.jsonl"))
    assert [f"{row['kind']} {row['problem']}" for row in rows] == [problem for _, problem in OTHER_TOOLS]


@pytest.mark.parametrize("options", [["--limit", "3"], ["--corpora.train.strict", "true"]])
def test_a_reader_that_does_not_come_to_its_report(checked_folder, tmp_path, options):
    srsly.write_jsonl(tmp_path / "train.jsonl", [{"text": "New Yorkers left.", "entities": [[0, 8, "GPE"]]}] * 5)
    arguments = ["--corpora.train.@readers=spacy-bigbird.JsonlCorpus.v1", f"--paths.train={tmp_path / 'train.jsonl'}"]
    result = run(checked_folder, *arguments, *options, "--misaligned", str(tmp_path / "lost.jsonl"), "--no-measure")
    assert result.exit_code == 1 and "Corpus dev for bigbird" in flat(result)
    assert "cannot be used; --misaligned lists them" in flat(result) or "[BB318]" in flat(result)
    assert len(list(srsly.read_jsonl(tmp_path / "lost.jsonl"))) == (3 if "--limit" in options else 5)


def test_a_corpus_that_is_not_there_gets_a_message(checked_folder):
    result = run(checked_folder, train="nothing.spacy")
    assert result.exit_code == 1
    assert "[BB387] The train corpus cannot be read" in flat(result) and "--paths.train PATH" in flat(result)


def test_a_dev_corpus_without_gold_is_a_warning(checked_folder):
    dev = str(checked_folder / "dev_untagged.spacy")
    result = run(checked_folder, "--no-measure", f"--corpora.dev.path={dev}")
    assert result.exit_code == 0 and "[BW380] Component 'tagger' cannot be scored: none of the 4" in flat(result)


def test_a_batcher_that_discards_fails(checked_folder):
    result = run(
        checked_folder,
        "--no-measure",
        "--training.batcher.@batchers=spacy.batch_by_words.v1",
        "--training.batcher.size=20",
        "--training.batcher.tolerance=0.1",
        "--training.batcher.discard_oversize=true",
    )
    assert result.exit_code == 1 and "leaves out 4 of 4 documents with 100% of all pieces" in flat(result)


def test_json_lines_for_spacys_own_reader(checked_folder, tmp_path):
    srsly.write_jsonl(tmp_path / "train.jsonl", [{"text": "x"}])
    result = run(checked_folder, "--no-measure", f"--paths.train={tmp_path / 'train.jsonl'}")
    assert result.exit_code == 1 and "[BB661] spacy.Corpus.v1 reads .spacy files" in flat(result)
    assert "set @readers to spacy-bigbird.JsonlCorpus.v1" in flat(result)


def test_a_head_without_gold_is_named(checked_folder):
    result = run(checked_folder, "--no-measure", train="train_untagged.spacy")
    assert result.exit_code == 1 and "BB386" in flat(result)
    assert "Component 'tagger' has nothing to learn from: none of the 4 documents" in flat(result)
    # A frozen component does not learn.
    assert "BB386" not in flat(run(checked_folder, "--no-measure", '--training.frozen_components=["tagger"]'))


QUESTIONS_CONFIG = """
[nlp]
lang = "en"
pipeline = ["head"]

[components]

[components.head]
factory = "{factory}"

[components.head.model]
vocab_file = {vocab_file}
name = null
transformer_config = {{"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32,
    "max_position_embeddings": 64, "block_size": 16}}

[corpora]

[corpora.train]
@readers = "{reader}"
path = "{path}"

[corpora.dev]
@readers = "{reader}"
path = "{path}"
"""
CHOICE = {"question": "Who?", "options": ["A", "B"], "answer": 1}


@pytest.mark.parametrize(
    ("factory", "annotated", "expected"),
    [
        ("bigbird_multiple_choice", {"choices": [CHOICE]}, None),
        ("bigbird_multiple_choice", {"choices": [{**CHOICE, "answer": None}]}, "BB386"),
        ("bigbird_multiple_choice", {"choices": [{**CHOICE, "answer": 7}]}, "BB244"),
        ("bigbird_multiple_choice", {"choices": [{"question": "Who?"}]}, "BB244"),
        ("bigbird_span_qa", {}, "none of the 2 documents in the train corpus has doc._.questions"),
        ("bigbird_fill_mask", {}, "none of the 2 documents in the train corpus has doc._.masks"),
        ("bigbird_fill_mask", {"masks": [[0, 3]]}, None),
    ],
)
def test_heads_with_an_encoder_of_their_own_need_gold(vocab_file, tmp_path, factory, annotated, expected):
    install_question_extensions()
    docs = [spacy.blank("en").make_doc(text) for text in toy_texts(2, 3)]
    for doc in docs:
        for name, value in annotated.items():
            doc._.set(name, value)
    path = tmp_path / "train.spacy"
    DocBin(docs=docs, store_user_data=True).to_disk(path)
    for reader in ("spacy.Corpus.v1", "spacy-bigbird.QuestionCorpus.v1"):
        settings = {"factory": factory, "vocab_file": json.dumps(str(vocab_file)), "reader": reader, "path": path}
        (tmp_path / "config.cfg").write_text(QUESTIONS_CONFIG.format(**settings))
        losses = check(tmp_path / "config.cfg", {}, measure=False, silent=True).losses
        if expected is None:
            assert losses == []
        elif expected == "BB244" and "Question" in reader:
            # This reader leaves them out.
            assert any("BW310" in loss for loss in losses) and any("BB386" in loss for loss in losses)
        else:
            assert any(expected in loss for loss in losses), losses


def test_texts_that_the_reader_leaves_out_are_not_counted_and_do_not_stop_spacy(vocab_file, tmp_path):
    question = {"id": "1", "question": "Who?", "answers": [{"text": "Anna", "answer_start": 0}]}
    paragraphs = [{"context": "Anna met Boris.", "qas": [question]}, {"context": "books " * 190_000, "qas": []}]
    path = tmp_path / "train.json"
    path.write_text(json.dumps({"data": [{"paragraphs": paragraphs}]}), encoding="utf8")
    reader = "spacy-bigbird.SquadCorpus.v1"
    settings = {"factory": "bigbird_span_qa", "vocab_file": json.dumps(str(vocab_file)), "reader": reader, "path": path}
    (tmp_path / "config.cfg").write_text(QUESTIONS_CONFIG.format(**settings))
    checked = check(tmp_path / "config.cfg", {}, measure=False, silent=True)
    assert not any("E088" in loss for loss in checked.losses)
    assert all("1 of 2 contexts have more than nlp.max_length" in loss for loss in checked.losses)
    assert [len(lengths) for lengths in checked.lengths.values()] == [1, 1]


def test_a_limit_looks_at_the_first_documents(checked_folder):
    assert "2 documents with" in flat(run(checked_folder, "--limit", "2", "--no-measure"))


def test_texts_beyond_the_tokenizers_limit_are_reported(checked_folder, tmp_path):
    code = tmp_path / "functions.py"
    code.write_text(
        "import spacy\n\n@spacy.registry.callbacks('short.v1')\ndef make():\n"
        "    def shorten(nlp):\n        nlp.max_length = 100\n        return nlp\n    return shorten\n"
    )
    config = (
        checked_folder / "config.cfg"
    ).read_text() + '\n[initialize]\n\n[initialize.before_init]\n@callbacks = "short.v1"\n'
    (tmp_path / "config.cfg").write_text(config)
    for name in ("train", "dev"):
        (tmp_path / f"{name}.spacy").write_bytes((checked_folder / f"{name}.spacy").read_bytes())
    result = run(tmp_path, "--code", str(code), "--no-measure")
    assert result.exit_code == 1 and "nlp.max_length = 100 characters" in flat(result)
