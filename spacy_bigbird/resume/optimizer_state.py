"""The state of an optimizer by the places of its parameters, since Thinc's own ids differ between processes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import numpy
from safetensors.numpy import load_file
from spacy.language import Language
from thinc.api import Model, Optimizer, get_current_ops, to_numpy
from thinc.shims.shim import Shim

from ..errors import Errors

TABLES = ("mom1", "mom2", "averages")
# Its arrays, and the file that says which parameters they belong to.
OPTIMIZER, STATE = "optimizer.safetensors", "state.json"


def restore_optimizer(path: Path, nlp: Language, optimizer: Optimizer) -> None:
    """Restore the moments, averages and counts of an optimizer from a saved state.

    path (Path): folder of the state.
    nlp (Language): the pipeline loaded from that folder.
    optimizer (Optimizer): a new optimizer.
    RAISES ValueError: it is not a Thinc optimizer, or the state is damaged or does not fit the pipeline.
    """
    _check_optimizer(optimizer, "restored")
    try:
        arrays = load_file(path / OPTIMIZER)
        parameters = json.loads((path / STATE).read_text(encoding="utf8"))["parameters"]
    except Exception as error:  # a damaged file makes safetensors raise nearly anything
        raise ValueError(Errors.BB344.format(path=path, reason=error)) from error
    components = components_of(nlp)
    for number, (component, node, shim, name, updates, seen) in enumerate(parameters):
        try:
            owner = components[component][node]
            key = (owner.id if shim is None else owner.shims[shim].id, name)
        except (KeyError, IndexError) as error:
            reason = f"component {component!r} no longer has the layers that it had"
            raise ValueError(Errors.BB349.format(action="restored", reason=reason)) from error
        optimizer.nr_update[key] = updates
        if seen:
            optimizer.last_seen[key] = seen
        for table in TABLES:
            own = getattr(optimizer, table)
            if own is not None and f"{table}.{number}" in arrays:
                own[key] = get_current_ops().asarray(cast(Any, arrays[f"{table}.{number}"].copy()))


def optimizer_state(nlp: Language, optimizer: Optimizer) -> tuple[dict[str, numpy.ndarray], list[list[Any]]]:
    """Get the arrays of the optimizer by number, and the parameters that they belong to.

    The optimizer's own keys contain ids that differ between processes. A parameter is identified instead by its
    component, the index of the node in the component's model, and the index of the shim in the node."""
    _check_optimizer(optimizer, "saved")
    nodes: dict[int, tuple[str, int, Model]] = {}
    shims: dict[int, tuple[str, int, int]] = {}
    for component, walked in components_of(nlp).items():
        for position, node in enumerate(walked):
            nodes.setdefault(node.id, (component, position, node))
            for number, shim in enumerate(node.shims):
                shims.setdefault(shim.id, (component, position, number))
    arrays: dict[str, numpy.ndarray] = {}
    parameters: list[list[Any]] = []
    for key, updates in optimizer.nr_update.items():
        owner, name = key
        if owner in nodes and name in nodes[owner][2].param_names:
            where: list[Any] = [*nodes[owner][:2], None]
        elif owner in shims:
            where = list(shims[owner])
        else:
            # The layer is no longer in the pipeline.
            continue
        for table in TABLES:
            own = getattr(optimizer, table) or {}
            if key in own:
                arrays[f"{table}.{len(parameters)}"] = numpy.ascontiguousarray(to_numpy(own[key]))
        parameters.append([*where, name, updates, optimizer.last_seen.get(key, 0)])
    return arrays, parameters


def _check_optimizer(optimizer: Any, action: str) -> None:
    if not isinstance(optimizer, Optimizer):
        raise ValueError(Errors.BB349.format(action=action, reason=f"it is a {type(optimizer).__name__}"))


def components_of(nlp: Language) -> dict[str, list[Model]]:
    """RETURNS (dict[str, list[Model]]): the layers of each component with a model, in order."""
    models = {name: getattr(component, "model", None) for name, component in nlp.components}
    return {name: list(model.walk()) for name, model in models.items() if isinstance(model, Model)}


class OptimizerWatch(Shim):
    """Captures the optimizer at the first training step, since spaCy passes it only to the models, then removes itself.

    models (list[Model]): the models that are trained.

    optimizer (Any): the optimizer; None until the first step.
    """

    def __init__(self, models: list[Model]) -> None:
        super().__init__(None)
        self.optimizer: Any = None
        self._models = models
        for model in models:
            model.shims.append(self)

    def finish_update(self, optimizer: Any) -> None:
        self.optimizer = getattr(optimizer, "optimizer", optimizer)  # several processes have one in its place
        self.remove()

    def remove(self) -> None:
        """Remove the watch from the models."""
        for model in self._models:
            if self in model.shims:
                model.shims.remove(self)
