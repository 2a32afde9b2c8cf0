"""Frozen layers with a cache against frozen layers without, in training and prediction, and every part of the key."""

import numpy as np
import pytest
import spacy
import torch

from spacy_bigbird.cache.fingerprint import Fingerprints
from spacy_bigbird.cache.store import open_store
from spacy_bigbird.model.encoder import BigBirdModel
from tests.toy_pipelines import add_head, make_examples, make_pipeline

LONG = "Anna met Boris in London . " * 12
MIX = {"@architectures": "spacy-bigbird.LayerMix.v1", "upstream": "*", "layers": "mix"}


def make(vocab_file, folder=None, heads=("tagger",), **settings):
    """An initialised pipeline; with a folder, its encoder has a cache there."""
    nlp = make_pipeline(vocab_file, max_batch_pieces=40, **settings)
    nlp.get_pipe("bigbird").shim.store = open_store(folder, 1.0)
    # What is saved says so too.
    nlp._pipe_configs["bigbird"]["cache_dir"] = folder and str(folder)
    for head in heads:
        add_head(nlp, head, **MIX)
    spacy.util.fix_random_seed(1)
    nlp.initialize(lambda: make_examples(nlp))
    return nlp


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.glob("*/*.npy"))


@pytest.fixture
def computed(monkeypatch):
    """How many pieces the encoder was given each time it ran from the start."""
    calls = []
    forward = BigBirdModel.forward_packed

    def counted(self, ids, *args, **kwargs):
        calls.append(len(ids))
        return forward(self, ids, *args, **kwargs)

    monkeypatch.setattr(BigBirdModel, "forward_packed", counted)
    return calls


@pytest.mark.parametrize("frozen", [1, 2])
def test_training_and_prediction_are_those_without(vocab_file, tmp_path, frozen, computed):
    dropout = {"hidden_dropout_prob": 0.3, "attention_probs_dropout_prob": 0.0}
    pipelines = [
        make(vocab_file, folder, freeze_layers=frozen, transformer_config=dropout if frozen == 2 else None)
        for folder in (None, tmp_path / "cache")
    ]
    results = []
    for nlp in pipelines:
        optimizer = nlp.create_optimizer()
        examples = make_examples(nlp)
        losses = []
        for _ in range(3):
            loss = {}
            nlp.update(examples, sgd=optimizer, losses=loss)
            losses.append(loss["tagger"])
        results.append((losses, nlp(LONG)._.trf_data, nlp.get_pipe("tagger").model.predict([nlp(LONG)])[0]))
    (losses, data, scores), (cached_losses, cached_data, cached_scores) = results
    assert cached_losses == pytest.approx(losses, rel=1e-3, abs=1e-3)
    assert len(data.model_output["window_lengths"]) > 2
    for key in ("last_hidden_state", "all_layers", "window_cls"):
        np.testing.assert_allclose(cached_data.model_output[key], data.model_output[key], atol=4e-3)
    np.testing.assert_allclose(cached_scores, scores, atol=1e-3)
    weights = [dict(nlp.get_pipe("bigbird").shim.module.named_parameters()) for nlp in pipelines]
    for name, weight in weights[0].items():
        torch.testing.assert_close(weights[1][name], weight, atol=2e-3, rtol=1e-3)
    # The second time, nothing is computed below the frozen layer.
    computed.clear()
    pipelines[1](LONG)
    pipelines[1].update(make_examples(pipelines[1]), sgd=optimizer)
    assert computed == []


def test_an_encoder_that_was_not_trained_is_cached_whole_until_it_is(vocab_file, tmp_path, computed):
    nlp = make(vocab_file, tmp_path / "cache", heads=())
    computed.clear()
    expected = nlp(LONG)._.trf_data.model_output["last_hidden_state"]
    count = len(computed)
    np.testing.assert_array_equal(nlp(LONG)._.trf_data.model_output["last_hidden_state"], expected)
    assert count and len(computed) == count
    add_head(nlp, "tagger")
    nlp.get_pipe("tagger").initialize(lambda: make_examples(nlp), nlp=nlp)
    nlp.update(make_examples(nlp), sgd=nlp.create_optimizer())
    before = files(tmp_path / "cache")
    changed = nlp(LONG)._.trf_data.model_output["last_hidden_state"]
    assert np.abs(changed - expected).max() > 1e-4 and files(tmp_path / "cache") == before


