"""Train a SentencePiece vocabulary that has BigBird's special pieces at the same ids as the released checkpoints."""

import io
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

import sentencepiece

from ..errors import Errors

PAD_ID, EOS_ID, BOS_ID, UNKNOWN_ID = 0, 1, 2, 100
_NAMED_CONTROL_PIECES = {65: "[CLS]", 66: "[SEP]", 67: "[MASK]"}
NUM_SPECIAL_PIECES = UNKNOWN_ID + 1

# SentencePiece skips sentences longer than this instead of cutting them.
MAX_SENTENCE_BYTES = 4000
_WHITESPACE_RUN = re.compile(r"\s+")

MODEL_TYPES = ("unigram", "bpe")
NORMALIZATIONS = ("nmt_nfkc", "nfkc", "nmt_nfkc_cf", "nfkc_cf", "identity")
_NEEDED_PIECES = re.compile(r"required_chars\. \d+ vs (\d+)")


def control_pieces() -> list[str]:
    """List the control pieces with the ids 3 to 99: [CLS], [SEP], [MASK] and unused ones.

    RETURNS (list[str]): the pieces, in the order of their ids. SentencePiece assigns them the ids that `<pad>`, `</s>`,
        `<s>` and `<unk>` leave free.
    """
    return [_NAMED_CONTROL_PIECES.get(index, f"<unused_{index}>") for index in range(BOS_ID + 1, UNKNOWN_ID)]


def split_into_sentences(texts: Iterable[str], max_bytes: int = MAX_SENTENCE_BYTES) -> Iterator[str]:
    """Cut texts at spaces into stretches that SentencePiece's trainer accepts.

    texts (Iterable[str]): documents of any length, read one at a time.
    max_bytes (int): longest stretch. Unit: bytes in UTF-8.
    YIELDS (str): stretches in which every run of white space is one space. A word of more than a quarter as many
        characters as `max_bytes` is cut into several.
    """
    # No character takes more than four bytes, so a word of this many characters always fits.
    max_characters = max_bytes // 4
    for text in texts:
        words = _WHITESPACE_RUN.sub(" ", text.replace("\0", " ")).strip().split(" ")
        stretch: list[str] = []
        size = 0
        for word in chain.from_iterable(_cut(word, max_characters) for word in words if word):
            word_size = len(word.encode("utf8", errors="replace")) + 1
            if stretch and size + word_size > max_bytes:
                yield " ".join(stretch)
                stretch, size = [], 0
            stretch.append(word)
            size += word_size
        if stretch:
            yield " ".join(stretch)


def _cut(word: str, max_characters: int) -> list[str]:
    return [word[start : start + max_characters] for start in range(0, len(word), max_characters)]


