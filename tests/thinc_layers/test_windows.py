import itertools
from dataclasses import replace

import numpy
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from thinc.types import Ragged

from spacy_bigbird.plan.windows import plan_windows
from spacy_bigbird.thinc_layers.encoder_wrapper import build_encoder, get_shim
from spacy_bigbird.thinc_layers.grouping import group_by_size
from spacy_bigbird.thinc_layers.piece_encoder import DocumentPieces
from spacy_bigbird.thinc_layers.settings import EncoderSettings
from spacy_bigbird.thinc_layers.windows import with_windows

from ..toy_pipelines import TINY_ENCODER

LENGTHS = [0, 1, 5, 62, 63, 64, 130, 333]


@given(st.lists(st.integers(1, 30)), st.integers(1, 50))
def test_groups_stay_below_the_limit_or_hold_one_item(lengths, limit):
    groups = list(group_by_size(lengths, int, limit))
    assert [length for group in groups for length in group] == lengths
    assert all(sum(group) <= limit or len(group) == 1 for group in groups)
    assert all(sum(first) + second[0] > limit for first, second in itertools.pairwise(groups))


@pytest.fixture(scope="module")
def make_model(vocab_file):
    torch.manual_seed(0)
    first = with_windows(build_encoder(EncoderSettings(vocab_file=str(vocab_file), transformer_config=TINY_ENCODER)))
    first.initialize()

    def make(**changes):
        config = {**TINY_ENCODER, **changes.pop("transformer_config", {})}
        values = EncoderSettings(vocab_file=str(vocab_file), transformer_config=config, **changes)
        model = with_windows(build_encoder(values))
        get_shim(model).from_bytes(get_shim(first).to_bytes())
        return model

    return make


def pieces(ids):
    """A document of these pieces, without tokens."""
    nothing = numpy.zeros(0, dtype="i")
    return DocumentPieces(ids, numpy.zeros((len(ids), 2), dtype="i"), Ragged(nothing, nothing))


def documents(seed=0):
    random = numpy.random.RandomState(seed)
    return [pieces(random.randint(101, 700, size=length).astype("i")) for length in LENGTHS]


def gradients_of(outputs, seed=1):
    random = numpy.random.RandomState(seed)
    return [
        replace(
            output,
            rows=random.randn(*output.rows.shape).astype("f"),
            window_cls=random.randn(*output.window_cls.shape).astype("f"),
        )
        for output in outputs
    ]


def run(model, given, gradients=None):
    """Outputs and the gradient of all weights."""
    module = get_shim(model).module
    module.zero_grad()
    outputs, backprop = model.begin_update(given)
    backprop(gradients_of(outputs) if gradients is None else gradients)
    return outputs, torch.cat([p.grad.ravel() for p in module.parameters() if p.grad is not None])


@pytest.mark.parametrize("max_batch_pieces", [1, 100, 200])
def test_results_do_not_depend_on_the_size_of_the_groups(make_model, max_batch_pieces):
    given = documents()
    whole, bounded = make_model(), make_model(max_batch_pieces=max_batch_pieces)
    for expected, found in zip(whole.predict(given), bounded.predict(given), strict=True):
        numpy.testing.assert_allclose(found.rows, expected.rows, atol=1e-5)
        numpy.testing.assert_allclose(found.window_cls, expected.window_cls, atol=1e-5)
    (expected_outputs, expected), (outputs, found) = run(whole, given), run(bounded, given)
    for one, other in zip(expected_outputs, outputs, strict=True):
        numpy.testing.assert_allclose(other.rows, one.rows, atol=1e-5)
    assert (found - expected).abs().max() <= 1e-5 * expected.abs().max()


def test_a_group_is_never_larger_than_the_limit(make_model, monkeypatch):
    model = make_model(max_batch_pieces=130)
    shim, seen = get_shim(model), []
    encode = shim._encode
    monkeypatch.setattr(shim, "_encode", lambda inputs: seen.append(sum(inputs.lengths)) or encode(inputs))
    model.predict(documents())
    assert max(seen) <= 130
    assert sum(seen) == sum(sum(w.end - w.start + 2 for w in plan_windows(n, 62, 7)) for n in LENGTHS if n)


