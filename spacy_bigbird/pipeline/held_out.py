"""Held-out documents to fit probabilities and thresholds on."""

from collections.abc import Iterable, Iterator
from itertools import takewhile

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import minibatch


def encoded_batches(
    examples: Iterable[Example], name: str, nlp: Language | None
) -> Iterator[tuple[list[Example], list[Doc]]]:
    """Run the components before the given one on copies of the predicted documents, a few at a time.

    The vectors of a batch are released with its copies, so that memory does not grow with the number of examples.

    examples (Iterable[Example]): the examples.
    name (str): name of the component.
    nlp (Language | None): the pipeline; None if the predicted documents have already been processed.
    YIELDS (tuple[list[Example], list[Doc]]): some of the examples, in order, and their processed documents.
    """
    before = list(takewhile(lambda named: named[0] != name, nlp.pipeline)) if nlp is not None else []
    for batch in minibatch(examples, 16):
        docs: Iterable[Doc] = [example.predicted.copy() if before else example.predicted for example in batch]
        for _, pipe in before:
            docs = pipe.pipe(docs, batch_size=16) if hasattr(pipe, "pipe") else map(pipe, docs)
        yield batch, list(docs)
