"""Batches made ahead in a thread: complete, in order, the same for one process or several, and errors come through."""

import threading

import numpy as np
import pytest
import torch

from spacy_bigbird.pretraining.batches import Batch, BatchLoader
from spacy_bigbird.pretraining.sequences import DocumentStream

from .test_masking import CLS
from .test_sequences import NumberTokenizer, numbered_documents, settings_with, wide_table

TEXTS = numbered_documents([40, 7, 90, 3, 25, 60, 1, 33, 80, 12])


def loader(how, numbers, cursors=None, first_step=0, texts=TEXTS):
    documents = [DocumentStream(lambda: iter(texts), NumberTokenizer(), how, number) for number in numbers]
    return BatchLoader(documents, wide_table(), how, cursors, first_step)


def settings_of(streams: int = 4, steps: int = 12):
    return settings_with(
        corpus={"streams": streams, "shuffle_documents": 2, "prefetch_steps": 2},
        training={"max_steps": steps, "batch_pieces": 64 * streams, "lengths": [[0, 16], [5, 64]]},
    )


def rows(samples) -> list[list[int]]:
    return [sample.pieces.ids.tolist() for sample in samples]


def test_every_step_comes_once_with_the_lengths_of_its_time():
    before = threading.active_count()
    with loader(settings_of(), range(4)) as batches:
        steps = list(batches)
    assert threading.active_count() == before
    assert [data.step for data in steps] == list(range(12))
    for data in steps:
        lengths = [len(sample) for sample in data.samples]
        assert max(lengths) <= (16 if data.step < 5 else 64) and sum(lengths) <= 256
    assert batches.waited > 0


@pytest.mark.parametrize("processes", [2, 4])
def test_processes_share_the_batches_of_one(processes):
    how = settings_of()
    with loader(how, range(4)) as alone:
        whole = list(alone)
    shares = []
    for number in range(processes):
        with loader(how, range(number, 4, processes)) as own:
            shares.append(list(own))
    for step, data in enumerate(whole):
        together = [row for share in shares for row in rows(share[step].samples)]
        assert sorted(together) == sorted(rows(data.samples))
        assert {k: v for share in shares for k, v in share[step].cursors.items()} == data.cursors


def test_batches_go_on_from_saved_cursors():
    how = settings_of()
    with loader(how, range(4)) as alone:
        whole = list(alone)
    with loader(how, range(4), whole[6].cursors, first_step=7) as resumed:
        for data, expected in zip(resumed, whole[7:], strict=True):
            assert data.step == expected.step and rows(data.samples) == rows(expected.samples)


def test_errors_of_the_data_reach_the_reader():
    def texts():
        yield from TEXTS
        raise OSError("the disk is gone")

    how = settings_of(streams=1)
    documents = DocumentStream(texts, NumberTokenizer(), how)
    with pytest.raises(OSError, match="the disk is gone"), BatchLoader([documents], wide_table(), how) as batches:
        list(batches)


def test_leaving_early_ends_the_threads():
    before = threading.active_count()
    with loader(settings_of(steps=10_000), range(4)) as batches:
        next(iter(batches))
    assert threading.active_count() == before


def test_a_batch_holds_its_sequences_back_to_back():
    how = settings_with(training={"next_sentence": True, "max_steps": 1})
    with loader(how, [0]) as batches:
        (data,) = batches
    batch = Batch.of(data.samples, torch.device("cpu"), has_pairs=True)
    assert batch.lengths == [len(sample) for sample in data.samples]
    assert batch.token_type_ids is not None and batch.input_ids.dtype == torch.int64
    parts = zip(batch.input_ids.split(batch.lengths), batch.token_type_ids.split(batch.lengths), strict=True)
    for (ids, types), sample, first_row in zip(parts, data.samples, batch.first_rows.tolist(), strict=True):
        assert ids.tolist() == sample.pieces.ids.tolist()
        assert types.tolist() == [0] * sample.first_length + [1] * (len(sample) - sample.first_length)
        assert batch.input_ids[first_row] == CLS
    restored = batch.input_ids.clone()
    restored[batch.places] = batch.labels
    whole = np.concatenate([sample.pieces.ids for sample in data.samples])
    changed = np.concatenate([np.isin(np.arange(len(s)), s.pieces.places) for s in data.samples])
    assert np.array_equal(restored.numpy()[~changed], whole[~changed])
    assert batch.is_random_next.tolist() == [sample.is_random_next for sample in data.samples]
