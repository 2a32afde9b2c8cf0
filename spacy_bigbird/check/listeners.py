"""Finds listeners without an upstream component and encoders without weights before spaCy fails or yields zeros."""

from collections.abc import Container
from difflib import get_close_matches
from typing import Any

from spacy.language import Language
from spacy_transformers import Transformer
from thinc.api import Model

from ..errors import Errors
from ..thinc_layers.shim import EncoderShim
from .upstreams import listeners_of, upstreams_before


def find_listener_problems(nlp: Language) -> list[str]:
    """Check every listener against the order and the names of the components.

    nlp (Language): the pipeline; it does not need to be initialized.
    RETURNS (list[str]): one message per listener without an upstream component before it.
    """
    problems = []
    for name, component in nlp.components:
        for node, kind in listeners_of(component):
            upstream, before = node.upstream_name, upstreams_before(name, nlp, kind)
            if upstream in before or (upstream == "*" and before):
                continue
            after = [other for other, pipe in nlp.components if isinstance(pipe, kind) and other not in (name, *before)]
            behind = [other for other in after if upstream in ("*", other)]
            close = get_close_matches(upstream, before, 1)
            if behind:
                advice = f"Move {behind[0]!r} before {name!r}"
            elif close:
                advice = f"Set upstream = {close[0]!r} if that is meant"
            else:
                advice = "Add such a component before it"
            found = ", ".join(nlp.component_names)
            problems.append(Errors.BB381.format(reader=name, upstream=upstream, pipeline=found, advice=advice))
    return problems


def find_training_problems(nlp: Language, frozen: Container[str], annotating: Container[str]) -> list[str]:
    """Find heads that could not be trained, because of how they and their encoder come into the pipeline.

    nlp (Language): the pipeline as described by its config, not initialized.
    frozen (Container[str]): the `frozen_components` of the config.
    annotating (Container[str]): its `annotating_components`.
    RETURNS (list[str]): a message for each frozen encoder whose vectors a trained head would not get, and for each head
        with weights that were trained on another encoder than the new one.
    """
    problems = []
    for position, (name, component) in enumerate(nlp.components):
        model = getattr(component, "model", None)
        nodes: list[Any] = list(model.walk()) if isinstance(model, Model) else []
        upstreams = {node.upstream_name for node, kind in listeners_of(component) if kind is Transformer}
        for encoder, pipe in nlp.components[:position]:
            if not isinstance(pipe, Transformer) or not upstreams & {"*", encoder}:
                continue
            if encoder in frozen and encoder not in annotating and name not in frozen:
                problems.append(Errors.BB669.format(encoder=encoder, reader=name))
            shims = [shim for node in pipe.model.walk() for shim in node.shims if isinstance(shim, EncoderShim)]
            has_weights = any(node.has_param(key) for node in nodes for key in node.param_names)
            if has_weights and any(not shim.is_loaded for shim in shims) and encoder not in frozen:
                problems.append(Errors.BB670.format(encoder=encoder, reader=name))
    return problems


def find_frozen_problems(nlp: Language, frozen: Container[str]) -> list[str]:
    """Find encoders that would never receive weights, because spaCy does not initialize frozen components.

    nlp (Language): the pipeline as described by its config, not initialized.
    frozen (Container[str]): the `frozen_components` of the config.
    RETURNS (list[str]): one message per frozen component whose encoder has no weights from a saved pipeline.
    """
    problems = []
    for name, component in nlp.components:
        model = getattr(component, "model", None)
        shims = [shim for node in model.walk() for shim in node.shims] if isinstance(model, Model) else []
        if name in frozen and any(isinstance(shim, EncoderShim) and not shim.is_loaded for shim in shims):
            problems.append(Errors.BB385.format(name=name))
    return problems