def test_alone_and_in_a_batch_are_the_same(make_model):
    model, given = make_model(), documents()
    for document, together in zip(given, model.predict(given), strict=True):
        (alone,) = model.predict([document])
        numpy.testing.assert_allclose(alone.rows, together.rows, atol=1e-5)


def test_rows_come_from_the_windows_that_keep_them(make_model):
    model, (document,) = make_model(), documents()[-1:]
    (merged,), ids = model.predict([document]), document.ids
    tokenizer, module = get_shim(model).tokenizer, get_shim(model).module
    windows = plan_windows(len(ids), 62, 7)
    for number, window in enumerate(windows):
        packed = [tokenizer.cls_token_id, *ids[window.start : window.end].tolist(), tokenizer.sep_token_id]
        with torch.no_grad():
            rows = module.eval().forward_packed(torch.tensor(packed), [len(packed)]).numpy()
        kept = rows[1 + window.keep_start - window.start : 1 + window.keep_end - window.start]
        numpy.testing.assert_allclose(merged.rows[1 + window.keep_start : 1 + window.keep_end], kept, atol=1e-5)
        numpy.testing.assert_allclose(merged.window_cls[number], rows[0], atol=1e-5)
    numpy.testing.assert_allclose(merged.rows[-1], rows[-1], atol=1e-5)
    assert merged.window_lengths.tolist() == [62] * len(windows)
    assert (merged.rows[0] == merged.window_cls[0]).all()


def test_the_gradient_is_that_of_one_graph(make_model):
    """The oracle builds all windows of all documents in one autograd graph and merges them there."""
    model, given = make_model(max_batch_pieces=64), documents()
    outputs, found = run(model, given)
    gradients = gradients_of(outputs)
    tokenizer, module = get_shim(model).tokenizer, get_shim(model).module
    module.zero_grad()
    total = torch.zeros(())
    for document, gradient in zip(given, gradients, strict=True):
        ids = document.ids
        windows = plan_windows(len(ids), 62, 7) if len(ids) else []
        for number, window in enumerate(windows):
            packed = [tokenizer.cls_token_id, *ids[window.start : window.end].tolist(), tokenizer.sep_token_id]
            rows = module.forward_packed(torch.tensor(packed), [len(packed)])
            kept = rows[1 + window.keep_start - window.start : 1 + window.keep_end - window.start]
            total = total + (kept * torch.tensor(gradient.rows[1 + window.keep_start : 1 + window.keep_end])).sum()
            total = total + (rows[0] * torch.tensor(gradient.window_cls[number])).sum()
            if number == 0:
                total = total + (rows[0] * torch.tensor(gradient.rows[0])).sum()
            if number == len(windows) - 1:
                total = total + (rows[-1] * torch.tensor(gradient.rows[-1])).sum()
    total.backward()
    expected = torch.cat([p.grad.ravel() for p in module.parameters()])
    assert (found - expected).abs().max() <= 1e-5 * expected.abs().max()


def test_only_the_last_group_keeps_activations(make_model, monkeypatch):
    model = make_model(max_batch_pieces=64)
    shim, flags = get_shim(model), []
    begin_update = shim.begin_update
    monkeypatch.setattr(shim, "begin_update", lambda inputs: flags.append(inputs.recompute) or begin_update(inputs))
    model.begin_update(documents())
    assert flags == [True] * (len(flags) - 1) + [False]


def test_gradient_and_input_arrays_are_left_alone(make_model):
    model, given = make_model(), documents()
    outputs, backprop = model.begin_update(given)
    gradients = gradients_of(outputs)
    backprop(gradients)
    for before, after in zip(gradients_of(outputs), gradients, strict=True):
        assert (before.rows == after.rows).all() and (before.window_cls == after.window_cls).all()
    assert all((before.ids == after.ids).all() for before, after in zip(documents(), given, strict=True))


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(0, 150), min_size=1, max_size=4), st.integers(1, 200))
def test_any_lengths_give_two_more_rows_than_pieces(make_model, lengths, limit):
    model = make_model(max_batch_pieces=limit)
    outputs = model.predict([pieces(numpy.full(length, 150, dtype="i")) for length in lengths])
    assert [len(output.rows) for output in outputs] == [length + 2 for length in lengths]
    for length, output in zip(lengths, outputs, strict=True):
        assert output.window_lengths.tolist() == [w.end - w.start for w in plan_windows(length, 62, 7)]
        assert bool(output.rows.any()) == (length > 0)
