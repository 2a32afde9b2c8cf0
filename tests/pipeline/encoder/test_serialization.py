"""Saving, loading, copying, sourcing and replacing listeners."""

import copy
import json
import pickle
import shutil

import numpy
import pytest
import spacy
import torch
from spacy.lang.en import English
from spacy.util import fix_random_seed
from thinc.api import Adam

from spacy_bigbird.model import BigBirdModel
from spacy_bigbird.thinc_layers.encoder_wrapper import get_shim, get_tokenizer

from ...toy_pipelines import (
    ODD_TEXTS,
    SENTENCES,
    TINY_ENCODER,
    add_head,
    encoder_model,
    encoder_weights,
    make_examples,
    make_pipeline,
    rows_of,
    snapshot,
)

TEXTS = [text for text, _ in SENTENCES] + ODD_TEXTS


@pytest.fixture(scope="module")
def trained(vocab_file):
    fix_random_seed(0)
    nlp = make_pipeline(vocab_file, ("ner", "tagger"))
    examples = make_examples(nlp)
    optimizer = nlp.initialize(lambda: examples)
    optimizer.learn_rate = 0.01
    for _ in range(8):
        nlp.update(examples, sgd=optimizer)
    assert any(doc.ents for doc in nlp.pipe(TEXTS))
    return nlp


def predictions(nlp):
    return [snapshot(doc) for doc in nlp.pipe(TEXTS)]


def assert_same(nlp, other):
    assert predictions(other) == predictions(nlp)
    if "bigbird" in other.pipe_names:
        numpy.testing.assert_allclose(rows_of(other(TEXTS[0])), rows_of(nlp(TEXTS[0])), atol=1e-6)


def through_bytes(nlp):
    return spacy.blank("en").from_config(nlp.config).from_bytes(nlp.to_bytes())


@pytest.mark.parametrize(
    "make_copy",
    [through_bytes, lambda nlp: pickle.loads(pickle.dumps(nlp)), copy.deepcopy],
    ids=["bytes", "pickle", "deepcopy"],
)
def test_copies_predict_the_same(trained, make_copy):
    assert_same(trained, make_copy(trained))


def test_disk(trained, tmp_path):
    trained.to_disk(tmp_path)
    assert_same(trained, spacy.load(tmp_path))
    # The vocabulary and the checkpoint that training began with are not needed any more.
    config = json.loads((tmp_path / "bigbird" / "config.json").read_text())
    assert config["model_type"] == "big_bird" and config["hidden_size"] == 32
    names = {path.name for path in (tmp_path / "bigbird").iterdir()}
    assert names == {"cfg", "config.json", "model.safetensors", "spiece.model"}
    assert json.loads((tmp_path / "bigbird" / "cfg").read_text()) == {}


def test_a_saved_pipeline_needs_no_source(vocab_file, tmp_path, monkeypatch):
    moved = shutil.copy(vocab_file, tmp_path / "elsewhere.model")
    nlp = make_pipeline(moved)
    nlp.initialize()
    nlp.to_disk(tmp_path / "pipeline")
    (tmp_path / "elsewhere.model").unlink()
    monkeypatch.setattr("spacy_bigbird.checkpoint.hub.snapshot_download", None)
    assert_same(nlp, spacy.load(tmp_path / "pipeline"))


def test_the_folder_is_a_checkpoint(trained, tmp_path):
    trained.to_disk(tmp_path)
    folder = tmp_path / "bigbird"
    component = trained.get_pipe("bigbird")
    encoding = get_tokenizer(component.model)(TEXTS[0])
    ids, types = torch.tensor([encoding.ids]), torch.zeros((1, len(encoding.ids)), dtype=torch.long)
    expected = rows_of(trained(TEXTS[0]))
    with torch.no_grad():
        ours = BigBirdModel.from_pretrained(folder, add_pooling_layer=False)(ids, token_type_ids=types)
    numpy.testing.assert_allclose(ours.last_hidden_state[0], expected, atol=1e-5)
    transformers = pytest.importorskip("transformers")
    theirs = transformers.BigBirdModel.from_pretrained(folder, attention_type="original_full", add_pooling_layer=False)
    with torch.no_grad():
        found = theirs.eval()(ids, token_type_ids=types).last_hidden_state
    numpy.testing.assert_allclose(found[0], expected, atol=1e-5)
    again = spacy.blank("en")
    again.add_pipe(
        "bigbird", config={"model": {"@architectures": "spacy-bigbird.BigBirdModel.v1", "name": str(folder)}}
    )
    again.initialize()
    numpy.testing.assert_allclose(rows_of(again(TEXTS[0])), expected, atol=1e-6)


