"""One encoder with every head that can read it."""

from spacy.util import fix_random_seed

from tests.toy_pipelines import (
    SENTENCES,
    add_head,
    make_examples,
    make_pipeline,
)

TEXTS = [text for text, _ in SENTENCES]
STOCK = ("tagger", "ner", "textcat", "spancat", "senter", "parser")
OURS = ("bigbird_ner", "bigbird_textcat", "bigbird_textcat_multilabel")


def add_any_head(nlp, head):
    if head.startswith("bigbird"):
        nlp.add_pipe(head)
    else:
        add_head(nlp, head)


def trained(vocab_file, heads, keep_vectors="float32"):
    fix_random_seed(0)
    nlp = make_pipeline(vocab_file, keep_vectors=keep_vectors)
    for head in heads:
        add_any_head(nlp, head)
    examples = make_examples(nlp)
    optimizer = nlp.initialize(lambda: examples)
    optimizer.learn_rate = 0.01
    for _ in range(3):
        nlp.update(examples, sgd=optimizer)
    return nlp


def encoded(nlp):
    return [nlp.get_pipe("bigbird")(nlp.make_doc(text)) for text in TEXTS]
