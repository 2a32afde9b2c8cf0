"""Components that listen to an encoder: when they have used a document's vectors, and whose documents they read."""

from collections.abc import Iterable
from typing import Any

from spacy.pipeline import EntityLinker
from spacy.pipeline.legacy import EntityLinker_v1
from spacy.tokens import Doc

from ...thinc_layers.linking import listener_keys
from ...thinc_layers.vectors import mark_read

# They encode sentences as documents of their own.
MAKERS_OF_DOCUMENTS = (EntityLinker, EntityLinker_v1)


class AfterAnnotations:
    """Takes the place of a component's `set_annotations`: afterwards, the component has used the vectors.

    component (TrainablePipe): the reading component.
    keys (set[str]): names of its listeners in `BigBirdData.waiting`.
    """

    def __init__(self, component: Any, keys: set[str]) -> None:
        self.component = component
        self.keys = keys

    def __call__(self, docs: Iterable[Doc], *args: Any, **kwargs: Any) -> None:
        """Set the annotations as the component's class does, then release vectors that nothing waits for any more."""
        docs = list(docs)
        type(self.component).set_annotations(self.component, docs, *args, **kwargs)
        for doc in docs:
            mark_read(doc, self.keys)


def follow_use(component: Any, listeners: list[Any]) -> None:
    """Find out when a component has used the vectors of a document: after its `set_annotations`.

    The classes of spaCy's `ner` and `parser` are compiled and their methods cannot be extended: these components have
    used the vectors when they have read them. If they predict again, the vectors are computed again.

    component (Any): the component.
    listeners (list[TransformerListener]): its linked listeners.
    """
    can_be_extended = hasattr(component, "__dict__") and hasattr(type(component), "set_annotations")
    if can_be_extended:
        component.set_annotations = AfterAnnotations(component, listener_keys(listeners))
    for listener in listeners:
        listener.link.releases = not can_be_extended
        listener.link.makes_documents = isinstance(component, MAKERS_OF_DOCUMENTS)
