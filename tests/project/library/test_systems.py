"""The systems to compare."""

import shutil

import pytest
import spacy
import torch
from spacy.util import load_config, registry

from project.workflows.library import budget, systems
from project.workflows.library.options import make_settings
from spacy_bigbird.model import BigBirdConfig, BigBirdModel
from spacy_bigbird.tokenizer import BigBirdTokenizer

from ...toy_pipelines import TINY_ENCODER
from ..stand_ins import PROJECT

assert budget.CLOCK  # Importing it registers the functions that the configs refer to.


def encoder_of(path):
    return load_config(path)["components"]["bigbird"]["model"]


def write_all(folder, settings):
    return {
        name: systems.write_config(
            folder / name / "config.cfg",
            PROJECT / "configs" / ("ner_tok2vec.cfg" if name == "tok2vec" else "ner.cfg"),
            name,
            settings,
            folder / "corpus",
        )
        for name in systems.SYSTEMS
    }


def test_systems_differ_in_what_they_see_and_in_nothing_else(tmp_path):
    paths = write_all(tmp_path, make_settings(seed=3, seconds=5, max_length=1024))
    configs = {name: load_config(path, interpolate=True) for name, path in paths.items()}
    for config in configs.values():
        assert config["system"]["seed"] == 3 and config["training"]["batcher"]["seconds"] == 5
        assert config["training"]["batcher"]["clock"] == "cpu"
        registry.resolve({"batcher": config["training"]["batcher"]})
    whole, strided, truncated = (encoder_of(paths[name]) for name in ("bigbird", "strided", "truncated"))
    assert whole["transformer_config"]["max_position_embeddings"] == 1024 and whole["overlap"] is None
    assert strided["transformer_config"] == {**whole["transformer_config"], "max_position_embeddings": 130}
    assert strided["overlap"] == 32 and truncated == whole
    for name in systems.SYSTEMS:
        if name != "truncated":
            assert configs[name]["corpora"]["dev"]["first_pieces"] is None
    assert all(configs["truncated"]["corpora"][part]["first_pieces"] == 512 for part in ("train", "dev"))
    for block in ("optimizer", "batcher", "dropout"):
        assert configs["bigbird"]["training"][block] == configs["strided"]["training"][block]


def test_random_weights_that_know_neighbours_are_those_of_the_seed(tmp_path, vocab_file):
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    shutil.copy(vocab_file, corpus / "spiece.model")

    def encoder(system, seed):
        settings, base = make_settings(seed=seed, max_length=512), PROJECT / "configs" / "ner.cfg"
        path = tmp_path / f"{system}{seed}" / "config.cfg"
        systems.write_config(path, base, system, settings, corpus, knows_neighbours=True)
        assert encoder_of(path)["transformer_config"] == {} and encoder_of(path)["vocab_file"] is None
        return BigBirdModel.from_pretrained(encoder_of(path)["name"])

    one, other, strided = encoder("bigbird", 0), encoder("bigbird", 1), encoder("strided", 0)
    assert (one.config.max_position_embeddings, strided.config.max_position_embeddings) == (512, 130)
    assert torch.equal(one.embeddings.word_embeddings.weight, strided.embeddings.word_embeddings.weight)
    assert not torch.equal(one.embeddings.word_embeddings.weight, other.embeddings.word_embeddings.weight)
    # A head looks at the piece before or behind, most of all.
    rows = torch.nn.functional.layer_norm(one.embeddings.position_embeddings.weight, (128,))[:64]
    queries, keys, _ = (rows @ one.encoder.layers[0].attention.query_key_value.weight.T).split(128, dim=1)
    for head, offset in enumerate((-1, 1)):
        part = slice(64 * head, 64 * head + 64)
        best = (queries[:, part] @ keys[:, part].T).argmax(1)
        assert best[2:-2].tolist() == [i + offset for i in range(2, 62)]


def test_windows_of_the_strided_system_are_128_pieces_every_96(tmp_path, vocab_file):
    nlp = spacy.blank("en")
    settings = {"max_position_embeddings": 130, **systems.SIZES["tiny"], "num_hidden_layers": 1}
    model = {"@architectures": "spacy-bigbird.BigBirdModel.v1", "vocab_file": str(vocab_file)}
    nlp.add_pipe("bigbird", config={"model": {**model, "transformer_config": settings, "overlap": systems.OVERLAP}})
    nlp.initialize()
    doc = nlp.make_doc("the " * (128 + 2 * 96))
    lengths = nlp(doc)._.trf_data.model_output["window_lengths"]
    assert lengths.tolist() == [128, 128, 128]


def test_a_checkpoint_is_shortened_for_windows(tmp_path, vocab_file):
    torch.manual_seed(0)
    whole = BigBirdModel(BigBirdConfig(**{**TINY_ENCODER, "vocab_size": 800, "max_position_embeddings": 256}))
    whole.save_pretrained(tmp_path / "whole")
    BigBirdTokenizer(str(vocab_file)).save_vocabulary(tmp_path / "whole")
    path = write_all(tmp_path, make_settings(checkpoint=str(tmp_path / "whole")))["strided"]
    assert encoder_of(path)["transformer_config"] == {}
    short = BigBirdModel.from_pretrained(encoder_of(path)["name"])
    assert short.config.max_position_embeddings == 130
    ids = torch.randint(3, 800, (1, 128))
    whole.eval(), short.eval()
    with torch.no_grad():
        same = torch.allclose(whole(ids).last_hidden_state, short(ids).last_hidden_state, atol=1e-5)
    assert same
    assert BigBirdTokenizer.from_pretrained(encoder_of(path)["name"]).vocab_size == 800


@pytest.mark.parametrize(("width", "rate"), [(192, 1e-3), (384, 2e-4), (768, 5e-5)])
def test_wider_checkpoints_learn_more_slowly(tmp_path, width, rate):
    BigBirdConfig(hidden_size=width).save_pretrained(tmp_path)
    assert systems.checkpoint_rate(str(tmp_path)) == rate
