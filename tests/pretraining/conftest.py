"""Fixtures of the pre-training tests."""

from pathlib import Path

import pytest

from .toy_run import pretrain, toy_settings, write_corpus


@pytest.fixture(scope="session")
def toy_corpus(tmp_path_factory) -> Path:
    """A file of toy documents, one a line."""
    return write_corpus(tmp_path_factory.mktemp("corpus") / "corpus.txt")


@pytest.fixture(scope="session")
def whole_run(toy_corpus, vocab_file, tmp_path_factory):
    """Settings and directory of a run of eight steps, with dropout, that nothing interrupted."""
    settings = toy_settings(toy_corpus, vocab_file)
    output = tmp_path_factory.mktemp("whole")
    pretrain(settings, output)
    return settings, output
