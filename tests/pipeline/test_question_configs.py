"""The shipped configs of the components with a model of their own: fixed points of fill-config that train."""

import json
import warnings
from pathlib import Path

import pytest
import spacy
from spacy.cli.init_config import fill_config
from spacy.cli.train import train
from spacy.tokens import DocBin
from spacy.training import Example
from spacy.util import load_config

from spacy_bigbird.annotations.questions import install_question_extensions

CONFIGS = Path(__file__).parents[2] / "configs"
TINY = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "max_position_embeddings": 40,
    "block_size": 8,
    "num_random_blocks": 1,
}
TEXT = "The court of the city held that both parties agree. "


@pytest.fixture
def squad_file(tmp_path):
    answers = [{"text": "both parties", "answer_start": TEXT.index("both")}]
    questions = [
        {"id": "1", "question": "Who agrees?", "answers": answers, "is_impossible": False},
        {"id": "2", "question": "Who was born?", "answers": [], "is_impossible": True},
    ]
    paragraphs = [{"context": TEXT * count, "qas": questions} for count in (1, 4)]
    path = tmp_path / "squad.json"
    path.write_text(json.dumps({"version": "2.0", "data": [{"title": "t", "paragraphs": paragraphs}]}))
    return path


@pytest.fixture
def docbin_file(tmp_path):
    install_question_extensions()
    doc = spacy.blank("en").make_doc(TEXT * 3)
    doc._.choices = [{"question": "Who agrees?", "options": ["the parties", "the city"], "answer": 0}]
    doc._.masks = [[4, 9]]
    DocBin(docs=[doc] * 4, store_user_data=True).to_disk(tmp_path / "train.spacy")
    return tmp_path / "train.spacy"


def train_tiny(task, data, vocab_file, output):
    block = f"components.bigbird_{task}.model"
    overrides = {
        "paths.train": str(data),
        "paths.dev": str(data),
        f"{block}.name": None,
        f"{block}.vocab_file": str(vocab_file),
        f"{block}.transformer_config": TINY,
        "system.gpu_allocator": None,
        "training.max_steps": 4,
        "training.eval_frequency": 2,
    }
    train(CONFIGS / f"{task}.cfg", output, overrides=overrides)
    nlp = spacy.load(output / "model-best")
    assert nlp.meta["performance"][f"bigbird_{task}_loss"] > 0.0
    return nlp


@pytest.mark.parametrize("task", ["span_qa", "multiple_choice", "fill_mask"])
def test_filling_changes_nothing(tmp_path, task):
    config = CONFIGS / f"{task}.cfg"
    fill_config(tmp_path / "filled.cfg", config, silent=True)
    assert load_config(tmp_path / "filled.cfg") == load_config(config)
    assert load_config(config)["nlp"]["batch_size"] == 16


def test_span_qa_trains_and_loads(tmp_path, vocab_file, squad_file):
    nlp = train_tiny("span_qa", squad_file, vocab_file, tmp_path / "out")
    assert 0.0 <= nlp.meta["performance"]["qa_f1"] <= 1.0
    doc = nlp.make_doc(TEXT * 3)
    doc._.questions = ["Who agrees?"]
    (answer,) = nlp(doc)._.answers
    assert doc.text[answer.start_char : answer.end_char] == answer.text


def test_multiple_choice_trains_and_loads(tmp_path, vocab_file, docbin_file):
    nlp = train_tiny("multiple_choice", docbin_file, vocab_file, tmp_path / "out")
    assert nlp.meta["performance"]["choice_accuracy"] in (0.0, 1.0)


def test_fill_mask_trains_and_loads(tmp_path, vocab_file, docbin_file):
    nlp = train_tiny("fill_mask", docbin_file, vocab_file, tmp_path / "out")
    assert nlp.meta["performance"]["mask_accuracy"] in (0.0, 1.0)


@pytest.mark.parametrize("factory", ["bigbird_span_qa", "bigbird_multiple_choice", "bigbird_fill_mask"])
def test_a_corpus_without_anything_to_learn_is_said_before_the_first_step(factory, vocab_file):
    nlp = spacy.blank("en")
    architecture = {"bigbird_span_qa": "SpanQA", "bigbird_multiple_choice": "MultipleChoice"}.get(factory, "FillMask")
    model = {
        "@architectures": f"spacy-bigbird.{architecture}.v1",
        "vocab_file": str(vocab_file),
        "transformer_config": dict(TINY),
    }
    nlp.add_pipe(factory, config={"model": model})
    docs = [nlp.make_doc(text) for text in ("The court held.", "The river flows.")]
    with pytest.warns(UserWarning, match=rf"BW203.*'{factory}' will learn nothing: none of the 2 .*store_user_data"):
        nlp.initialize(lambda: [Example(doc, doc.copy()) for doc in docs])
    docs[1]._.questions = [{"question": "What?", "answers": [{"text": "river", "answer_start": 4}]}]
    docs[1]._.choices = [{"question": "What?", "options": ["river", "court"], "answer": 0}]
    docs[1]._.masks = [(4, 9)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nlp.initialize(lambda: [Example(doc.copy(), doc) for doc in docs])
        nlp.initialize()
