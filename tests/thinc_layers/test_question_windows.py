"""Inputs of questions and documents, gold in them, and the loss against PyTorch's own."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_bigbird.thinc_layers.question_windows import (
    QuestionTokenizer,
    gold_pieces,
    micro_batches,
    pack,
    window_span_loss,
)
from spacy_bigbird.tokenizer.pairs import PairWindow
from spacy_bigbird.tokenizer.sentencepiece import BigBirdTokenizer

TEXT = "The court of the city, on the river, held that both parties agree. " * 6


def window(context, start=0, question=2):
    length = question + 3 + context
    first_row = question + 2
    ids = np.arange(length, dtype=np.int32)
    return PairWindow(ids, (ids >= first_row).astype(np.int32), start, start + context, first_row, np.zeros((0, 2)))


@pytest.fixture(scope="module")
def tokenizer(vocab_file):
    return BigBirdTokenizer(vocab_file)


@settings(deadline=None, max_examples=30)
@given(
    st.integers(1, 9),
    st.integers(0, 5),
    st.lists(st.tuples(st.integers(0, 14), st.integers(0, 4)), max_size=3),
    st.integers(0, 10**6),
)
def test_loss_and_gradient_equal_autograd(context, start, answers, seed):
    answers = [(first, first + more) for first, more in answers]
    view = window(context, start)
    logits = torch.randn(len(view.ids), 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    logits.requires_grad_()
    rows = [0, *range(view.first_row, view.first_row + context)]
    losses = []
    for column in (0, 1):
        inside = [pair for pair in answers if start <= pair[0] and pair[1] < start + context]
        right = sorted({pair[column] - start + 1 for pair in inside}) or [0]
        losses.append(-torch.log_softmax(logits[rows, column], 0)[right].logsumexp(0))
    expected = sum(losses) / 2
    expected.backward()
    loss, gradient = window_span_loss(logits.detach().numpy(), view, answers)
    assert loss == pytest.approx(float(expected.detach()), abs=1e-9)
    np.testing.assert_allclose(gradient, logits.grad.numpy(), atol=1e-7)


def test_loss_of_huge_logits_is_finite():
    view = window(4)
    logits = np.full((len(view.ids), 2), -1e9, dtype=np.float32)
    logits[5] = 1e9
    loss, gradient = window_span_loss(logits, view, [(3, 3)])
    assert loss == pytest.approx(2e9)
    assert np.isfinite(gradient).all()


def test_gold_pieces_cover_the_characters(tokenizer):
    (pieces,) = tokenizer.text_pieces([TEXT])
    for start, end in [(4, 9), (17, 21), (0, len(TEXT)), (5, 6)]:
        ((first, last),) = gold_pieces([(start, end)], pieces)
        assert pieces.offsets[first][0] <= start
        assert pieces.offsets[last][1] >= end - (TEXT[end - 1] == " ")
        assert pieces.offsets[first][1] > start
        assert pieces.offsets[last][0] < end
    assert gold_pieces([(3, 4)], pieces) == [], "white space has no piece"


def test_windows_cover_the_document_behind_the_whole_question(tokenizer):
    maker = QuestionTokenizer(tokenizer, max_length=40, overlap=4)
    (document,) = maker.pieces([TEXT])
    for text in ("Who?", "Which of the parties held the court on the river?"):
        (question,) = maker.questions([text])
        windows = maker.windows(question, document)
        assert len(windows) > 2
        assert {place for view in windows for place in range(view.start, view.end)} == set(range(len(document)))
        for view in windows:
            assert len(view.ids) == 40
            assert view.ids[0] == tokenizer.cls_token_id
            assert view.ids[1 : view.first_row - 1].tolist() == question.ids.tolist()
            assert view.ids[view.first_row : -1].tolist() == document.ids[view.start : view.end].tolist()


def test_a_long_question_is_cut_with_a_warning_and_leaves_room(tokenizer):
    maker = QuestionTokenizer(tokenizer, max_length=20, overlap=4)
    (document,) = maker.pieces([TEXT])
    with pytest.warns(UserWarning, match="BW240"):
        (question,) = maker.questions([TEXT])
    assert len(question) == 10
    windows = maker.windows(question, document)
    assert windows[-1].end == len(document)
    assert all(len(view.ids) == 20 for view in windows)


def test_micro_batches_keep_order_and_always_take_one():
    views = [(number, window(size)) for number, size in enumerate([3, 20, 4, 4, 4])]
    groups = [[key for key, _ in group] for group in micro_batches(views, 20)]
    assert groups == [[0], [1], [2, 3], [4]]
    assert [[key for key, _ in group] for group in micro_batches(views, 1)] == [[0], [1], [2], [3], [4]]
    assert list(micro_batches([], 5)) == []
    packed = pack([view for _, view in views[2:4]])
    assert packed.lengths == [9, 9]
    assert packed.token_type_ids.tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 1] * 2
