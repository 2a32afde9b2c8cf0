"""BigBird's tokenizer, based on SentencePiece alone."""

import re
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..atomic import replace_file
from ..checkpoint.hub import resolve_directory
from ..errors import Errors
from .added import AddedToken, read_added_tokens, write_added_tokens
from .encoding import Encoding, TextPieces
from .pairs import (
    ADDED_TO_ONE,
    ADDED_TO_TWO,
    PairWindow,
    check_truncation,
    lengths_after_truncation,
    pair_windows,
)
from .processor import Processor
from .special import SpecialPieces

if TYPE_CHECKING:
    pass

VOCAB_FILE = "spiece.model"
_WHITESPACE_BUT_SPACE = re.compile(r"[^\S ]")
_SURROGATE = re.compile("[\ud800-\udfff]")


class BigBirdTokenizer(SpecialPieces):
    """Split texts into pieces of a SentencePiece vocabulary, with the characters that each piece stands for.

    Special pieces in a text ("[SEP]", "</s>", "<unused_5>") are treated as plain text, unless `allow_special` is set.

    vocab_file (str | Path | bytes): path of a spiece.model, or its content.
    unk_token (str): piece for what the vocabulary cannot spell.
    bos_token (str): piece that begins a generated sequence.
    eos_token (str): piece that ends a generated sequence.
    pad_token (str): piece that pads a batch.
    sep_token (str): piece after each text.
    mask_token (str): piece for masked language modelling.
    cls_token (str): piece before the first text.
    sp_model_kwargs (dict[str, Any] | None): SentencePiece's `enable_sampling`, `nbest_size` and `alpha`, for subword
        regularization. Use `sentencepiece.set_random_generator_seed` to make it reproducible.
    allow_special (bool): whether special pieces in a text become their ids, as in transformers.
    map_whitespace (bool): whether to replace line breaks, tabs and other white space by spaces, runs of which become
        one: Google's vocabulary has no line break, and was pre-trained with a space instead. Offsets do not change.
    added_tokens (Sequence[AddedToken]): tokens that were added to the vocabulary. A text contains them literally.
    RAISES FileNotFoundError: there is no such file.
    RAISES ValueError: the file is not a SentencePiece model, lacks a special piece, or a setting is unknown.
    """

    def __init__(
        self,
        vocab_file: str | Path | bytes,
        unk_token: str = "<unk>",
        bos_token: str = "<s>",
        eos_token: str = "</s>",
        pad_token: str = "<pad>",
        sep_token: str = "[SEP]",
        mask_token: str = "[MASK]",
        cls_token: str = "[CLS]",
        sp_model_kwargs: dict[str, Any] | None = None,
        *,
        allow_special: bool = False,
        map_whitespace: bool = False,
        added_tokens: Sequence[AddedToken] = (),
    ) -> None:
        source = "The given model" if isinstance(vocab_file, bytes) else str(vocab_file)
        if not isinstance(vocab_file, bytes):
            path = Path(vocab_file)
            if not path.is_file():
                raise FileNotFoundError(Errors.BB023.format(path=path, advice="Give the path of a spiece.model."))
            vocab_file = path.read_bytes()
        tokens = (unk_token, bos_token, eos_token, pad_token, sep_token, mask_token, cls_token)
        self.sp_model_kwargs = dict(sp_model_kwargs or {})
        self.allow_special = allow_special
        self.map_whitespace = map_whitespace
        added = [token for token in added_tokens if token.content not in tokens]
        self._processor = Processor(vocab_file, tokens, self.sp_model_kwargs, added, source)
        super().__init__(self._processor.pieces, tokens, source, self._processor.added)

    @classmethod
    def from_pretrained(
        cls, path_or_hub_name: str | Path, *, revision: str | None = None, **kwargs: Any
    ) -> "BigBirdTokenizer":
        """Load the tokenizer of a checkpoint, including tokens that were added to its vocabulary.

        path_or_hub_name (str | Path): a directory with spiece.model, or a name on the Hugging Face hub.
        revision (str | None): branch, tag or commit on the hub; None for the newest of the main branch.
        **kwargs (Any): keyword arguments of the constructor.
        RETURNS (BigBirdTokenizer): the tokenizer.
        RAISES FileNotFoundError: there is no such directory or name, or no spiece.model in it.
        """
        directory = resolve_directory(path_or_hub_name, revision=revision, weights=False)
        path = directory / VOCAB_FILE
        if not path.is_file():
            advice = "Copy it from the checkpoint that this one was trained from."
            if (directory / "tokenizer.json").is_file():
                advice = (
                    "The directory contains a tokenizer.json; this command converts it to spiece.model: "
                    f"python -m spacy_bigbird.tokenizer.convert {shlex.quote(str(directory))}"
                )
            raise FileNotFoundError(Errors.BB023.format(path=path, advice=advice))
        return cls(path, **{"added_tokens": read_added_tokens(directory), **kwargs})

    def to_bytes(self) -> bytes:
        """Serialize the vocabulary.

        RETURNS (bytes): the unchanged content of the spiece.model.
        """
        return self._processor.model

    def save_vocabulary(self, save_directory: str | Path, filename_prefix: str | None = None) -> tuple[str]:
        """Write the unchanged spiece.model.

        save_directory (str | Path): directory to write to, created if it does not exist.
        filename_prefix (str | None): prefix of the file's name, followed by a hyphen.
        RETURNS (tuple[str]): path of the file.
        """
        path = Path(save_directory) / (f"{filename_prefix}-{VOCAB_FILE}" if filename_prefix else VOCAB_FILE)
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, lambda temporary: temporary.write_bytes(self.to_bytes()))
        return (str(path),)

    def save_pretrained(self, save_directory: str | Path) -> None:
        """Write the spiece.model and, if there are any, the added tokens, which transformers finds too.

        save_directory (str | Path): directory to write to, created if it does not exist.
        """
        self.save_vocabulary(save_directory)
        write_added_tokens(Path(save_directory), self.added_tokens)

    def __reduce__(self) -> tuple[Any, ...]:
        options = {name: getattr(self, name) for name in ("allow_special", "map_whitespace", "added_tokens")}
        return _unpickle, (type(self), (self.to_bytes(), *self._tokens, self.sp_model_kwargs), options)

    # Texts to pieces

    def text_pieces(self, texts: Iterable[str], num_threads: int = -1) -> list[TextPieces]:
        """Split each text into pieces, without adding special pieces.

        texts (Iterable[str]): texts of any length.
        num_threads (int): number of threads; -1 for one per core.
        RETURNS (list[TextPieces]): ids and character offsets of each text's pieces.
        RAISES TypeError: a text is not a string.
        """
        if not self._has_marks:
            return self._processor.encode([self._prepare(text) for text in texts], num_threads)
        checked = [_checked(text) for text in texts]
        return self._processor.encode_around(checked, num_threads, self._prepare, spell_marks=self.allow_special)

    def text_ids(self, texts: Iterable[str], num_threads: int = -1) -> list[np.ndarray]:
        """Compute only the ids of each text's pieces, several times as fast if no marks are looked for in the texts.

        texts (Iterable[str]): texts of any length.
        num_threads (int): number of threads; -1 for one per core.
        RETURNS (list[ndarray]): ids of each text's pieces. Shape: (pieces,) each. Type: int32.
        RAISES TypeError: a text is not a string.
        """
        if self._has_marks:
            return [pieces.ids for pieces in self.text_pieces(texts, num_threads)]
        return self._processor.encode_ids([self._prepare(text) for text in texts], num_threads)

    @property
    def _has_marks(self) -> bool:
        """Whether texts may contain pieces that stand for themselves."""
        return self.allow_special or bool(self.added_tokens)

    def _prepare(self, text: str) -> str:
        _checked(text)
        if self.map_whitespace:
            text = _WHITESPACE_BUT_SPACE.sub(" ", text)
        # A lone surrogate cannot be encoded as UTF-8. It is replaced by one character, so that offsets do not change.
        return text if text.isascii() else _SURROGATE.sub("\ufffd", text)

    # Pieces to model inputs

    def __call__(
        self,
        text: str,
        pair: str | None = None,
        *,
        truncation: bool | str = False,
        max_length: int | None = None,
        add_special_tokens: bool = True,
    ) -> Encoding:
        """Encode a text, or a pair of texts, as one model input.

        text (str): the text, or the question.
        pair (str | None): the second text.
        truncation (bool | str): which text to cut: False, "only_first", "only_second" or "longest_first" (or True).
        max_length (int | None): longest input, including special pieces. Required for truncation. Unit: pieces.
        add_special_tokens (bool): whether to add [CLS] and [SEP].
        RETURNS (Encoding): ids, pieces, character offsets and masks.
        RAISES TypeError: a text is not a string.
        RAISES ValueError: a truncation setting is not allowed, or the texts cannot be cut to fit.
        """
        pairs = None if pair is None else [pair]
        options: dict[str, Any] = {"truncation": truncation, "max_length": max_length}
        return self.batch([text], pairs, add_special_tokens=add_special_tokens, num_threads=1, **options)[0]

    def batch(
        self,
        texts: Iterable[str],
        pairs: Iterable[str] | None = None,
        *,
        truncation: bool | str = False,
        max_length: int | None = None,
        add_special_tokens: bool = True,
        num_threads: int = -1,
    ) -> list[Encoding]:
        """Encode several texts, or pairs of texts, as one model input each.

        texts (Iterable[str]): the texts, or the questions.
        pairs (Iterable[str] | None): the second texts, one for each of `texts`.
        truncation, max_length, add_special_tokens: as for a single text, and with the same errors.
        num_threads (int): number of threads; -1 for one per core.
        RETURNS (list[Encoding]): encodings in the order of the texts.
        RAISES ValueError: there are more or fewer pairs than texts.
        """
        for given in (texts, pairs):
            if isinstance(given, str):
                raise TypeError(Errors.BB024.format(given="str", expected="several texts (or call it for one)"))
        check_truncation(truncation, max_length)
        firsts = self.text_pieces(texts, num_threads)
        seconds: Sequence[TextPieces | None] = [None] * len(firsts)
        if pairs is not None:
            seconds = self.text_pieces(pairs, num_threads)
        if len(seconds) != len(firsts):
            expected = f"as many as texts ({len(firsts)})"
            raise ValueError(Errors.BB020.format(name="number of pairs", value=len(seconds), expected=expected))
        encodings = []
        for first, second in zip(firsts, seconds, strict=True):
            if truncation and max_length is not None:
                first, second = self._truncate(first, second, truncation, max_length, add_special_tokens)
            encodings.append(self.encoding(first, second, add_special_tokens=add_special_tokens))
        return encodings

    def _truncate(
        self, first: TextPieces, second: TextPieces | None, truncation: bool | str, max_length: int, special: bool
    ) -> tuple[TextPieces, TextPieces | None]:
        room = max_length - ((ADDED_TO_ONE if second is None else ADDED_TO_TWO) if special else 0)
        strategy = "longest_first" if truncation is True else str(truncation)
        kept, of_second = lengths_after_truncation(len(first), len(second or ()), room, strategy)
        return first[:kept], None if second is None else second[:of_second]

    def windows(
        self, question: str | TextPieces, text: str | TextPieces, *, max_length: int, overlap: int | None = None
    ) -> list[PairWindow]:
        """Cut a long second text into overlapping windows, each after the whole question.

        question (str | TextPieces): the question.
        text (str | TextPieces): the long text. Pass the output of `text_pieces` to share it between many questions.
        max_length (int): longest window, including the question and the three special pieces. Unit: pieces.
        overlap (int | None): pieces that neighbouring windows share; None for an eighth of the room for the text.
        RETURNS (list[PairWindow]): windows in the order of the text.
        RAISES ValueError: the question leaves no room, or the overlap is negative, or half of the room or more.
        """
        both = [self.text_pieces([given])[0] if isinstance(given, str) else given for given in (question, text)]
        ids = {"cls_id": self.cls_token_id, "sep_id": self.sep_token_id}
        return pair_windows(both[0], both[1], **ids, max_length=max_length, overlap=overlap)

    def decode(self, ids: Sequence[int], skip_special_tokens: bool = False) -> str:
        """Convert ids to text, in the format of transformers' tokenizer.

        ids (Sequence[int]): a list or an array of ids.
        skip_special_tokens (bool): whether to leave out special pieces.
        RETURNS (str): the text, as normalised by the vocabulary.
        RAISES ValueError: an id is not in the vocabulary.
        """
        pieces = self.convert_ids_to_tokens([int(index) for index in ids], skip_special_tokens=skip_special_tokens)
        special = {*self.all_special_tokens, *(token.content for token in self.added_tokens)}
        parts: list[str] = []
        words: list[str] = []
        for piece in [*pieces, None]:
            if piece is not None and piece not in special:
                words.append(piece)
                continue
            if words:
                parts.append(self._processor.decode(words).strip())
                words = []
            if piece is not None:
                parts.append(piece)
        return re.sub(r" (\[(MASK|SEP)\])", r"\1", " ".join(parts))


def _checked(text: str) -> str:
    if not isinstance(text, str):
        raise TypeError(Errors.BB024.format(given=type(text).__name__, expected="str (`batch` takes several)"))
    return text


def _unpickle(cls: type[BigBirdTokenizer], arguments: tuple[Any, ...], options: dict[str, Any]) -> BigBirdTokenizer:
    return cls(*arguments, **options)
