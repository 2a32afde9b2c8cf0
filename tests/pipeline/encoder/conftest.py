"""A trained pipeline of all heads."""

import pytest

from .all_heads import OURS, STOCK, trained


@pytest.fixture(scope="module")
def everything(vocab_file):
    return trained(vocab_file, STOCK + OURS)


@pytest.fixture
def nlp(everything):
    """The trained pipeline, without a copy: its encoder drops vectors."""
    encoder = everything.get_pipe("bigbird")
    encoder.keep_vectors = "none"
    yield everything
    encoder.keep_vectors = "float32"