def test_half_precision_on_disk(trained, vocab_file, tmp_path):
    half = make_pipeline(vocab_file, ("ner", "tagger"), save_as="float16").from_bytes(trained.to_bytes())
    trained.to_disk(tmp_path / "full")
    half.to_disk(tmp_path / "half")
    sizes = [(tmp_path / name / "bigbird" / "model.safetensors").stat().st_size for name in ("full", "half")]
    assert sizes[1] < 0.65 * sizes[0]
    loaded = spacy.load(tmp_path / "half")
    assert predictions(loaded) == predictions(trained)
    assert rows_of(loaded("tea")).dtype == numpy.float32


def test_excluded_parts_are_not_written(trained, tmp_path):
    trained.get_pipe("bigbird").to_disk(tmp_path, exclude=["model"])
    assert not (tmp_path / "config.json").exists()
    nlp = spacy.blank("en")
    component = nlp.add_pipe("bigbird")
    component.from_disk(tmp_path, exclude=["vocab"])
    assert not component.shim.is_loaded


def test_a_pipeline_that_was_never_initialized(tmp_path, vocab_file):
    nlp = make_pipeline(vocab_file)
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    assert not loaded.get_pipe("bigbird").shim.is_loaded
    pickle.loads(pickle.dumps(nlp))
    loaded.initialize()
    assert loaded.get_pipe("bigbird").shim.is_loaded


def test_run_time_settings_come_from_the_config_at_load(trained, tmp_path):
    trained.to_disk(tmp_path)
    changes = {"keep_vectors": "none", "model": {"max_batch_pieces": 99, "precision": "bf16"}}
    loaded = spacy.load(tmp_path, config={"components": {"bigbird": changes}})
    component = loaded.get_pipe("bigbird")
    assert component.keep_vectors == "none"
    assert (component.shim.settings.max_batch_pieces, component.shim.settings.precision) == (99, "bf16")
    changed = {"components.bigbird.model.transformer_config.random_pattern": "huggingface"}
    assert spacy.load(tmp_path, config=changed).get_pipe("bigbird").shim.config.random_pattern == "huggingface"
    wrong = {"components.bigbird.model.transformer_config.hidden_size": 64}
    with pytest.raises(ValueError, match=r"BB136.*hidden_size"):
        spacy.load(tmp_path, config=wrong)


def test_initialize_keeps_loaded_weights(trained, tmp_path):
    trained.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    loaded.initialize()
    numpy.testing.assert_array_equal(encoder_weights(loaded), encoder_weights(trained))


def test_config_round_trip(trained):
    again = English.from_config(trained.config)
    assert again.config["components"] == trained.config["components"]
    filled = trained.get_pipe_config("bigbird")
    assert spacy.blank("en").from_config(again.config).get_pipe_config("bigbird") == filled


@pytest.mark.parametrize("names", [["ner"], ["ner", "tagger"]])
def test_replaced_listeners_predict_the_same(trained, names, tmp_path):
    nlp = pickle.loads(pickle.dumps(trained))
    expected = predictions(trained)
    for name in names:
        nlp.replace_listeners("bigbird", name, ["model.tok2vec"])
        section = nlp.config["components"][name]["model"]["tok2vec"]
        assert section["@architectures"] == "spacy-bigbird.BigBirdTok2Vec.v1"
        assert section["encoder"]["transformer_config"] == TINY_ENCODER
        assert section["pooling"] == {"@layers": "reduce_mean.v1"}
    assert predictions(nlp) == expected
    nlp.to_disk(tmp_path)
    assert predictions(spacy.load(tmp_path)) == expected
    assert predictions(through_bytes(nlp)) == expected
    shims = [nlp.get_pipe("bigbird").shim, *(get_shim(nlp.get_pipe(name).model) for name in names)]
    assert len({shim.id for shim in shims}) == len(shims)
    examples = make_examples(nlp, odd=True)
    before = [torch.cat([p.detach().ravel() for p in shim.module.parameters()]).clone() for shim in shims]
    optimizer = Adam(0.001)
    nlp.update(examples, sgd=optimizer)
    moved = [
        not torch.equal(torch.cat([p.detach().ravel() for p in shim.module.parameters()]), weights)
        for shim, weights in zip(shims, before, strict=True)
    ]
    assert moved == [len(names) == 1] + [True] * len(names)


