"""Tokenizers of the toy vocabulary, and those of transformers."""

import pytest
import transformers

from spacy_bigbird.tokenizer import BigBirdTokenizer


@pytest.fixture(scope="session")
def tokenizer(vocab_file):
    return BigBirdTokenizer(vocab_file)


@pytest.fixture(scope="session")
def slow(vocab_file):
    return transformers.BigBirdTokenizer(str(vocab_file))
