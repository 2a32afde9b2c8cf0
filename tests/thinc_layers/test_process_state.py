"""Threads of PyTorch in forked processes."""

import multiprocessing

import numpy as np
import pytest
import torch

from spacy_bigbird.thinc_layers.encoder_wrapper import build_encoder
from spacy_bigbird.thinc_layers.settings import EncoderSettings
from spacy_bigbird.thinc_layers.types import PackedPieces

from ..toy_pipelines import TINY_ENCODER

pytestmark = pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="this system does not fork"
)


@pytest.fixture
def threads():
    """Two threads of PyTorch, however many there were."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield 2
    torch.set_num_threads(before)


def in_a_fork(function):
    """Call a function in a forked process. RETURNS: what it returned, or None if it did not within a minute."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=lambda: sender.send(function()))
    process.start()
    answer = receiver.recv() if receiver.poll(60) else None
    process.kill()
    process.join()
    return answer


def test_a_forked_process_keeps_its_threads_until_it_computes(vocab_file, threads):
    model = build_encoder(EncoderSettings(vocab_file=str(vocab_file), transformer_config=TINY_ENCODER))
    model.initialize()
    pieces = PackedPieces(np.arange(3, 43), [40])
    expected = model.predict(pieces)
    torch.ones(2**20).exp_()  # in both threads

    def compute():
        return torch.get_num_threads(), model.predict(pieces), torch.get_num_threads()

    before, rows, after = in_a_fork(compute)
    assert (before, after) == (threads, 1) and np.allclose(rows, expected, atol=1e-5)
    assert in_a_fork(torch.get_num_threads) == threads == torch.get_num_threads()
    again = build_encoder(EncoderSettings(vocab_file=str(vocab_file), transformer_config=TINY_ENCODER))
    again.initialize()
    assert again.predict(pieces).shape == expected.shape and torch.get_num_threads() == threads
