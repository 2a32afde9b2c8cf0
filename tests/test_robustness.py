"""What goes wrong around a pipeline: interruptions, damaged folders, broken records. Nothing is lost without a word."""

import json
import shutil
import signal

import numpy
import pytest
import spacy
from spacy.tokens import DocBin
from spacy.training.initialize import init_nlp
from spacy.training.loop import train

from spacy_bigbird.cli.check import check
from spacy_bigbird.model.layers.encoder_layer import EncoderLayer
from spacy_bigbird.thinc_layers.shim import EncoderShim

from .toy_pipelines import SENTENCES, TINY_ENCODER, encoder_model, encoder_weights, make_examples, rows_of

TEXTS = [text for text, _ in SENTENCES] * 4 + ["They sell old books . " * 30, ""]


def make_nlp(vocab_file, *heads):
    nlp = spacy.blank("xx")
    nlp.add_pipe("bigbird", config={"model": encoder_model(vocab_file)})
    for head in heads:
        encoder = {"vocab_file": str(vocab_file), "transformer_config": TINY_ENCODER}
        model = {"@architectures": "spacy-bigbird.SpanQA.v1", **encoder}
        nlp.add_pipe(head, config={"model": model} if head == "bigbird_span_qa" else {})
    return nlp


@pytest.fixture(scope="module")
def trained(vocab_file, tmp_path_factory):
    """A saved pipeline with heads of both kinds."""
    nlp = make_nlp(vocab_file, "bigbird_ner", "bigbird_textcat", "bigbird_span_qa")
    nlp.initialize(lambda: make_examples(nlp))
    path = tmp_path_factory.mktemp("trained") / "pipeline"
    nlp.to_disk(path)
    return path


def run(nlp, folder):
    folder.mkdir()
    return train(nlp, folder)


# Ctrl-C


def interrupt_once(monkeypatch, owner, name, call):
    """Let Ctrl-C come at a call of a method, and only there. RETURNS: the calls."""
    before, calls = getattr(owner, name), []

    def interrupted(*arguments, **keywords):
        calls.append(1)
        if len(calls) == call:
            # A process that a shell has started in the background ignores the signal otherwise.
            previous = signal.signal(signal.SIGINT, signal.default_int_handler)
            try:
                signal.raise_signal(signal.SIGINT)
            finally:
                signal.signal(signal.SIGINT, previous)
        return before(*arguments, **keywords)

    monkeypatch.setattr(owner, name, interrupted)
    return calls


def outcome(docs):
    return [
        (rows_of(doc).copy(), [(ent.start, ent.end, ent.label_, ent._.score) for ent in doc.ents], dict(doc.cats))
        for doc in docs
    ]


def assert_same(first, second):
    for (rows, entities, cats), (other_rows, other_entities, other_cats) in zip(first, second, strict=True):
        numpy.testing.assert_array_equal(rows, other_rows)
        assert (entities, cats) == (other_entities, other_cats)


@pytest.mark.parametrize("call", [1, 4, 9])
def test_ctrl_c_while_documents_stream(trained, monkeypatch, call):
    nlp = spacy.load(trained)
    expected = outcome(nlp.pipe(TEXTS, batch_size=4))
    interrupt_once(monkeypatch, EncoderLayer, "forward", call)
    seen = []
    with pytest.raises(KeyboardInterrupt):
        seen.extend(outcome(nlp.pipe(TEXTS, batch_size=4)))
    assert len(seen) < len(TEXTS)
    assert_same(outcome(nlp.pipe(TEXTS, batch_size=4)), expected)
    assert_same(outcome([nlp(text) for text in TEXTS[-4:]]), expected[-4:])
    # It still learns, as one that was never interrupted.
    other = spacy.load(trained)
    for pipeline in (nlp, other):
        pipeline.update(make_examples(pipeline), sgd=pipeline.create_optimizer())
    numpy.testing.assert_array_equal(encoder_weights(nlp), encoder_weights(other))


def test_a_stream_that_is_left_in_the_middle(trained):
    nlp = spacy.load(trained)
    expected = outcome(nlp.pipe(TEXTS, batch_size=4))
    for _ in range(3):
        next(nlp.pipe(TEXTS, batch_size=4))
    assert_same(outcome(nlp.pipe(TEXTS, batch_size=4)), expected)


