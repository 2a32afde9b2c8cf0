"""Small pipelines whose heads listen to a stand-in or to a toy encoder."""

from typing import Any

import spacy
from spacy.language import Language

from ..thinc_layers.toy_rows import register
from ..toy_pipelines import TINY_ENCODER

register()
TOY_ROWS = {"@layers": "toy_rows.v1", "width": 24}
TOY_CONFIG = {**TINY_ENCODER, "vocab_size": 800, "intermediate_size": 64}


def with_toy_rows(factory: str, pooling: str, **settings: Any) -> Language:
    """A pipeline of one component that reads the stand-in."""
    spacy.util.fix_random_seed(0)
    nlp = spacy.blank("en")
    architectures = {"bigbird_ner": "TokenClassifier", "bigbird_spancat": "SpanClassifier"}
    architecture = architectures.get(factory, "TextClassifier")
    model = {"@architectures": f"spacy-bigbird.{architecture}.v1", "pooling": pooling, "tok2vec": dict(TOY_ROWS)}
    nlp.add_pipe(factory, config={"model": model, **settings})
    return nlp


def with_encoder(vocab_file: Any, **encoder: Any) -> Language:
    """A pipeline of a toy encoder with random weights."""
    spacy.util.fix_random_seed(0)
    nlp = spacy.blank("en")
    model = {
        "@architectures": "spacy-bigbird.BigBirdModel.v1",
        "vocab_file": str(vocab_file),
        "transformer_config": dict(TOY_CONFIG),
        **encoder,
    }
    nlp.add_pipe("bigbird", config={"model": model})
    return nlp


def train(nlp: Language, examples: list, steps: int, learn_rate: float = 0.01) -> list[dict[str, float]]:
    """Train as `spacy train` does: all components first, then the steps. RETURNS: the losses of every step."""
    optimizer = nlp.initialize(lambda: examples)
    optimizer.learn_rate = learn_rate
    history = []
    for _ in range(steps):
        losses: dict[str, float] = {}
        nlp.update(examples, sgd=False, losses=losses)
        for _, pipe in nlp.pipeline:
            if hasattr(pipe, "finish_update"):
                pipe.finish_update(optimizer)
        history.append(losses)
    return history
