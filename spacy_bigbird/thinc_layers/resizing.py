"""New labels for the models of heads that have learned others already."""

from typing import Any

from thinc.api import Model

from .types import Array

# What a model calls its nodes that have weights for every label.
NODES_WITH_LABELS = ("output_layer", "attention", "transitions")


def resize_output(model: Model, new_nO: int) -> Model:
    """Add outputs for new labels. Existing labels keep their weights; those of new labels are zero.

    model (Model): a classifier.
    new_nO (int): number of outputs, not less than before.
    RETURNS (Model): the same model.
    """
    if model.has_dim("nO") and model.get_dim("nO") == new_nO:
        return model
    model.set_dim("nO", new_nO, force=True)
    for name in NODES_WITH_LABELS:
        if model.has_ref(name):
            _enlarge(model, model.get_ref(name), new_nO)
    return model


def _enlarge(model: Model, node: Model, nO: int) -> None:
    """Replace a node with a larger one, in the model and its references.

    The node cannot be resized in place, because optimizers store the state of its parameters by node.

    model (Model): the model that contains the node.
    node (Model): a node with parameters and the dimension nO.
    nO (int): the new dimension.
    """
    if not all(node.has_param(name) for name in node.param_names):
        node.set_dim("nO", nO, force=True)
        return
    dims: dict[str, int | None] = {name: nO if name == "nO" else node.get_dim(name) for name in node.dim_names}
    params: dict[str, Any] = dict.fromkeys(node.param_names)
    own: dict[str, Any] = {"init": node.init, "attrs": node.attrs, "ops": node.ops}
    larger: Model = Model(node.name, node._func, dims=dims, params=params, **own)
    larger.initialize()
    for name in node.param_names:
        old: Array = node.get_param(name)
        new: Array = larger.get_param(name) * 0.0
        new[tuple(slice(length) for length in old.shape)] = old
        larger.set_param(name, new)
    model.replace_node(node, larger)
