"""Vocabularies of BERT, RoBERTa and BigBird checkpoints, searched by the text that a piece stands for.

Texts are bytes, with a space in front of a piece that begins a word, whatever mark the vocabulary's kind has for that.
"""

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..errors import Errors

Match = Literal["copied", "averaged", "unknown"]

WORD_MARK = "▁"
VOCABULARY_NAMES = ("vocab.json", "vocab.txt", "tokenizer.json")

# A special piece of BigBird -> pieces with the same role, the best first.
ROLES = {
    "<pad>": ("<pad>", "[PAD]"),
    "<unk>": ("<unk>", "[UNK]"),
    "[CLS]": ("[CLS]", "<s>"),
    "[SEP]": ("[SEP]", "</s>"),
    "[MASK]": ("[MASK]", "<mask>"),
    "<s>": ("<s>", "[CLS]"),
    "</s>": ("</s>", "[SEP]"),
}
_SPECIAL = {name for names in ROLES.values() for name in names}
_PUNCTUATION = re.compile(r"[^\w\s]+")


@dataclass(frozen=True)
class Vocabulary:
    """Pieces of a source vocabulary, and how a piece of another vocabulary is put together from them.

    texts (dict[bytes, int]): what a piece stands for -> its id.
    special (dict[str, int]): name of a special piece -> its id.
    splits_punctuation (bool): whether punctuation always begins a word, as in BERT.
    uncased (bool): whether texts are lower-cased and stripped of accents first.
    """

    texts: dict[bytes, int]
    special: dict[str, int]
    splits_punctuation: bool = False
    uncased: bool = False

    def ids_of(self, piece: str) -> tuple[list[int], Match]:
        """Find a SentencePiece piece in this vocabulary.

        piece (str): a piece, "▁" for a word's beginning.
        RETURNS (tuple[list[int], str]): ids of the same piece ("copied"), or of the parts that spell it ("averaged"),
            or of the unknown piece ("unknown").
        """
        for name in ROLES.get(piece, ()):
            if name in self.special:
                return [self.special[name]], "copied"
        text = piece.replace(WORD_MARK, " ")
        if self.uncased:
            decomposed = unicodedata.normalize("NFD", text.lower())
            text = "".join(character for character in decomposed if unicodedata.category(character) != "Mn")
        if self.splits_punctuation and _PUNCTUATION.fullmatch(text):
            text = " " + text
        key = text.encode("utf8")
        if key in self.texts:
            return [self.texts[key]], "copied"
        parts = self._parts(key)
        if parts:
            return parts, "averaged"
        return [self.special[name] for name in ROLES["<unk>"] if name in self.special][:1], "unknown"

    def _parts(self, text: bytes) -> list[int]:
        """Ids of the longest pieces from left to right; at the start the mark of a word's beginning may differ."""
        ids = []
        start = 0
        while start < len(text):
            for end in range(len(text), start, -1):
                part = text[start:end]
                found = self.texts.get(part)
                if found is None and start == 0:
                    found = self.texts.get(part[1:] if part.startswith(b" ") else b" " + part)
                if found is not None:
                    ids.append(found)
                    start = end
                    break
            else:
                start += 1
        return ids


def read_vocabulary(directory: Path) -> Vocabulary:
    """Read the vocabulary of a BERT or RoBERTa checkpoint.

    directory (Path): holds vocab.json (byte-level BPE), vocab.txt (WordPiece) or tokenizer.json (either, or Unigram).
    RETURNS (Vocabulary): its pieces.
    RAISES FileNotFoundError: there is none of these files.
    RAISES ValueError: the file cannot be read.
    """
    path = next((Path(directory) / name for name in VOCABULARY_NAMES if (Path(directory) / name).is_file()), None)
    if path is None:
        raise FileNotFoundError(Errors.BB059.format(directory=directory, expected=", ".join(VOCABULARY_NAMES)))
    try:
        if path.name == "vocab.txt":
            lines = path.read_text(encoding="utf8").split("\n")
            return wordpiece_vocabulary({line.rstrip("\r"): number for number, line in enumerate(lines) if line})
        content = json.loads(path.read_text(encoding="utf8"))
        vocabulary = bpe_vocabulary(content) if path.name == "vocab.json" else _tokenizer_json_vocabulary(content)
        if not all(isinstance(number, int) for number in vocabulary.texts.values()):
            raise ValueError("its ids are not whole numbers")
        return vocabulary
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(Errors.BB055.format(path=path, reason=f"not a vocabulary ({error})")) from error


def wordpiece_vocabulary(ids: Mapping[str, int]) -> Vocabulary:
    """ids (Mapping[str, int]): WordPiece's pieces, "##" in front of one that continues a word.
    RETURNS (Vocabulary): the same."""
    usual = {piece: number for piece, number in ids.items() if piece not in _SPECIAL}
    texts = {
        (piece[2:] if piece.startswith("##") and len(piece) > 2 else " " + piece).encode("utf8"): number
        for piece, number in usual.items()
    }
    uncased = not any(piece != piece.lower() for piece in usual if not piece.startswith("["))
    return Vocabulary(texts, _special_of(ids), splits_punctuation=True, uncased=uncased)


def bpe_vocabulary(ids: Mapping[str, int]) -> Vocabulary:
    """ids (Mapping[str, int]): pieces of byte-level BPE, each byte written as a letter ("Ġ" is the space).
    RETURNS (Vocabulary): the same."""
    to_byte = _bytes_of_letters()
    texts = {
        bytes(to_byte[letter] for letter in piece): number
        for piece, number in ids.items()
        if piece not in _SPECIAL and all(letter in to_byte for letter in piece)
    }
    return Vocabulary(texts, _special_of(ids))


def sentencepiece_vocabulary(ids: Mapping[str, int]) -> Vocabulary:
    """ids (Mapping[str, int]): SentencePiece's pieces, "▁" for the space.
    RETURNS (Vocabulary): the same."""
    usual = {piece: number for piece, number in ids.items() if piece not in _SPECIAL}
    texts = {piece.replace(WORD_MARK, " ").encode("utf8"): number for piece, number in usual.items()}
    return Vocabulary(texts, _special_of(ids))


def _tokenizer_json_vocabulary(content: Mapping[str, Any]) -> Vocabulary:
    pieces = content["model"]["vocab"]
    ids = dict(pieces) if isinstance(pieces, Mapping) else {piece: number for number, (piece, _) in enumerate(pieces)}
    ids.update({token["content"]: token["id"] for token in content.get("added_tokens", ())})
    if content["model"].get("type") == "WordPiece" or any(piece.startswith("##") for piece in ids):
        return wordpiece_vocabulary(ids)
    return bpe_vocabulary(ids) if any(piece.startswith("Ġ") for piece in ids) else sentencepiece_vocabulary(ids)


def _special_of(ids: Mapping[str, int]) -> dict[str, int]:
    return {piece: number for piece, number in ids.items() if piece in _SPECIAL}


def _bytes_of_letters() -> dict[str, int]:
    """Byte-level BPE's letter of each byte: printable ones stand for themselves, the others follow from 256 on."""
    printable: Iterable[int] = (*range(33, 127), *range(161, 173), *range(174, 256))
    letters = {chr(byte): byte for byte in printable}
    others = [byte for byte in range(256) if chr(byte) not in letters]
    return {**letters, **{chr(256 + number): byte for number, byte in enumerate(others)}}
