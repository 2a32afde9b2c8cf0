"""The walk over a model file against the protobuf package, which only the tests have."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sentencepiece import sentencepiece_model_pb2

from spacy_bigbird.tokenizer.proto import (
    CONTROL,
    USER_DEFINED,
    bytes_field,
    fields,
    float_field,
    varint_field,
    without_spellable_marks,
)

from .test_sentencepiece import google_like_model


def parsed(model):
    message = sentencepiece_model_pb2.ModelProto()
    message.ParseFromString(model)
    return message


def test_marks_become_control_pieces_and_nothing_else_changes():
    model = google_like_model()
    changed = without_spellable_marks(model)
    assert len(changed) == len(model)
    before, after = parsed(model), parsed(changed)
    marks = {piece.piece for piece in before.pieces if piece.type == USER_DEFINED} - {"wholeword"}
    assert {"<s>", "[CLS]", "[SEP]", "[MASK]", "<len_3>", "<unused_99>"} <= marks and len(marks) == 98
    for old, new in zip(before.pieces, after.pieces, strict=True):
        assert new.type == (CONTROL if old.piece in marks else old.type)
        if old.piece in marks:
            new.type = old.type
    assert before == after
    assert without_spellable_marks(changed) is changed
    named = parsed(without_spellable_marks(model, ["wholeword"]))
    assert all(piece.type != USER_DEFINED for piece in named.pieces)


def test_a_vocabulary_without_such_pieces_stays(vocab_file):
    model = vocab_file.read_bytes()
    assert without_spellable_marks(model) is model


@given(st.integers(0, 2**64 - 1), st.binary(max_size=300), st.floats(width=32, allow_nan=False), st.integers(1, 5000))
def test_written_fields_are_read_back(value, content, real, number):
    data = varint_field(number, value) + bytes_field(number + 1, content) + float_field(number + 2, real)
    found = list(fields(data))
    assert [(field, kind) for field, kind, _, _ in found] == [(number, 0), (number + 1, 2), (number + 2, 5)]
    assert data[found[1][2] : found[1][3]] == content
    assert [start for _, _, start, _ in found[1:]] > [0] and found[-1][3] == len(data)


def test_written_fields_are_what_protobuf_reads():
    piece = bytes_field(1, "▁ö".encode()) + float_field(2, -1.5) + varint_field(3, CONTROL)
    model = parsed(bytes_field(1, piece) + bytes_field(2, varint_field(4, 70_000)))
    assert [(one.piece, one.score, one.type) for one in model.pieces] == [("▁ö", -1.5, CONTROL)]
    assert model.trainer_spec.vocab_size == 70_000


def test_fields_of_eight_bytes_are_passed_over():
    assert list(fields(b"\x09" + b"x" * 8 + varint_field(2, 1))) == [(1, 1, 1, 9), (2, 0, 10, 11)]


@pytest.mark.parametrize(
    "data",
    [b"\x0a\x05abc", b"\x80", b"\xff" * 12, b"\x0b", b"\x00\x01", b"\x09abc", b"version https://git-lfs.github.com"],
)
def test_other_bytes_are_refused(data):
    with pytest.raises(ValueError, match="not a SentencePiece model"):
        list(fields(data))


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data):
    try:
        assert len(without_spellable_marks(data)) == len(data)
    except ValueError as error:
        assert "not a SentencePiece model" in str(error)
