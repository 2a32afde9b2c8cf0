"""A pipeline that answers questions."""

import pytest

from tests.toy_questions import make_nlp


@pytest.fixture(scope="module")
def nlp(vocab_file):
    return make_nlp(vocab_file)
