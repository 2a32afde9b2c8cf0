"""The encoders of a pipeline are found wherever they are, without weights; a step's cost is that of its parts."""

import numpy as np
import pytest
import spacy

from spacy_bigbird.check.encoders import PlannedEncoder, find_encoders, measure_step
from spacy_bigbird.thinc_layers.settings import EncoderSettings
from spacy_bigbird.thinc_layers.shim import EncoderShim

TINY = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 64,
    "block_size": 16,
}


def encoder_block(vocab_file, **settings) -> dict:
    block = {"@architectures": "spacy-bigbird.BigBirdModel.v1", "vocab_file": str(vocab_file)}
    return {**block, "transformer_config": TINY, **settings}


def test_shared_and_unshared_encoders_are_found_without_weights(vocab_file):
    nlp = spacy.blank("en")
    nlp.add_pipe("bigbird", config={"model": encoder_block(vocab_file, overlap=5)})
    tok2vec = {
        "@architectures": "spacy-bigbird.BigBirdTok2Vec.v1",
        "encoder": encoder_block(vocab_file),
        "pooling": {"@layers": "reduce_mean.v1"},
    }
    nlp.add_pipe("tagger", config={"model": {"@architectures": "spacy.Tagger.v2", "tok2vec": tok2vec}})
    nlp.add_pipe("sentencizer")
    first, second = find_encoders(nlp)
    assert (first.component, second.component) == ("bigbird", "tagger")
    assert first.capacity == 62 and first.settings.overlap == 5
    assert first.config.hidden_size == 16 and first.config.vocab_size == first.tokenizer.vocab_size == 800


def test_a_checkpoint_is_described_without_its_weights(vocab_file, tmp_path):
    shim = EncoderShim(EncoderSettings(vocab_file=str(vocab_file), transformer_config=TINY))
    shim.load()
    shim.to_folder(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    settings = EncoderSettings(name=str(tmp_path), transformer_config={"random_pattern": "none"})
    found = PlannedEncoder.of("bigbird", EncoderShim(settings))
    assert found.config.random_pattern == "none" and found.config.num_hidden_layers == 2
    assert PlannedEncoder.of("bigbird", shim).config is shim.config


def test_an_encoder_without_a_vocabulary_says_what_to_write():
    with pytest.raises(ValueError, match=r"BB137.*neither a checkpoint"):
        PlannedEncoder.of("bigbird", EncoderShim(EncoderSettings()))


def test_settings_that_fail_in_training_fail_here(vocab_file):
    scratch = {"vocab_file": str(vocab_file)}
    with pytest.raises(ValueError, match=r"BB135.*freeze_layers = 3.*at most 2"):
        PlannedEncoder.of("bigbird", EncoderShim(EncoderSettings(**scratch, transformer_config=TINY, freeze_layers=3)))
    with pytest.raises(ValueError, match=r"BB138.*800 pieces.*700"):
        small = EncoderSettings(**scratch, transformer_config={**TINY, "vocab_size": 700})
        PlannedEncoder.of("bigbird", EncoderShim(small))


def test_an_encoder_that_will_be_copied_is_that_of_the_other_component(vocab_file):
    nlp = spacy.blank("en")
    nlp.add_pipe("bigbird", config={"model": encoder_block(vocab_file)})
    block = {"@architectures": "spacy-bigbird.SpanQA.v1", "overlap": 3}
    nlp.add_pipe("bigbird_span_qa", config={"model": block})
    with pytest.raises(ValueError, match="BB137"):
        find_encoders(nlp)
    nlp.config["initialize"]["components"]["bigbird_span_qa"] = {"encoder_from": "bigbird"}
    shared, copied = find_encoders(nlp)
    assert copied.component == copied.factory == "bigbird_span_qa" and copied.settings.overlap == 3
    assert copied.config == shared.config and copied.tokenizer.vocab_size == 800
    nlp.config["variables"] = {"source": "bigbird"}
    nlp.config["initialize"]["components"]["bigbird_span_qa"] = {"encoder_from": "${variables.source}"}
    assert find_encoders(nlp)[1].config == shared.config


def test_a_choice_without_options_is_said(vocab_file):
    nlp = spacy.blank("en")
    block = {**encoder_block(vocab_file), "@architectures": "spacy-bigbird.MultipleChoice.v1"}
    nlp.add_pipe("bigbird_multiple_choice", config={"model": block})
    (encoder,) = find_encoders(nlp)
    doc = nlp.make_doc("the house")
    (pieces,) = encoder.tokenizer.text_pieces([doc.text])
    doc._.choices = [{"question": "Who?", "options": ["A", "B", "C"]}]
    assert len(encoder.window_sizes(doc, pieces)) == 3
    doc._.choices = [{"question": "Who?"}]
    with pytest.raises(ValueError, match="BB244"):
        encoder.window_sizes(doc, pieces)


def test_the_cost_counts_weights_and_what_is_kept(vocab_file):
    def cost(**settings):
        block = EncoderSettings(vocab_file=str(vocab_file), transformer_config=TINY, **settings)
        return measure_step(PlannedEncoder.of("bigbird", EncoderShim(block)), [np.arange(100, 160)] * 2)

    whole, frozen, checkpointed = cost(), cost(freeze_layers=1), cost(gradient_checkpointing=True)
    # Embeddings, then per layer attention (q, k, v, output) and feed-forward with their norms.
    layer = 4 * (16 * 16 + 16) + 16 * 32 + 32 + 32 * 16 + 16 + 2 * 2 * 16
    assert whole.parameters == whole.trained_parameters == (800 + 64 + 2 + 2) * 16 + 2 * layer
    assert frozen.parameters == whole.parameters and frozen.trained_parameters == layer
    assert 0 < checkpointed.bytes_per_piece < frozen.bytes_per_piece < whole.bytes_per_piece
    assert whole.training_memory(10) == 16 * whole.parameters + 10 * whole.bytes_per_piece
    assert min(whole.training_seconds, whole.prediction_seconds) > 0
