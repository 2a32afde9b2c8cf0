"""The shipped config: a fixed point of fill-config that trains from SQuAD files."""

import json
from pathlib import Path

import pytest
import spacy
from spacy.cli.init_config import fill_config
from spacy.cli.train import train
from spacy.util import load_config

CONFIG = Path(__file__).parents[2] / "configs" / "span_qa.cfg"
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


def test_filling_changes_nothing(tmp_path):
    fill_config(tmp_path / "filled.cfg", CONFIG, silent=True)
    assert load_config(tmp_path / "filled.cfg") == load_config(CONFIG)
    assert load_config(CONFIG)["nlp"]["batch_size"] == 16


def test_trains_and_loads(tmp_path, vocab_file, squad_file):
    block = "components.bigbird_span_qa.model"
    overrides = {
        "paths.train": str(squad_file),
        "paths.dev": str(squad_file),
        f"{block}.name": None,
        f"{block}.vocab_file": str(vocab_file),
        f"{block}.transformer_config": TINY,
        "system.gpu_allocator": None,
        "training.max_steps": 4,
        "training.eval_frequency": 2,
    }
    train(CONFIG, tmp_path / "out", overrides=overrides)
    nlp = spacy.load(tmp_path / "out" / "model-best")
    performance = nlp.meta["performance"]
    assert 0.0 <= performance["qa_f1"] <= 1.0
    assert performance["bigbird_span_qa_loss"] > 0.0
    doc = nlp.make_doc(TEXT * 3)
    doc._.questions = ["Who agrees?"]
    (answer,) = nlp(doc)._.answers
    assert doc.text[answer.start_char : answer.end_char] == answer.text
