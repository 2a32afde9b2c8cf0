"""Pieces for a tiny encoder, and its weights."""

import numpy

from spacy_bigbird.thinc_layers.encoder_wrapper import get_shim
from spacy_bigbird.thinc_layers.types import PackedPieces


def pieces(lengths=(40, 7, 1), token_types=True, recompute=False):
    random = numpy.random.RandomState(0)
    total = sum(lengths)
    types = random.randint(0, 2, size=total).astype("i") if token_types else None
    return PackedPieces(random.randint(101, 700, size=total).astype("i"), list(lengths), types, recompute)


def weights(encoder):
    return {name: p.detach().clone() for name, p in get_shim(encoder).module.named_parameters()}
