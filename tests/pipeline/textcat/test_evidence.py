"""The sentences that decided."""

import numpy as np
import pytest
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import minibatch

from ..heads_util import with_encoder, with_toy_rows

WORDS = ["red", "sea", "day", "one", "two", "hill", "moor", "lane"]
SENTENCES = 6


def reviews(nlp, seed, number, has_neutral):
    """Sentences of plain words; in two of three documents one has the words that decide."""
    rng = np.random.default_rng(seed)
    examples = []
    for i in range(number):
        label = ("GOOD", "BAD", "NEUTRAL")[i % 3]
        sentences = [[*rng.choice(WORDS, size=5).tolist(), "."] for _ in range(SENTENCES)]
        place = int(rng.integers(SENTENCES))
        decisive = {"GOOD": ["jug", "kick", "jug"], "BAD": ["vex", "zap", "vex"]}
        sentences[place][1:4] = decisive.get(label, sentences[place][1:4])
        doc = Doc(nlp.vocab, words=[word for sentence in sentences for word in sentence])
        doc.user_data["sentences"], doc.user_data["place"] = sentences, place
        reference = doc.copy()
        labels = ("GOOD", "BAD", "NEUTRAL") if has_neutral else ("GOOD", "BAD")
        reference.cats = {name: float(label == name) for name in labels}
        examples.append(Example(doc, reference))
    return examples


@pytest.mark.parametrize(
    ("factory", "encoder"),
    [("bigbird_textcat", "stand-in"), ("bigbird_textcat_multilabel", "stand-in"), ("bigbird_textcat", "bigbird")],
)
def test_the_evidence_is_the_sentence_that_decides(factory, encoder, vocab_file):
    if encoder == "stand-in":
        nlp = with_toy_rows(factory, "attention")
    else:
        nlp = with_encoder(vocab_file)
        nlp.add_pipe(factory, config={"model": {"pooling": "attention"}})
    # Random weights mix words with their neighbours: what decides must have been seen in many surroundings.
    number = 30 if encoder == "stand-in" else 240
    examples = reviews(nlp, 0, number, has_neutral=factory == "bigbird_textcat")
    optimizer = nlp.initialize(lambda: examples)
    optimizer.learn_rate = 0.01
    pipe = nlp.get_pipe(factory)
    if encoder == "bigbird":
        # Only the head learns: what the encoder found is on the documents.
        list(nlp.get_pipe("bigbird").pipe([example.predicted for example in examples]))
    batches = list(minibatch(examples, 40))
    for step in range(60):
        pipe.update(batches[step % len(batches)], sgd=optimizer)
    for example in reviews(nlp, 1, 8, has_neutral=True):
        label = max(example.reference.cats, key=example.reference.cats.get)
        if label == "NEUTRAL":
            continue
        sentences, place = example.predicted.user_data["sentences"], example.predicted.user_data["place"]
        doc = nlp(example.predicted)
        assert doc.cats[label] > 0.5
        group = doc.spans[f"evidence:{label}"]
        weights = np.asarray(group.attrs["weights"])
        best = group[int(weights.argmax())]
        assert (best.start, best.end) == (6 * place, 6 * place + 6)
        assert best.label_ == label and 0.3 < weights.max() <= 1.0
        shortened = [
            Doc(nlp.vocab, words=[word for i, sentence in enumerate(sentences) if i != left_out for word in sentence])
            for left_out in range(SENTENCES)
        ]
        assert int(np.argmin([short.cats[label] for short in nlp.pipe(shortened)])) == place
        other = ({"GOOD", "BAD"} - {label}).pop()
        assert f"evidence:{other}" not in doc.spans
    pipe.set(evidence_share=1.0)
    assert sum(nlp(doc.copy()).spans[f"evidence:{label}"].attrs["weights"]) == pytest.approx(1.0, abs=1e-5)
    pipe.set(evidence_share=0.0)
    assert not any(key.startswith("evidence") for key in nlp(Doc(nlp.vocab, words=sentences[0])).spans)
