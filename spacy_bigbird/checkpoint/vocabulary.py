"""Vocabularies of BERT, RoBERTa and BigBird checkpoints, searchable by the text that a piece stands for.

Texts are bytes. A piece that begins a word has a leading space, however that type of vocabulary marks it.
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

# BigBird's special pieces, each with the pieces that have the same role, the best match first.
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
    """Pieces of a source vocabulary, from which the pieces of another vocabulary are composed.

    texts (dict[bytes, int]): ids of the pieces, by the text that each stands for.
    special (dict[str, int]): ids of the special pieces, by name.
    splits_punctuation (bool): whether punctuation always begins a word, as in BERT.
    uncased (bool): whether texts are lower-cased and stripped of accents before they are looked up.
    """

    texts: dict[bytes, int]
    special: dict[str, int]
    splits_punctuation: bool = False
    uncased: bool = False

    def ids_of(self, piece: str) -> tuple[list[int], Match]:
        """Find a SentencePiece piece in this vocabulary.

        piece (str): a piece, with "▁" at the beginning of a word.
        RETURNS (tuple[list[int], Match]): the id of the same piece ("copied"), the ids of the parts that spell it
            ("averaged"), or else the id of the unknown piece, if there is one ("unknown").
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
        """Spell a text with the longest pieces, from left to right, and return their ids.

        The leading space may differ in the first piece. Bytes that no piece begins with are skipped.
        """
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

    directory (Path): a directory with vocab.json (byte-level BPE), vocab.txt (WordPiece) or tokenizer.json (either of
        these, or Unigram), in order of preference.
    RETURNS (Vocabulary): the vocabulary.
    RAISES FileNotFoundError: there is no such file.
    RAISES ValueError: the file is not a vocabulary.
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
    """Convert a WordPiece vocabulary.

    ids (Mapping[str, int]): ids by piece, with "##" before a piece that continues a word.
    RETURNS (Vocabulary): the vocabulary, which is uncased if no piece has an upper-case letter.
    """
    usual = {piece: number for piece, number in ids.items() if piece not in _SPECIAL}
    texts = {
        (piece[2:] if piece.startswith("##") and len(piece) > 2 else " " + piece).encode("utf8"): number
        for piece, number in usual.items()
    }
    uncased = not any(piece != piece.lower() for piece in usual if not piece.startswith("["))
    return Vocabulary(texts, _special_of(ids), splits_punctuation=True, uncased=uncased)


def bpe_vocabulary(ids: Mapping[str, int]) -> Vocabulary:
    """Convert a vocabulary of byte-level BPE.

    ids (Mapping[str, int]): ids by piece, with each byte written as a letter ("Ġ" for the space).
    RETURNS (Vocabulary): the vocabulary.
    """
    to_byte = _bytes_of_letters()
    texts = {
        bytes(to_byte[letter] for letter in piece): number
        for piece, number in ids.items()
        if piece not in _SPECIAL and all(letter in to_byte for letter in piece)
    }
    return Vocabulary(texts, _special_of(ids))


def sentencepiece_vocabulary(ids: Mapping[str, int]) -> Vocabulary:
    """Convert a SentencePiece vocabulary.

    ids (Mapping[str, int]): ids by piece, with "▁" for the space.
    RETURNS (Vocabulary): the vocabulary.
    """
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
    """Map byte-level BPE's letters to bytes: printable bytes stand for themselves, letters from 256 for the others."""
    printable: Iterable[int] = (*range(33, 127), *range(161, 173), *range(174, 256))
    letters = {chr(byte): byte for byte in printable}
    others = [byte for byte in range(256) if chr(byte) not in letters]
    return {**letters, **{chr(256 + number): byte for number, byte in enumerate(others)}}