def trainer_settings(
    vocab_size: int,
    *,
    model_type: str = "unigram",
    normalization: str = "nmt_nfkc",
    character_coverage: float = 0.99995,
    max_sentences: int = 0,
    large_corpus: bool = False,
    num_threads: int = 8,
) -> dict[str, Any]:
    """Check settings and convert them to those of SentencePiece's own trainer, for `train_vocabulary`.

    vocab_size (int): number of pieces, including the 101 special ones.
    model_type (str): "unigram" or "bpe".
    normalization (str): name of SentencePiece's rule: "nmt_nfkc", "nfkc", "identity" (which Google used), or
        "nmt_nfkc_cf" or "nfkc_cf", which fold case.
    character_coverage (float): share of the characters in the texts that get a piece, from 0.98 to 1; the rarest ones
        are unknown. With SentencePiece's default of 0.9995, an English corpus loses letters such as "Z".
    max_sentences (int): size of the random sample to train on, above 100; 0 for everything. Unit: stretches of text.
    large_corpus (bool): whether there may be more than 2 billion characters.
    num_threads (int): threads of the trainer. The last digits of a unigram model's sums depend on it.
    RETURNS (dict[str, Any]): keyword arguments of `SentencePieceTrainer.train`.
    RAISES ValueError: a setting is not allowed.
    """
    for name, value, allowed in (
        ("model_type", model_type, MODEL_TYPES),
        ("normalization", normalization, NORMALIZATIONS),
    ):
        if value not in allowed:
            expected = " or ".join(f'"{choice}"' for choice in allowed)
            raise ValueError(Errors.BB020.format(name=name, value=value, expected=expected))
    if not 0.98 <= character_coverage <= 1.0:
        expected = "0.98 to 1.0, SentencePiece's own limits"
        raise ValueError(Errors.BB020.format(name="character_coverage", value=character_coverage, expected=expected))
    if vocab_size <= NUM_SPECIAL_PIECES:
        expected = f"more than the {NUM_SPECIAL_PIECES} special pieces"
        raise ValueError(Errors.BB020.format(name="vocab_size", value=vocab_size, expected=expected))
    if max_sentences and max_sentences <= 100:
        expected = "0 (everything) or more than 100"
        raise ValueError(Errors.BB020.format(name="max_sentences", value=max_sentences, expected=expected))
    return {
        "vocab_size": vocab_size,
        "model_type": model_type,
        "normalization_rule_name": normalization,
        "character_coverage": character_coverage,
        "input_sentence_size": max_sentences,
        "shuffle_input_sentence": max_sentences > 0,
        "max_sentence_length": MAX_SENTENCE_BYTES + 1,
        "num_threads": num_threads,
        "train_extremely_large_corpus": large_corpus,
        "pad_id": PAD_ID,
        "eos_id": EOS_ID,
        "bos_id": BOS_ID,
        "unk_id": UNKNOWN_ID,
        "pad_piece": "<pad>",
        "eos_piece": "</s>",
        "bos_piece": "<s>",
        "unk_piece": "<unk>",
        "control_symbols": control_pieces(),
        "minloglevel": 2,
    }


def train_vocabulary(texts: Iterable[str], vocab_size: int, **settings: Any) -> bytes:
    """Train a SentencePiece model with BigBird's special pieces.

    Their ids are `<pad>` 0, `</s>` 1, `<s>` 2, [CLS] 65, [SEP] 66, [MASK] 67 and `<unk>` 100, with unused ones in
    between. No text can spell any of them.

    texts (Iterable[str]): documents of any length, read once and one at a time. Errors that it raises are passed on.
    vocab_size (int): number of pieces, including the 101 special ones.
    **settings (Any): keyword arguments of `trainer_settings`.
    RETURNS (bytes): the serialized model, the content of a spiece.model.
    RAISES ValueError: a setting is not allowed, or there is too little text for so many pieces.
    """
    arguments = trainer_settings(vocab_size, **settings)
    raised: list[BaseException] = []
    sentences = split_into_sentences(_noting_errors(texts, raised))
    first = next(sentences, None)
    if first is None:
        raise ValueError(Errors.BB021.format(vocab_size=vocab_size, reason="there is no text"))
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=chain([first], sentences), model_writer=model, **arguments
        )
    except (RuntimeError, OSError) as error:
        if raised:
            raise raised[0] from None
        needed = _NEEDED_PIECES.search(str(error))
        if needed:
            expected = f"at least {needed[1]}, or a smaller character_coverage: the texts have that many characters"
            raise ValueError(Errors.BB020.format(name="vocab_size", value=vocab_size, expected=expected)) from error
        raise ValueError(Errors.BB021.format(vocab_size=vocab_size, reason=error)) from error
    return model.getvalue()


def _noting_errors(texts: Iterable[str], raised: list[BaseException]) -> Iterator[str]:
    """Pass texts on, and record what they raise: SentencePiece converts exceptions, even Ctrl-C, to messages."""
    try:
        yield from texts
    except (Exception, KeyboardInterrupt) as error:
        raised.append(error)
        raise