@pytest.mark.parametrize(
    ("owner", "name", "call"),
    [(EncoderShim, "begin_update", 3), (EncoderLayer, "forward", 12), (EncoderShim, "finish_update", 2)],
    ids=["before", "inside", "step"],
)
def test_ctrl_c_in_a_training_leaves_a_pipeline_that_loads(vocab_file, tmp_path, monkeypatch, owner, name, call):
    nlp = make_nlp(vocab_file, "bigbird_ner")
    DocBin(docs=[example.reference for example in make_examples(nlp)]).to_disk(tmp_path / "corpus.spacy")
    paths = {"train": str(tmp_path / "corpus.spacy"), "dev": str(tmp_path / "corpus.spacy")}
    config = nlp.config.merge({"paths": paths, "training": {"max_steps": 50, "eval_frequency": 50}})
    nlp = init_nlp(config)
    interrupt_once(monkeypatch, owner, name, call)
    with pytest.raises(KeyboardInterrupt):
        run(nlp, tmp_path / "out")
    found = spacy.load(tmp_path / "out" / "model-last")
    numpy.testing.assert_array_equal(encoder_weights(found), encoder_weights(nlp))
    assert found("Anna met Boris .")._.bigbird_stats["windows"] == 1
    assert (tmp_path / "out" / "model-best" / "meta.json").exists()


# Damaged folders

WEIGHTS = ["model.safetensors", "spiece.model", "config.json"]
FILES = [
    *(f"{name}/{file}" for name in ("bigbird", "bigbird_span_qa") for file in [*WEIGHTS, "cfg"]),
    *(f"{name}/{file}" for name in ("bigbird_ner", "bigbird_textcat") for file in ("cfg", "model")),
]


