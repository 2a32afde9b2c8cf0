"""Checks of which component listens to which, at initialization: spaCy's listeners silently continue with zeros."""

from collections.abc import Iterator
from typing import Any, cast

from spacy.language import Language
from spacy_transformers import Transformer
from spacy_transformers.layers import TransformerListener
from thinc.api import Model

from ..errors import Errors
from ..thinc_layers.shim import EncoderShim


def check_upstreams(nlp: Language) -> None:
    """Check that every listener, including those of disabled components, names an encoder that runs before it.

    nlp (Language): the pipeline.
    RAISES ValueError: a listener does not. The message names the component, its upstream and the available encoders.
    """
    for name, component in nlp.components:
        check_upstreams_of(name, component, nlp)


def check_upstreams_of(name: str, component: Any, nlp: Language) -> list[str]:
    """Check that every listener of one component names an encoder that runs before it.

    name (str): name of the component.
    component (Any): the component.
    nlp (Language): the pipeline.
    RETURNS (list[str]): the encoders that the component listens to.
    RAISES ValueError: a listener does not. The message names the component, its upstream and the available encoders.
    """
    encoders: dict[str, str] = {}
    for other, pipe in nlp.components:
        if other == name:
            break
        if isinstance(pipe, Transformer):
            encoders |= dict.fromkeys(getattr(pipe, "former_names", ()), other) | {other: other}
    heard: list[str] = []
    for upstream in _upstream_names(component):
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


def _upstream_names(component: Any) -> Iterator[str]:
    model = getattr(component, "model", None)
    for node in model.walk() if isinstance(model, Model) else ():
        if isinstance(node, TransformerListener):
            yield node.upstream_name