def test_other_heads_and_seeds_and_processes_read_what_is_there(vocab_file, tmp_path, computed):
    folder = tmp_path / "cache"
    first = make(vocab_file, folder, freeze_layers=2)
    first.to_disk(tmp_path / "pipeline")
    first(LONG)
    stored = files(folder)
    computed.clear()
    # A pipeline from disk reads too; so do one layer less, and heads that read the last layer only.
    loaded = spacy.load(tmp_path / "pipeline")
    np.testing.assert_array_equal(
        loaded(LONG)._.trf_data.model_output["all_layers"], first(LONG)._.trf_data.model_output["all_layers"]
    )
    for changes in ({"freeze_layers": 1}, {"freeze_layers": 2}):
        config = {f"components.bigbird.model.{key}": value for key, value in changes.items()}
        other = spacy.load(tmp_path / "pipeline", config=config)
        other(LONG)
    last_only = spacy.load(tmp_path / "pipeline", exclude=["tagger"])
    last_only(LONG)
    assert computed == [] and files(folder) == stored
    # But it creates no folder.
    config = {"components.bigbird.cache_dir": str(tmp_path / "elsewhere")}
    spacy.load(tmp_path / "pipeline", config=config)(LONG)
    assert computed and not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("part", ["weights", "settings", "text"])
def test_another_key_is_never_used(vocab_file, tmp_path, part, computed):
    nlp = make(vocab_file, tmp_path / "cache", freeze_layers=2)
    nlp.to_disk(tmp_path / "pipeline")
    nlp(LONG)
    stored = files(tmp_path / "cache")
    changes = {"components.bigbird.model.transformer_config": {"full_attention_up_to": 8}} if part == "settings" else {}
    text = LONG + " tea" * (part == "text")
    found = []
    for cache_dir in (tmp_path / "cache", None):
        config = {**changes, "components.bigbird.cache_dir": cache_dir and str(cache_dir)}
        other = spacy.load(tmp_path / "pipeline", config=config)
        if part == "weights":
            with torch.no_grad():
                next(other.get_pipe("bigbird").shim.module.encoder.layers[1].parameters()).add_(0.01)
        computed.clear()
        found.append(other(text)._.trf_data.model_output["all_layers"])
        assert computed
    np.testing.assert_allclose(found[0], found[1], atol=4e-3)
    assert len(files(tmp_path / "cache")) > len(stored)


def test_names_depend_on_precision_and_on_nothing_above_the_layer(vocab_file):
    shim = make(vocab_file, heads=()).get_pipe("bigbird").shim
    prints = Fingerprints(shim.module)
    names = [prints.of(layer, precision) for layer in range(3) for precision in ("float32", "bfloat16")]
    assert len(set(names)) == 6
    with torch.no_grad():
        next(shim.module.encoder.layers[1].parameters()).add_(0.01)
    changed = [prints.of(layer, precision) for layer in range(3) for precision in ("float32", "bfloat16")]
    assert changed[:4] == names[:4] and not set(changed[4:]) & set(names)


def test_files_of_another_shape_are_not_used(vocab_file, tmp_path):
    nlp = make(vocab_file, tmp_path / "cache", freeze_layers=2)
    expected = nlp("Anna met Boris .")._.trf_data.model_output["all_layers"]
    for path in (tmp_path / "cache").glob("*/*.npy"):
        np.save(path, np.zeros((3, 3), dtype=np.float16))
    np.testing.assert_array_equal(nlp("Anna met Boris .")._.trf_data.model_output["all_layers"], expected)
