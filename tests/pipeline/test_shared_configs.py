"""The shipped configs of components on a shared encoder: fixed points of fill-config that train, save and load."""

from pathlib import Path

import pytest
import spacy
from spacy.cli.init_config import fill_config
from spacy.cli.train import train
from spacy.tokens import Doc, DocBin, Span
from spacy.util import load_config

from .heads_util import TOY_CONFIG

CONFIGS = Path(__file__).parents[2] / "configs"
NAMES = ["existing_heads", "ner", "shared_encoder", "spancat", "textcat", "textcat_multilabel"]


@pytest.fixture(scope="module")
def docs_file(tmp_path_factory):
    vocab = spacy.blank("en").vocab
    docs = []
    for i in range(6):
        words = ["Ann", "met", "Bob", "in", "Rome", "."] * (1 + 8 * (i % 2))
        tags = ["NNP", "VBD", "NNP", "IN", "NNP", "."] * (len(words) // 6)
        starts = range(0, len(words), 6)
        heads = [head + start for start in starts for head in (1, 1, 1, 1, 3, 1)]
        deps = ["nsubj", "ROOT", "dobj", "prep", "pobj", "punct"] * len(starts)
        doc = Doc(vocab, words=words, tags=tags, heads=heads, deps=deps)
        doc.ents = [Span(doc, start, start + 1, "PER") for start in starts]
        doc.spans["sc"] = [Span(doc, start + 2, start + 5, "MEETING") for start in starts]
        doc.cats = {"LONG": float(i % 2), "SHORT": float(1 - i % 2)}
        docs.append(doc)
    path = tmp_path_factory.mktemp("docs") / "docs.spacy"
    DocBin(docs=docs).to_disk(path)
    return path


def toy_encoder(docs_file, vocab_file):
    """What a shipped config needs to train a toy on a corpus."""
    return {
        "paths.train": str(docs_file),
        "paths.dev": str(docs_file),
        "system.gpu_allocator": None,
        "components.bigbird.model.name": None,
        "components.bigbird.model.vocab_file": str(vocab_file),
        "components.bigbird.model.transformer_config": TOY_CONFIG,
    }


@pytest.mark.parametrize("name", NAMES)
def test_filling_changes_nothing(name, tmp_path):
    fill_config(tmp_path / "filled.cfg", CONFIGS / f"{name}.cfg", silent=True)
    config = load_config(CONFIGS / f"{name}.cfg")
    assert load_config(tmp_path / "filled.cfg") == config
    assert config["nlp"]["batch_size"] == 16
    assert config["training"]["batcher"]["@batchers"] == "spacy-bigbird.stretches.v1"
    assert config["training"]["batcher"]["batcher"]["@batchers"] == "spacy-bigbird.batch_by_pieces.v1"
    assert config["components"]["bigbird"]["model"]["name"] == "google/bigbird-roberta-base"


@pytest.mark.parametrize("name", NAMES)
def test_trains_saves_and_loads(name, tmp_path, docs_file, vocab_file):
    overrides = {
        **toy_encoder(docs_file, vocab_file),
        "training.max_steps": 4,
        "training.eval_frequency": 2,
        "training.batcher.batcher.size": 60,
        "training.optimizer.learn_rate.warmup_steps": 1,
    }
    train(CONFIGS / f"{name}.cfg", tmp_path / "out", overrides=overrides)
    nlp = spacy.load(tmp_path / "out" / "model-last")
    performance = nlp.meta["performance"]
    for component in nlp.pipe_names:
        assert performance[f"{component}_loss"] > 0.0
    expected = {"ner": "ents_f", "spancat": "spans_sc_aupr", "existing_heads": "dep_uas"}.get(name, "cats_score")
    assert expected in performance
    doc = nlp("Ann met Bob in Rome. " * 10)
    assert doc._.bigbird_stats["windows"] > 1
    if name == "shared_encoder":
        assert set(doc.cats) == {"LONG", "SHORT"}
        assert 0.0 <= performance["spans_sc_f"] <= 1.0 and nlp.get_pipe("spancat").labels == ("MEETING",)
        assert performance["ents_ece"] is None or 0.0 <= performance["ents_ece"] <= 1.0


@pytest.mark.parametrize("factory", ["bigbird_ner", "bigbird_textcat"])
def test_a_head_takes_a_copy_of_the_encoder_with_it(factory, docs_file, vocab_file, tmp_path):
    config = load_config(CONFIGS / f"{factory.removeprefix('bigbird_')}.cfg").interpolate()
    config["components"]["bigbird"]["model"].update(
        name=None, vocab_file=str(vocab_file), transformer_config=dict(TOY_CONFIG)
    )
    config["training"]["gpu_allocator"] = None
    nlp = spacy.util.load_model_from_config(config, auto_fill=True)
    examples = list(spacy.training.Corpus(docs_file)(nlp))
    nlp.initialize(lambda: examples)
    nlp.update(examples, sgd=nlp.create_optimizer())
    text = "Ann met Bob in Rome. " * 10

    def outcome(pipeline):
        doc = pipeline(text)
        scores = [ent._.score for ent in doc.ents] + [doc.cats[label] for label in sorted(doc.cats)]
        return [(ent.start, ent.end, ent.label_) for ent in doc.ents], pytest.approx(scores, abs=1e-4), scores

    entities, expected, _ = outcome(nlp)
    nlp.replace_listeners("bigbird", factory, ["model.tok2vec"])
    nlp.remove_pipe("bigbird")
    nlp.to_disk(tmp_path)
    for pipeline in (nlp, spacy.load(tmp_path)):
        found, _, scores = outcome(pipeline)
        assert found == entities and scores == expected


def test_a_frozen_encoder_that_annotates_stays_as_it_is(tmp_path, docs_file, vocab_file):
    """The head learns from what the encoder wrote on the documents; a second run goes on from a saved pipeline."""
    overrides = {
        **toy_encoder(docs_file, vocab_file),
        "training.max_steps": 3,
        "training.eval_frequency": 3,
        "training.optimizer.learn_rate.warmup_steps": 1,
    }
    train(CONFIGS / "ner.cfg", tmp_path / "first", overrides=overrides)
    first = tmp_path / "first" / "model-last"
    config = load_config(CONFIGS / "ner.cfg")
    config["components"]["bigbird"] = {"source": str(first)}
    config["training"].update(frozen_components=["bigbird"], annotating_components=["bigbird"])
    config.to_disk(tmp_path / "second.cfg")
    kept = {key: value for key, value in overrides.items() if not key.startswith("components")}
    train(tmp_path / "second.cfg", tmp_path / "second", overrides=kept)
    second = tmp_path / "second" / "model-last"
    weights = [(path / "bigbird" / "model.safetensors").read_bytes() for path in (first, second)]
    heads = [(path / "bigbird_ner" / "model").read_bytes() for path in (first, second)]
    assert weights[0] == weights[1] and heads[0] != heads[1]
    assert spacy.load(second).meta["performance"]["bigbird_ner_loss"] > 0.0


def test_a_frozen_encoder_without_weights_is_named_with_what_to_do(docs_file, tmp_path, vocab_file):
    overrides = {
        **toy_encoder(docs_file, vocab_file),
        "training.frozen_components": ["bigbird"],
        "training.annotating_components": ["bigbird"],
    }
    for name in ("ner", "textcat"):
        with pytest.raises(ValueError, match=rf"BB144.*'bigbird_{name}'.*'bigbird'.*source"):
            train(CONFIGS / f"{name}.cfg", tmp_path / name, overrides=overrides)


@pytest.mark.parametrize("order", [["bigbird_ner", "bigbird"], ["bigbird_ner"]])
def test_a_head_without_an_encoder_before_it_is_named(order, docs_file, vocab_file):
    config = load_config(CONFIGS / "ner.cfg")
    config["components"]["bigbird"]["model"].update(
        name=None, vocab_file=str(vocab_file), transformer_config=dict(TOY_CONFIG)
    )
    config["nlp"]["pipeline"] = order
    config["training"]["gpu_allocator"] = None
    nlp = spacy.util.load_model_from_config(config, auto_fill=True)
    examples = list(spacy.training.Corpus(docs_file)(nlp))
    with pytest.raises(ValueError, match=r"BB142.*'bigbird_ner' listens to '\*'.*none.*before it"):
        nlp.initialize(lambda: examples)
