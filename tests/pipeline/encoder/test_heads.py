"""Stock spaCy components on the shared encoder: they learn, they are saved, they predict the same."""

import pytest
import spacy
from spacy.util import fix_random_seed

from ...toy_pipelines import ODD_TEXTS, SENTENCES, make_examples, make_pipeline, snapshot

HEADS = ("ner", "textcat", "textcat_multilabel", "spancat", "tagger", "parser")


def train(nlp, examples, steps):
    """As `spacy train` does: all components collect gradients, then all step."""
    optimizer = nlp.initialize(lambda: examples)
    optimizer.learn_rate = 0.01
    for _ in range(steps):
        nlp.update(examples, sgd=False)
        for _, pipe in nlp.pipeline:
            pipe.finish_update(optimizer)
    return nlp


@pytest.mark.parametrize("head", HEADS)
def test_a_stock_head_overfits_and_survives_the_disk(head, vocab_file, tmp_path):
    fix_random_seed(0)
    nlp = make_pipeline(vocab_file, (head,))
    examples = make_examples(nlp, odd=True)
    train(nlp, examples, 30)
    for example in examples:
        if len(example.reference) > 1 and example.reference[0].is_alpha:
            found, gold = snapshot(nlp(example.predicted.copy())), snapshot(example.reference)
            if head == "ner":
                assert found["ents"] == gold["ents"]
            elif head == "tagger":
                assert found["tags"] == gold["tags"]
            elif head == "parser":
                assert (found["heads"], found["deps"]) == (gold["heads"], gold["deps"])
            elif head == "spancat":
                assert found["spans"] == gold["spans"]
            else:
                assert found["cats"] == pytest.approx(gold["cats"], abs=0.2)
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    texts = [text for text, _ in SENTENCES] + ODD_TEXTS
    assert [snapshot(doc) for doc in loaded.pipe(texts)] == [snapshot(doc) for doc in nlp.pipe(texts)]
