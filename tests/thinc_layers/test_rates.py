"""Which learning rate each weight has."""

import pytest
import spacy
from thinc.api import Adam

from spacy_bigbird.thinc_layers.rates import rate_of
from spacy_bigbird.thinc_layers.settings import EncoderSettings
from tests.toy_pipelines import encoder_weights, make_examples, make_pipeline


@pytest.mark.parametrize(
    ("weight", "expected"),
    [
        ("encoder.layers.3.attention.output.weight", 0.1),
        ("bigbird.encoder.layers.1.output.weight", 0.025),
        ("bigbird.embeddings.word_embeddings.weight", 0.00625),
        ("embeddings.LayerNorm.bias", 0.00625),
        ("qa_outputs.weight", 1.0),
    ],
)
def test_the_encoder_has_a_rate_of_its_own_and_the_head_that_of_the_optimizer(weight, expected):
    settings = EncoderSettings(learning_rate_factor=0.1, layer_learning_rate_decay=0.5)
    assert rate_of(weight, settings, 4) == pytest.approx(expected)


def test_in_a_pipeline_the_head_keeps_its_rate(vocab_file):
    moved = []
    for factor in (1.0, 0.01):
        nlp = make_pipeline(vocab_file, ("tagger",), learning_rate_factor=factor)
        spacy.util.fix_random_seed(1)
        nlp.initialize(lambda nlp=nlp: make_examples(nlp))
        head, optimizer = nlp.get_pipe("tagger").model.get_ref("softmax"), Adam(0.001, L2=0.0, grad_clip=0.0)
        encoder, weights = encoder_weights(nlp), head.get_param("W").copy()
        # The head starts with zeros: the first step brings the encoder no gradient.
        for _ in range(2):
            nlp.update(make_examples(nlp), sgd=optimizer)
        moved.append((abs(encoder_weights(nlp) - encoder).max(), abs(head.get_param("W") - weights).max()))
    (encoder, head), (slow_encoder, slow_head) = moved
    assert slow_encoder == pytest.approx(0.01 * encoder, rel=0.05) and encoder > 1e-4
    assert slow_head == pytest.approx(head, rel=0.05) and head > 1e-3


@pytest.mark.parametrize("factor", [0, -1, True, "fast"])
def test_a_factor_that_makes_no_sense(factor):
    with pytest.raises(ValueError, match="learning_rate_factor"):
        EncoderSettings(learning_rate_factor=factor)