def damage(path, how):
    if how == "missing":
        path.unlink()
    else:
        content = path.read_bytes()
        path.write_bytes({"cut": content[: len(content) // 2], "foreign": b"\x93NUMPY\x01 {{" * 20}[how])


@pytest.mark.parametrize("how", ["cut", "missing", "foreign"])
def test_a_damaged_folder_is_an_error_that_names_the_file(trained, tmp_path, how):
    folder = shutil.copytree(trained, tmp_path / "pipeline")
    # The shared encoder has nothing in its cfg.
    for name in [name for name in FILES if (name, how) != ("bigbird/cfg", "missing")]:
        path = folder / name
        content = path.read_bytes()
        damage(path, how)
        with pytest.raises((ValueError, OSError)) as error:
            spacy.load(folder)
        expected = "bigbird holds no weights" if name == "bigbird/model.safetensors" else str(path)
        assert str(path) in str(error.value) or (how == "missing" and "no weights" in str(error.value)), expected
        path.write_bytes(content)
    assert spacy.load(folder).pipe_names == spacy.load(trained).pipe_names


# Broken records


def config_for(nlp, path, reader, **training):
    block = {"@readers": f"spacy-bigbird.{reader}.v1", "path": str(path)}
    corpora = {"train": dict(block), "dev": dict(block)}
    settings = {"max_steps": 2, "eval_frequency": 1, "score_weights": {}, **training}
    config = nlp.config.copy()
    config["corpora"] = corpora
    return config.merge({"training": settings})


def reported(caught):
    return "\n".join(str(one.message) for one in caught if "[BW310]" in str(one.message))


def test_a_corpus_of_broken_records_trains_on_the_rest(vocab_file, tmp_path):
    text = "Anna met Boris in London ."
    records = [
        {"text": text, "entities": [[0, 4, "PER"], [18, 24, "PLACE"]], "cats": {"A": 1, "B": 0}},
        {"text": text, "entities": [[0, 4, "PER"], [0, 14, "GROUP"], [19, 24, "PLACE"]]},
        {"text": "x" * 3_000_000, "entities": []},
        {"text": "They sell books .", "entities": [], "cats": {"A": 0, "B": 1, "C": 1}},
    ]
    path = tmp_path / "train.jsonl"
    path.write_text("\n".join([*map(json.dumps, records), '{"text": "cut', ""]), encoding="utf8")
    nlp = make_nlp(vocab_file, "bigbird_ner", "bigbird_textcat_multilabel")
    config = config_for(nlp, path, "JsonlCorpus")
    config["initialize"]["components"] = {
        "bigbird_ner": {"labels": ["PER", "PLACE"]},
        "bigbird_textcat_multilabel": {"labels": ["A", "B"]},
    }
    with pytest.warns(UserWarning) as caught:
        trained, _ = run(init_nlp(config), tmp_path / "out")
    message = reported(caught)
    for expected in (
        "1 of 5 records have more than nlp.max_length",
        "1 of 5 records are not a JSON object",
        "1 of 5 entities overlap longer ones",
        "1 of 5 entities are not at token boundaries",
        "1 of 5 entities have a label that the pipeline does not know",
        "1 of 5 cats have a label that the pipeline does not know",
        'train.jsonl, line 5: {"text": "cut',
    ):
        assert expected in message, expected
    assert trained.get_pipe("bigbird_ner").labels == ("PER", "PLACE")
    assert trained.meta["performance"]["bigbird_ner_loss"] > 0
    config["corpora"]["train"]["strict"] = True
    with pytest.raises(ValueError, match=r"BB318(?s:.)*1 of 5 records are not a JSON object"):
        run(init_nlp(config), tmp_path / "strict")
    assert not (tmp_path / "strict" / "model-last").exists()


def test_questions_that_cannot_be_used(vocab_file, tmp_path):
    text = "Anna met Boris in London ."
    questions = [
        {"id": "1", "question": "Where?", "answers": [{"text": "London", "answer_start": 18}]},
        {"id": "2", "question": "Who?", "answers": [{"text": "Anna", "answer_start": 3}]},
        {"id": "3", "answers": []},
    ]
    paragraphs = [{"context": text, "qas": questions}, {"context": "books " * 190_000, "qas": []}]
    path = tmp_path / "train.json"
    path.write_text(json.dumps({"data": [{"paragraphs": paragraphs}]}), encoding="utf8")
    nlp = spacy.blank("xx")
    encoder = {"vocab_file": str(vocab_file), "transformer_config": TINY_ENCODER}
    nlp.add_pipe("bigbird_span_qa", config={"model": {"@architectures": "spacy-bigbird.SpanQA.v1", **encoder}})
    config = config_for(nlp, path, "SquadCorpus")
    with pytest.warns(UserWarning) as caught:
        trained, _ = run(init_nlp(config), tmp_path / "out")
    message = reported(caught)
    assert "1 of 2 answers are not at their answer_start" in message and "article 0: {'text': 'Anna'" in message
    assert "1 of 3 questions have no text" in message and "1 of 2 contexts have more than nlp.max_length" in message
    assert trained.meta["performance"]["bigbird_span_qa_loss"] > 0
    config.to_disk(tmp_path / "config.cfg")
    checked = check(tmp_path / "config.cfg", {}, measure=False, silent=True)
    assert any("BW310" in loss and "1 of 3 questions have no text" in loss for loss in checked.losses)
    assert any("1 of 2 contexts have more than nlp.max_length" in loss for loss in checked.losses)
    strict = check(tmp_path / "config.cfg", {"corpora.train.strict": True}, measure=False, silent=True)
    assert any("BB318" in loss for loss in strict.losses)


def test_labels_that_a_component_does_not_know_are_said_once(vocab_file):
    nlp = make_nlp(vocab_file, "bigbird_ner", "bigbird_textcat_multilabel")
    nlp.get_pipe("bigbird_ner").add_label("PERSON")
    nlp.get_pipe("bigbird_textcat_multilabel").add_label("TRAVEL")
    examples = make_examples(nlp)
    nlp.initialize()
    with pytest.warns(UserWarning) as caught:
        for _ in range(2):
            nlp.update(examples)
    messages = [str(one.message) for one in caught if "[BW202]" in str(one.message)]
    assert len(messages) == 2
    assert "'bigbird_ner': 3 of 3 annotations" in messages[0] and "not learned: PLACE" in messages[0]
    assert "4 of 8 annotations" in messages[1] and "not learned: OTHER" in messages[1]
