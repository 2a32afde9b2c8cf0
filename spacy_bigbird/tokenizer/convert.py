"""Convert a tokenizer.json to spiece.model: `python -m spacy_bigbird.tokenizer.convert DIRECTORY`."""

import base64
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..atomic import replace_file
from ..errors import Errors
from .proto import CONTROL, NORMAL, UNKNOWN, bytes_field, float_field, varint_field

_UNIGRAM = 1
# Field numbers in sentencepiece_model.proto.
_MODEL = {"pieces": 1, "trainer": 2, "normalizer": 3}
_PIECE = {"text": 1, "score": 2, "type": 3}
_TRAINER = {"model_type": 3, "vocab_size": 4, "unk_id": 40, "bos_id": 41, "eos_id": 42, "pad_id": 43, "unk_piece": 45}
_NORMALIZER = {"charsmap": 2, "add_dummy_prefix": 3, "remove_extra_whitespaces": 4, "escape_whitespaces": 5}


def write_spiece_model(directory: str | Path) -> Path:
    """Convert the tokenizer.json of transformers' fast BigBird tokenizer to a spiece.model in the same directory.

    directory (str | Path): a directory with tokenizer.json.
    RETURNS (Path): path of the new file.
    RAISES ValueError: tokenizer.json cannot be read, or is not a SentencePiece unigram vocabulary.
    """
    path = Path(directory) / "tokenizer.json"
    try:
        content = json.loads(path.read_text(encoding="utf8"))
        model = serialized_model(content)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(Errors.BB028.format(path=path, reason=f"{type(error).__name__}: {error}")) from error
    output = path.with_name("spiece.model")
    replace_file(output, lambda temporary: temporary.write_bytes(model))
    return output


def serialized_model(content: dict[str, Any]) -> bytes:
    """Serialize a SentencePiece unigram model.

    content (dict[str, Any]): the content of a tokenizer.json.
    RETURNS (bytes): the content of a spiece.model.
    RAISES ValueError: the model is not Unigram.
    """
    model = content["model"]
    if model.get("type", "Unigram") != "Unigram":
        raise ValueError(f"its model is {model['type']}, not Unigram")
    vocabulary: list[tuple[str, float]] = [(piece, score) for piece, score in model["vocab"]]
    unknown = model["unk_id"]
    special = {token["content"] for token in content.get("added_tokens", ()) if token.get("special")}
    written = bytearray()
    for index, (piece, score) in enumerate(vocabulary):
        kind = UNKNOWN if index == unknown else CONTROL if piece in special else NORMAL
        message = bytes_field(_PIECE["text"], piece.encode("utf8")) + float_field(_PIECE["score"], score)
        written += bytes_field(_MODEL["pieces"], message + varint_field(_PIECE["type"], kind))
    trainer = varint_field(_TRAINER["model_type"], _UNIGRAM) + varint_field(_TRAINER["vocab_size"], len(vocabulary))
    trainer += varint_field(_TRAINER["unk_id"], unknown)
    trainer += bytes_field(_TRAINER["unk_piece"], vocabulary[unknown][0].encode("utf8"))
    names = {piece: index for index, (piece, _) in enumerate(vocabulary)}
    for field, piece in (("bos_id", "<s>"), ("eos_id", "</s>"), ("pad_id", "<pad>")):
        if piece in names:
            trainer += varint_field(_TRAINER[field], names[piece])
    normalizer = b"".join(
        bytes_field(_NORMALIZER["charsmap"], base64.b64decode(step["precompiled_charsmap"]))
        for step in _steps(content.get("normalizer"))
        if step["type"] == "Precompiled"
    )
    for field in ("add_dummy_prefix", "remove_extra_whitespaces", "escape_whitespaces"):
        normalizer += varint_field(_NORMALIZER[field], 1)
    written += bytes_field(_MODEL["trainer"], trainer) + bytes_field(_MODEL["normalizer"], normalizer)
    return bytes(written)


def _steps(normalizer: dict[str, Any] | None) -> Iterator[dict[str, Any]]:
    if normalizer is not None:
        yield normalizer
        for step in normalizer.get("normalizers", ()):
            yield from _steps(step)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m spacy_bigbird.tokenizer.convert DIRECTORY")
    try:
        print(write_spiece_model(sys.argv[1]))
    except ValueError as error:
        sys.exit(str(error))
