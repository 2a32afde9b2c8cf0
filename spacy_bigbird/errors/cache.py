"""Chosen and cached layers of the encoder: BB460-BB489."""


class LayerErrors:
    """Messages of exceptions, part of `Errors`."""

    # Which layers are read: BB460-BB464
    BB460 = (
        'layers = {layers!r} is not allowed. Expected "last", "mix" (a learned mean of all layers), or numbers of '
        "layers such as [0, 1, 2, 3], with 0 for the embeddings."
    )
    BB461 = "A listener reads layer {layer}, but the encoder has layers 1 to {count} (0 are the embeddings)."
    BB462 = (
        "A listener reads layers = {layers!r}, but the vectors on the document are those of the last layer only. Use "
        'the factory "bigbird" for the encoder, and let it encode the document with this listener in the pipeline.'
    )

    # The cache of frozen layers: BB465-BB474
    BB465 = "{path!s} is not a cache: it has no CACHEDIR.TAG. Give the folder that `cache_dir` names in the config."
    BB466 = (
        "{what!s}: no encoder in it has a cache. Set `cache_dir` in the block of the `bigbird` component, such as "
        "[components.bigbird], to a folder."
    )
    BB467 = "The encoder's setting {name} = {value!r} is not allowed. Expected {expected}."
    BB468 = (
        "Component {name!r}: nothing is frozen, so training would read nothing from the cache. Set `freeze_layers` of "
        "its model to a number of layers (all of them for a frozen encoder), or list it in frozen_components."
    )

    # Stretches of documents: BB475-BB479
    BB475 = "spacy-bigbird.stretches.v1: {name} = {value!r} is not allowed. Expected {expected}."
