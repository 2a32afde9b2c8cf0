"""The models in Flax: BB730-BB749."""


class FlaxErrors:
    """Messages of exceptions, part of `Errors`."""

    BB730 = (
        "The Flax models need the package {missing!r}, which is not installed: pip install 'spacy-bigbird[flax]' (on a "
        "TPU or GPU, install jax for it first)."
    )
    BB731 = (
        "These parameters are not those of the model: {wrong} ({number} in all). Expected a tree with the names and "
        "shapes of `model.params`."
    )
