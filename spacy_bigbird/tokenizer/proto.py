"""Read and change the few parts of SentencePiece's model file that this package needs, without the protobuf package.

A model file is a protocol buffer: a series of fields (number, kind, value), where a value is a varint, four or eight
bytes, or a length followed by that many bytes. See https://protobuf.dev/programming-guides/encoding/.
"""

import re
import struct
from collections.abc import Iterable, Iterator

from ..errors import Errors

# Field numbers and types of pieces in sentencepiece_model.proto.
_PIECES, _PIECE_TEXT, _PIECE_TYPE = 1, 1, 3
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED = 1, 2, 3, 4, 5
_VARINT, _EIGHT_BYTES, _LENGTH, _FOUR_BYTES = 0, 1, 2, 5

# Format marks such as "<s>", "<unused_5>" and "[SEP]". Other user-defined pieces are words that were to be kept whole.
_MARK = re.compile(r"<[^<>\s]+>|\[[^\[\]\s]+\]")


def without_spellable_marks(model: bytes, marks: Iterable[str] = ()) -> bytes:
    """Turn user-defined pieces that are format marks into control pieces, which no text can spell.

    Google's vocabulary has [CLS], [SEP], [MASK], <s> and 94 others as user-defined pieces, with which "[SEP]" in a
    user's text would become the separator.

    model (bytes): the content of a spiece.model.
    marks (Iterable[str]): pieces to turn in addition to those that look like "<...>" or "[...]".
    RETURNS (bytes): a model of the same length, or the same object if there is nothing to turn.
    RAISES ValueError: the bytes are not a SentencePiece model.
    """
    changed = bytearray(model)
    wanted = set(marks)
    for start, end in _message_spans(model, _PIECES):
        text, kind_at = "", -1
        for number, kind, value_start, value_end in fields(model, start, end):
            if number == _PIECE_TEXT and kind == _LENGTH:
                text = model[value_start:value_end].decode("utf8", errors="replace")
            elif number == _PIECE_TYPE and kind == _VARINT and model[value_start] == USER_DEFINED:
                kind_at = value_start
        if kind_at >= 0 and (text in wanted or _MARK.fullmatch(text)):
            changed[kind_at] = CONTROL
    return model if changed == model else bytes(changed)


def fields(data: bytes, start: int = 0, end: int | None = None) -> Iterator[tuple[int, int, int, int]]:
    """Iterate over the fields of one message.

    data (bytes): bytes that contain the message.
    start (int): start of the message in `data`.
    end (int | None): end of the message in `data`; None for the end of `data`.
    YIELDS (tuple[int, int, int, int]): the field's number, its kind, and the start and end of its value in `data`.
    RAISES ValueError: the bytes are not a protocol buffer.
    """
    end = len(data) if end is None else end
    while start < end:
        tag, start = _read_varint(data, start, end)
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            value_end = _read_varint(data, start, end)[1]
        elif kind == _LENGTH:
            length, start = _read_varint(data, start, end)
            value_end = start + length
        elif kind in (_EIGHT_BYTES, _FOUR_BYTES):
            value_end = start + (8 if kind == _EIGHT_BYTES else 4)
        else:
            raise ValueError(Errors.BB022.format(found=f"a field of kind {kind}", position=start))
        if number == 0 or value_end > end:
            raise ValueError(Errors.BB022.format(found="a field that ends outside the file", position=start))
        yield number, kind, start, value_end
        start = value_end


def _message_spans(data: bytes, wanted: int) -> Iterator[tuple[int, int]]:
    for number, kind, start, end in fields(data):
        if number == wanted and kind == _LENGTH:
            yield start, end


def _read_varint(data: bytes, start: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while start < end and shift < 64:
        byte = data[start]
        start += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, start
        shift += 7
    raise ValueError(Errors.BB022.format(found="a number without an end", position=start))


def varint_field(number: int, value: int) -> bytes:
    """Serialize a field with an integer.

    number (int): the field's number.
    value (int): its value; 0 or more.
    RETURNS (bytes): the field.
    """
    return _varint(number << 3 | _VARINT) + _varint(value)


def float_field(number: int, value: float) -> bytes:
    """Serialize a field with a number in single precision.

    number (int): the field's number.
    value (float): its value.
    RETURNS (bytes): the field.
    """
    return _varint(number << 3 | _FOUR_BYTES) + struct.pack("<f", value)


def bytes_field(number: int, value: bytes) -> bytes:
    """Serialize a field with bytes: a string in UTF-8, or another message.

    number (int): the field's number.
    value (bytes): its value.
    RETURNS (bytes): the field.
    """
    return _varint(number << 3 | _LENGTH) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)