def test_listeners_are_replaced_when_a_component_is_sourced(trained, tmp_path):
    trained.to_disk(tmp_path)
    config = {
        "nlp": {"lang": "en", "pipeline": ["ner"]},
        "components": {"ner": {"source": str(tmp_path), "replace_listeners": ["model.tok2vec"]}},
    }
    nlp = spacy.util.load_model_from_config(config, auto_fill=True)
    assert [s["ents"] for s in predictions(nlp)] == [s["ents"] for s in predictions(trained)]


def test_sourced_encoder_and_head(trained):
    # spaCy shares sourced components with their pipeline.
    trained = pickle.loads(pickle.dumps(trained))
    nlp = spacy.blank("en")
    nlp.add_pipe("bigbird", source=trained)
    nlp.add_pipe("ner", source=trained)
    add_head(nlp, "senter")
    examples = make_examples(nlp)
    with nlp.select_pipes(enable=["senter"]):
        nlp.initialize(lambda: examples)
    assert [s["ents"] for s in predictions(nlp)] == [s["ents"] for s in predictions(trained)]
    before = encoder_weights(nlp)
    for _ in range(2):
        nlp.update(examples, sgd=Adam(0.001))
    assert abs(encoder_weights(nlp) - before).max() > 0


def test_renamed_and_removed_components(trained):
    nlp = pickle.loads(pickle.dumps(trained))
    nlp.rename_pipe("bigbird", "encoder")
    assert predictions(nlp) == predictions(trained)
    doc = nlp(TEXTS[0])
    assert doc._.trf_data.encoder == "encoder"
    nlp.remove_pipe("tagger")
    assert [s["ents"] for s in predictions(nlp)] == [s["ents"] for s in predictions(trained)]


def test_misspelt_upstream(vocab_file):
    nlp = make_pipeline(vocab_file)
    add_head(nlp, "tagger", upstream="bigbrid")
    with pytest.raises(ValueError, match=r"BB142.*tagger.*bigbrid.*bigbird"):
        nlp.initialize(lambda: make_examples(nlp))


def test_named_upstream(vocab_file):
    nlp = make_pipeline(vocab_file)
    add_head(nlp, "tagger", upstream="bigbird")
    nlp.initialize(lambda: make_examples(nlp))
    assert nlp.get_pipe("bigbird").listening_components == ["tagger"]


def test_assemble(trained, tmp_path, capsys):
    from spacy.cli.assemble import assemble_cli

    trained.to_disk(tmp_path / "source")
    config = spacy.util.load_config(tmp_path / "source" / "config.cfg")
    config["components"] = {name: {"source": str(tmp_path / "source")} for name in trained.pipe_names}
    config.to_disk(tmp_path / "assemble.cfg")

    class Context:
        args = ()

    assemble_cli(Context(), tmp_path / "assemble.cfg", tmp_path / "out", code_path=None, verbose=False)
    assert_same(trained, spacy.load(tmp_path / "out"))


def test_the_stock_factory_takes_the_architecture(vocab_file, tmp_path):
    fix_random_seed(0)
    nlp = spacy.blank("en")
    nlp.add_pipe("transformer", config={"model": encoder_model(vocab_file)})
    add_head(nlp, "ner")
    examples = make_examples(nlp)
    optimizer = nlp.initialize(lambda: examples)
    optimizer.learn_rate = 0.01
    for _ in range(10):
        nlp.update(examples, sgd=optimizer)
    expected = predictions(nlp)
    assert any(prediction["ents"] for prediction in expected)
    nlp.to_disk(tmp_path / "stock")
    assert predictions(spacy.load(tmp_path / "stock")) == expected
    nlp.replace_listeners("transformer", "ner", ["model.tok2vec"])
    assert predictions(nlp) == expected
    nlp.to_disk(tmp_path / "replaced")
    assert predictions(spacy.load(tmp_path / "replaced")) == expected
