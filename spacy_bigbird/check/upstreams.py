"""Checks of which component listens to which, at initialization: spaCy's listeners silently continue with zeros."""

from itertools import takewhile
from typing import Any, cast

from spacy.language import Language
from spacy.pipeline import Tok2Vec
from spacy.pipeline.tok2vec import Tok2VecListener
from spacy_transformers import Transformer
from spacy_transformers.layers import TransformerListener
from thinc.api import Model

from ..errors import Errors
from ..thinc_layers.shim import EncoderShim

UPSTREAM_OF: dict[type, type] = {TransformerListener: Transformer, Tok2VecListener: Tok2Vec}


def check_upstreams(nlp: Language) -> None:
    """Check that every listener, including those of disabled components, names an encoder that runs before it.

    nlp (Language): the pipeline.
    RAISES ValueError: a listener does not. The message names the component, its upstream and the available encoders.
    """
    for name, component in nlp.components:
        check_upstreams_of(name, component, nlp)


def listeners_of(component: Any) -> list[tuple[Any, type]]:
    """Find the listeners in a component.

    component (Any): the component.
    RETURNS (list[tuple[Any, type]]): the listening layers, each with the class of component that it listens to.
    """
    model = getattr(component, "model", None)
    nodes = model.walk() if isinstance(model, Model) else ()
    return [(node, kind) for node in nodes for cls, kind in UPSTREAM_OF.items() if isinstance(node, cls)]


def upstreams_before(name: str, nlp: Language, kind: type = Transformer) -> dict[str, str]:
    """Find the components that a component can listen to: those before it.

    name (str): name of the component.
    nlp (Language): the pipeline.
    kind (type): class of the components.
    RETURNS (dict[str, str]): their names, by all names that listeners may know them by: former ones too.
    """
    before = takewhile(lambda named: named[0] != name, nlp.components)
    known = [(other, getattr(pipe, "former_names", ())) for other, pipe in before if isinstance(pipe, kind)]
    return {former: other for other, names in known for former in names} | {other: other for other, _ in known}


def check_upstreams_of(name: str, component: Any, nlp: Language) -> list[str]:
    """Check that every listener of one component names an encoder that runs before it.

    name (str): name of the component.
    component (Any): the component.
    nlp (Language): the pipeline.
    RETURNS (list[str]): the encoders that the component listens to.
    RAISES ValueError: a listener does not. The message names the component, its upstream and the available encoders.
    """
    encoders = upstreams_before(name, nlp)
    heard: list[str] = []
    for upstream in [node.upstream_name for node, kind in listeners_of(component) if kind is Transformer]:
        if upstream not in encoders and not (upstream == "*" and encoders):
            found = ", ".join(dict.fromkeys(encoders.values())) or "none"
            raise ValueError(Errors.BB142.format(reader=name, upstream=upstream, found=found))
        heard += dict.fromkeys(encoders.values()) if upstream == "*" else [encoders[upstream]]
    return heard


def check_weights_of_upstreams(name: str, component: Any, nlp: Language) -> None:
    """Check that the encoders that a component listens to have weights, before it is initialized itself.

    name (str): name of the component.
    component (Any): the component.
    nlp (Language): the pipeline.
    RAISES ValueError: there is no encoder before the component, or spaCy has not initialized it.
    """
    for encoder in check_upstreams_of(name, component, nlp):
        (model,) = (cast(Any, pipe).model for other, pipe in nlp.components if other == encoder)
        if any(isinstance(shim, EncoderShim) and not shim.is_loaded for node in model.walk() for shim in node.shims):
            raise ValueError(Errors.BB144.format(reader=name, encoder=encoder))
