"""What an encoder loads, when, and what it says if it cannot."""

import json

import numpy
import pytest
import torch
from thinc.api import Adam

from spacy_bigbird.model import BigBirdForCausalLM
from spacy_bigbird.thinc_layers.encoder_wrapper import build_encoder, get_config, get_shim
from spacy_bigbird.thinc_layers.settings import EncoderSettings

from .toy_encoders import pieces, weights


def test_nothing_is_loaded_before_initialize(vocab_file):
    encoder = build_encoder(EncoderSettings(name="no/such-checkpoint"))
    with pytest.raises(ValueError, match="BB139"):
        encoder.predict(pieces())
    assert not get_shim(encoder).is_loaded
    assert not get_shim(build_encoder(EncoderSettings()).from_bytes(encoder.to_bytes())).is_loaded
    encoder.finish_update(Adam(0.1))
    with encoder.use_params({(get_shim(encoder).id, "x"): numpy.zeros(1)}):
        pass
    encoder.to_cpu()


def test_initialize_without_a_checkpoint_shows_what_to_write():
    with pytest.raises(ValueError, match=r"(?s)BB137.*name = \"google/bigbird-roberta-base\".*vocab_file = "):
        build_encoder(EncoderSettings()).initialize()


def test_initialize_keeps_the_weights_that_are_there(make_encoder):
    encoder = make_encoder()
    before = weights(encoder)
    torch.manual_seed(17)
    encoder.initialize()
    assert all(torch.equal(after, before[name]) for name, after in weights(encoder).items())


def test_same_seed_same_weights(make_encoder):
    first, second = weights(make_encoder()), weights(make_encoder())
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_checkpoint_folder(make_encoder, vocab_file, tmp_path):
    encoder = make_encoder()
    get_shim(encoder).to_folder(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"config.json", "model.safetensors", "spiece.model"}
    assert json.loads((tmp_path / "config.json").read_text())["model_type"] == "big_bird"
    loaded = build_encoder(EncoderSettings(name=str(tmp_path)))
    loaded.initialize()
    numpy.testing.assert_allclose(loaded.predict(pieces()), encoder.predict(pieces()), atol=1e-6)
    changed = build_encoder(EncoderSettings(name=str(tmp_path), transformer_config={"random_pattern": "none"}))
    changed.initialize()
    assert get_config(changed).random_pattern == "none"
    for wrong in ({"num_hidden_layers": 3}, {"num_attention_heads": 4}, {"vocab_size": 900}):
        with pytest.raises(ValueError, match=r"BB136.*" + next(iter(wrong))):
            build_encoder(EncoderSettings(name=str(tmp_path), transformer_config=wrong)).initialize()
    with pytest.raises(ValueError, match=r"BB135.*freeze_layers = 3"):
        build_encoder(EncoderSettings(name=str(tmp_path), freeze_layers=3)).initialize()


def test_shorter_windows_of_a_checkpoint(make_encoder, tmp_path):
    encoder = make_encoder()
    get_shim(encoder).to_folder(tmp_path)
    settings = EncoderSettings(name=str(tmp_path), transformer_config={"max_position_embeddings": 24})
    shorter = build_encoder(settings)
    shorter.initialize()
    assert settings.window_capacity(get_config(shorter)) == (22, 2)
    assert get_shim(shorter).module.embeddings.position_embeddings.weight.shape == (24, 32)
    numpy.testing.assert_allclose(shorter.predict(pieces((24, 7))), encoder.predict(pieces((24, 7))), atol=1e-6)
    get_shim(shorter).to_folder(tmp_path / "shorter")
    again = build_encoder(EncoderSettings(name=str(tmp_path / "shorter")))
    again.initialize()
    assert get_config(again).max_position_embeddings == 24
    with pytest.raises(ValueError, match=r"BB135.*overlap"):
        build_encoder(
            EncoderSettings(name=str(tmp_path), overlap=12, transformer_config={"max_position_embeddings": 24})
        ).initialize()


def test_the_lowest_layers_of_a_checkpoint_alone(make_encoder, tmp_path):
    encoder = make_encoder()
    get_shim(encoder).wanted_layers = {(1,)}
    lowest = encoder.predict(pieces())[:, : encoder.get_dim("nO")]
    get_shim(encoder).to_folder(tmp_path)
    fewer = {"transformer_config": {"num_hidden_layers": 1}}
    lower = build_encoder(EncoderSettings(name=str(tmp_path), freeze_layers=1, **fewer))
    lower.initialize()
    assert get_config(lower).num_hidden_layers == len(get_shim(lower).checkpoint.encoder.encoder.layers) == 1
    numpy.testing.assert_allclose(lower.predict(pieces()), lowest, atol=1e-6)
    get_shim(lower).to_folder(tmp_path / "saved")
    loaded = build_encoder(EncoderSettings(name=str(tmp_path / "saved")))
    loaded.initialize()
    numpy.testing.assert_array_equal(loaded.predict(pieces()), lower.predict(pieces()))
    with pytest.raises(ValueError, match=r"BB135.*freeze_layers = 2.*at most 1"):
        build_encoder(EncoderSettings(name=str(tmp_path), freeze_layers=2, **fewer)).initialize()


def test_a_vocabulary_larger_than_the_embeddings_is_refused(make_encoder):
    with pytest.raises(ValueError, match="BB138"):
        make_encoder({"vocab_size": 300})


def test_a_decoder_reads_both_ways_only_where_that_is_wanted(make_encoder, tmp_path):
    shim = get_shim(make_encoder())
    BigBirdForCausalLM(shim.config).save_pretrained(tmp_path)
    shim.tokenizer.save_vocabulary(tmp_path)
    with pytest.raises(ValueError, match=r"BB143.*is_decoder"):
        build_encoder(EncoderSettings(name=str(tmp_path))).initialize()
    encoder = build_encoder(EncoderSettings(name=str(tmp_path), transformer_config={"is_decoder": False}))
    encoder.initialize()
    assert not get_config(encoder).is_decoder and numpy.isfinite(encoder.predict(pieces())).all()
