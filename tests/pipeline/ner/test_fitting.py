"""Calibration on held-out documents."""

import numpy as np
import pytest
from spacy.tokens import Doc, Span
from spacy.training import Example

from ..heads_util import train, with_toy_rows
from .toy_entities import examples_for


def synthetic(nlp, seed, number, share):
    """Words in upper case are entities in a share of the cases: nobody can be surer than that."""
    rng = np.random.default_rng(seed)
    examples = []
    for _ in range(number):
        words = ["".join(rng.choice(list("abcdefgh"), size=3)) for _ in range(12)]
        starts = rng.random(12) < 0.3
        words = [word.upper() if start else word for word, start in zip(words, starts, strict=True)]
        reference = Doc(nlp.vocab, words=words)
        gold = [Span(reference, i, i + 1, "X") for i in np.flatnonzero(starts & (rng.random(12) < share)).tolist()]
        reference.set_ents(gold, default="outside")
        examples.append(Example(Doc(nlp.vocab, words=words), reference))
    return examples


@pytest.mark.parametrize("decoder", ["crf", "constrained"])
def test_calibration_lowers_the_error_on_held_out_documents(decoder):
    nlp = with_toy_rows("bigbird_ner", "mean", decoder=decoder)
    train(nlp, synthetic(nlp, 0, 12, share=1.0), 60)
    ner = nlp.get_pipe("bigbird_ner")

    def test_error():
        examples = synthetic(nlp, 2, 60, share=0.7)
        predicted = ner.pipe([example.predicted for example in examples])
        return ner.score([Example(doc, e.reference) for doc, e in zip(predicted, examples, strict=True)])

    before = test_error()
    result = ner.calibrate(synthetic(nlp, 1, 60, share=0.7), nlp=nlp)
    after = test_error()
    assert result["temperature"] == ner.cfg["temperature"] > 1.0
    assert result["after"] < result["before"]
    assert before["ents_ece"] > 0.2 and after["ents_ece"] < 0.1
    assert after["ents_f"] == before["ents_f"], "the temperature changes no prediction"


def test_calibration_without_any_prediction_is_an_error():
    nlp = with_toy_rows("bigbird_ner", "first")
    train(nlp, examples_for(nlp), 1)
    with pytest.raises(ValueError, match="BB201"):
        nlp.get_pipe("bigbird_ner").calibrate([Example(nlp.make_doc("a"), nlp.make_doc("a"))])
