"""An encoder with heads, and steps of training them."""

import torch
from spacy.util import fix_random_seed
from thinc.api import Adam

from spacy_bigbird.thinc_layers.encoder_wrapper import get_shim

from ...toy_pipelines import (
    make_examples,
    make_pipeline,
)

HEADS = ("ner", "tagger", "senter")
STEPS = 2


def initialized(vocab_file, heads=HEADS, odd=True, **settings):
    fix_random_seed(0)
    nlp = make_pipeline(vocab_file, heads, **settings)
    examples = make_examples(nlp, odd=odd)
    nlp.initialize(lambda: examples)
    return warmed_up(nlp, examples)


def warmed_up(nlp, examples):
    """Heads begin with weights of zero, which send no gradient: the first step is theirs alone."""
    nlp.update(examples, sgd=False)
    finish(nlp, Adam(0.005))
    return nlp, examples


def finish(nlp, optimizer, exclude=()):
    for name, pipe in nlp.pipeline:
        if name not in exclude:
            pipe.finish_update(optimizer)


def train(nlp, examples, exclude=(), accumulate=1, annotates=(), steps=STEPS):
    """As `spacy train` does. RETURNS: the losses and how far the encoder's weights moved."""
    (name,) = [name for name in nlp.pipe_names if name in ("bigbird", "transformer")]
    module = get_shim(nlp.get_pipe(name).model).module
    before = torch.cat([p.detach().ravel().clone() for p in module.parameters()])
    optimizer, losses = Adam(0.005), {}
    for _ in range(steps):
        for part in range(accumulate):
            nlp.update(examples[part::accumulate], sgd=False, losses=losses, exclude=exclude, annotates=annotates)
        finish(nlp, optimizer, exclude)
    after = torch.cat([p.detach().ravel() for p in module.parameters()])
    return losses, (after - before).numpy()
