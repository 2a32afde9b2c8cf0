"""Imports the components in a new process before anything else does, and notes whether that changes anything there."""

import sys

import numpy
import spacy  # noqa: F401
import torch

COMPONENT = "spacy_bigbird.pipeline.encoder.component"


def _settings() -> tuple:
    return numpy.random.get_state()[1].tolist(), torch.get_rng_state().tolist(), torch.get_num_threads()


_is_first, _before = COMPONENT not in sys.modules, _settings()

import spacy_bigbird.architectures.encoder  # noqa: E402
import spacy_bigbird.pipeline.encoder.component  # noqa: E402, F401

_is_changed = _settings() != _before


def exit_without_side_effects() -> None:
    """End this process, with exit code 0 if this module was the first to import them, and they changed nothing."""
    sys.exit(int(_is_changed or not _is_first))
