"""Documents as statistics of frozen layers: the same training and predictions as from all pieces, and what is kept."""

import numpy as np
import pytest
import spacy
import torch

from spacy_bigbird.cache.store import open_store
from spacy_bigbird.model.encoder import BigBirdModel
from tests.toy_pipelines import make_examples, make_pipeline

LONG = "Anna met Boris in London . " * 12
POOLING = ["mean", "std", "max", "cls"]


def make(vocab_file, folder, layers=(0, 1), pooling=POOLING, keep_vectors="none", **settings):
    nlp = make_pipeline(vocab_file, keep_vectors=keep_vectors, **{"freeze_layers": 2, **settings})
    nlp.get_pipe("bigbird").shim.store = open_store(folder, 1.0)
    nlp._pipe_configs["bigbird"]["cache_dir"] = folder and str(folder)
    listener = {"@architectures": "spacy-bigbird.PieceListener.v2", "layers": layers if layers == "last" else [*layers]}
    model = {"@architectures": "spacy-bigbird.TextClassifier.v2", "tok2vec": listener, "pooling": pooling}
    nlp.add_pipe("bigbird_textcat", config={"model": model, "evidence_share": 0.0})
    spacy.util.fix_random_seed(1)
    nlp.initialize(lambda: make_examples(nlp))
    return nlp


def train(nlp, steps=3):
    optimizer, losses = nlp.create_optimizer(), []
    for _ in range(steps):
        loss = {}
        nlp.update(make_examples(nlp, odd=True), sgd=optimizer, losses=loss)
        losses.append(loss["bigbird_textcat"])
    return losses


def scores(nlp, text=LONG):
    doc = nlp(text)
    return list(doc.cats.values()), doc._.bigbird_stats


@pytest.fixture
def computed(monkeypatch):
    """The layers that were wanted each time the encoder ran from the start."""
    calls = []
    forward = BigBirdModel.forward_packed

    def counted(self, ids, *args, **kwargs):
        calls.append(kwargs["layers"])
        return forward(self, ids, *args, **kwargs)

    monkeypatch.setattr(BigBirdModel, "forward_packed", counted)
    return calls


@pytest.mark.parametrize("layers", ["last", (0, 1)])
def test_training_and_prediction_are_those_from_all_pieces(vocab_file, tmp_path, layers, computed):
    plain, summarized = (make(vocab_file, folder, layers) for folder in (None, tmp_path / "cache"))
    for nlp in (plain, summarized):
        output = nlp.get_pipe("bigbird_textcat").model.get_ref("output_layer")
        output.set_param("W", np.random.default_rng(0).normal(size=output.get_param("W").shape).astype("f") / 10)
    assert scores(summarized)[0] == pytest.approx(scores(plain)[0], abs=1e-5)
    assert train(summarized) == pytest.approx(train(plain), rel=1e-3)
    assert summarized.get_pipe("bigbird").shim.summarizes and not plain.get_pipe("bigbird").shim.summarizes
    for text in (LONG, "", " ", "tea"):
        (found, stats), (expected, expected_stats) = scores(summarized, text), scores(plain, text)
        assert found == pytest.approx(expected, abs=5e-3) and stats == expected_stats
    # A row for each statistic and layer, and none of the pieces' states.
    shapes = {np.load(path).shape for path in (tmp_path / "cache").glob("*/*.npy")}
    assert shapes == {(4, 32)}
    # Later epochs and other processes compute nothing.
    computed.clear()
    train(summarized)
    summarized.to_disk(tmp_path / "pipeline")
    assert scores(spacy.load(tmp_path / "pipeline")) == scores(summarized)
    assert computed == []


def test_layers_above_those_that_are_read_are_not_computed(vocab_file, tmp_path, computed):
    nlp = make(vocab_file, tmp_path / "cache", layers=(1, 0))
    computed.clear()
    nlp(LONG)
    assert computed and set(map(tuple, computed)) == {(0, 1)}


def test_states_that_are_there_are_read(vocab_file, tmp_path, computed):
    whole = make(vocab_file, tmp_path / "cache", keep_vectors="float32")
    expected, _ = scores(whole)
    computed.clear()
    found, _ = scores(make(vocab_file, tmp_path / "cache"))
    assert computed == [] and found == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("change", ["weights", "windows", "statistics read by others"])
def test_nothing_else_is_read(vocab_file, tmp_path, change, computed):
    settings = {"pooling": ["mean"]} if change == "statistics read by others" else {}
    nlp = make(vocab_file, tmp_path / "cache", **settings)
    train(nlp)
    nlp.to_disk(tmp_path / "pipeline")
    first, _ = scores(nlp)
    config = {"components.bigbird.model.overlap": 1} if change == "windows" else {}
    other = spacy.load(tmp_path / "pipeline", config=config)
    if change == "weights":
        with torch.no_grad():
            next(other.get_pipe("bigbird").shim.module.embeddings.parameters()).add_(0.5)
    computed.clear()
    assert (scores(other)[0] == first) == (not computed)
    assert bool(computed) == (change != "statistics read by others")


@pytest.mark.parametrize(
    "settings",
    [
        {"freeze_layers": 1, "layers": "last"},
        {"pooling": ["attention"]},
        {"layers": "mix"},
        {"keep_vectors": "float32"},
    ],
    ids=str,
)
def test_all_pieces_are_read_where_they_are_needed(vocab_file, tmp_path, settings):
    layers = settings.pop("layers", (0, 1))
    nlp = make(vocab_file, tmp_path / "cache", layers=[0, 1] if layers == "mix" else layers, **settings)
    if layers == "mix":
        model = {"@architectures": "spacy-bigbird.PieceListener.v2", "layers": "mix"}
        nlp.remove_pipe("bigbird_textcat")
        nlp.add_pipe(
            "bigbird_textcat", config={"model": {"@architectures": "spacy-bigbird.TextClassifier.v2", "tok2vec": model}}
        )
        nlp.initialize(lambda: make_examples(nlp))
    doc = nlp(LONG)
    assert not nlp.get_pipe("bigbird").shim.summarizes
    assert (doc._.trf_data is not None) == (settings.get("keep_vectors") == "float32")


def test_a_head_that_was_given_its_own_encoder_reads_all_pieces(vocab_file, tmp_path):
    nlp = make(vocab_file, tmp_path / "cache")
    train(nlp)
    expected, _ = scores(nlp)
    nlp.replace_listeners("bigbird", "bigbird_textcat", ["model.tok2vec"])
    assert list(nlp(LONG).cats.values()) == pytest.approx(expected, abs=1e-3)
