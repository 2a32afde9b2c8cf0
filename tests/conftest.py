"""Fixtures that the whole suite shares. Nothing here needs a network or files beside the repository's."""

import gc
import os
import sys
from functools import cache
from pathlib import Path

import pytest
from hypothesis import settings

from spacy_bigbird.tokenizer.train import train_vocabulary

from .toy_text import toy_texts

# The same examples on every machine, however slow it is.
settings.register_profile("suite", max_examples=50, deadline=None, derandomize=True, print_blob=True)
settings.load_profile("suite")


def pytest_addoption(parser):
    parser.addoption("--slow", action="store_true", help="run the slow tests too")


def pytest_collection_modifyitems(config, items):
    if not config.getoption("--slow"):
        skip = pytest.mark.skip(reason="slow: run with --slow")
        for item in items:
            if "slow" in item.keywords:
                item.add_marker(skip)


def pytest_collection(session):
    """Leave garbage alone while the test modules are imported: next to nothing of that is any."""
    gc.disable()


def pytest_collection_finish(session):
    """Collect garbage again, and do without what only costs time in tests."""
    # What the imports have made stays: collecting garbage need not look at it each time.
    gc.collect()
    gc.freeze()
    gc.enable()
    # Nothing here is to survive a machine that goes down, so nobody waits for the disk.
    os.fsync = lambda _: None


def pytest_collectreport(report):
    """Make spaCy quicker at building small pipelines, as soon as a test module has imported it."""
    if "spacy" in sys.modules:
        _build_pipelines_quickly()


@cache
def _build_pipelines_quickly():
    import catalogue
    from spacy.lang.en import English
    from spacy.lang.tokenizer_exceptions import BASE_EXCEPTIONS, emoticons
    from spacy.language import BaseDefaults

    # A function is looked for among all installed entry points: here they are in groups.
    points = catalogue.AVAILABLE_ENTRY_POINTS
    if hasattr(points, "select"):
        catalogue.AVAILABLE_ENTRY_POINTS = {group: tuple(points.select(group=group)) for group in points.groups}
    # No text here needs the 1,300 exceptions of English, such as "o'clock", or emoticons: a tokenizer reads all of them
    # a dozen times while a pipeline is built.
    exceptions = {text: tokens for text, tokens in BASE_EXCEPTIONS.items() if text not in emoticons}
    English.Defaults.tokenizer_exceptions = BaseDefaults.tokenizer_exceptions = exceptions


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real long documents, named by the environment variable SPACY_BIGBIRD_DATA."""
    folder = os.environ.get("SPACY_BIGBIRD_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("SPACY_BIGBIRD_DATA does not name a folder of real documents")
    return Path(folder)


@pytest.fixture(scope="session")
def vocab_file(tmp_path_factory) -> Path:
    """A toy SentencePiece model of 800 pieces, BigBird's special pieces at the ids of the released checkpoints."""
    path = tmp_path_factory.mktemp("vocab") / "spiece.model"
    path.write_bytes(
        train_vocabulary(toy_texts(100), 800, normalization="identity", character_coverage=1.0, num_threads=1)
    )
    return path
