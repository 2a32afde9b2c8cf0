"""Tokens that were added to a vocabulary after it was trained. A text contains them literally."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..atomic import replace_file
from ..errors import Errors

CONFIG_FILE, IDS_FILE, FAST_FILE = "tokenizer_config.json", "added_tokens.json", "tokenizer.json"
_SPACES = re.compile(r"\s*")
_IN_CONFIG = "added_tokens_decoder"


@dataclass(frozen=True)
class AddedToken:
    """A token that was added to a vocabulary, as with `add_tokens` of transformers.

    content (str): the text that it stands for.
    id (int): its id, usually one past those of the vocabulary's pieces.
    single_word (bool): whether it is recognized between spaces only.
    lstrip (bool): whether white space before it is dropped.
    rstrip (bool): whether white space after it is dropped.
    normalized (bool): not used here, but kept for transformers.
    special (bool): whether `decode` may leave it out, like the special pieces.
    """

    content: str
    id: int
    single_word: bool = False
    lstrip: bool = False
    rstrip: bool = False
    normalized: bool = False
    special: bool = False


def read_added_tokens(directory: Path) -> list[AddedToken]:
    """Read the added tokens of a checkpoint from the first of the files in which transformers keeps them.

    directory (Path): the checkpoint's directory.
    RETURNS (list[AddedToken]): the tokens, which may include the special pieces of the vocabulary.
    RAISES ValueError: a file is damaged.
    """
    for name, parse in _PARSERS.items():
        path = Path(directory) / name
        if not path.is_file():
            continue
        try:
            found = parse(json.loads(path.read_text(encoding="utf8")))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            reason = f"{type(error).__name__}: {error}"
            raise ValueError(Errors.BB030.format(path=path, reason=reason)) from error
        if found is not None:
            return sorted(found, key=lambda token: token.id)
    return []


def write_added_tokens(directory: Path, tokens: Sequence[AddedToken]) -> None:
    """Write added tokens where transformers finds them. Those that the directory had before are forgotten.

    directory (Path): the directory of the vocabulary.
    tokens (Sequence[AddedToken]): the tokens, without the special pieces of the vocabulary.
    """
    path, ids_path = Path(directory) / CONFIG_FILE, Path(directory) / IDS_FILE
    if not tokens and not any((Path(directory) / name).is_file() for name in _PARSERS):
        return
    content = json.loads(path.read_text(encoding="utf8")) if path.is_file() else {}
    content[_IN_CONFIG] = {str(token.id): _flags(token) for token in tokens}
    content.setdefault("tokenizer_class", "BigBirdTokenizer")
    ids = {token.content: token.id for token in tokens}
    for target, value in ((path, content), (ids_path, ids)):
        text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
        replace_file(target, lambda temporary, text=text: temporary.write_text(text, encoding="utf8"))  # type: ignore[misc]


def extended(pieces: Sequence[str], tokens: Iterable[AddedToken], source: str) -> list[str]:
    """Append added tokens to the pieces of a vocabulary.

    pieces (Sequence[str]): string of each piece, in the order of their ids.
    tokens (Iterable[AddedToken]): the tokens.
    source (str): where they come from, for error messages.
    RETURNS (list[str]): string of each piece and added token, in the order of their ids.
    RAISES ValueError: two tokens have the same id, or ids are missing in between.
    """
    by_id: dict[int, str] = {}
    for token in tokens:
        if by_id.setdefault(token.id, token.content) != token.content:
            found = f"{by_id[token.id]!r} and {token.content!r} with the same id {token.id}"
            raise ValueError(Errors.BB029.format(source=source, found=found))
    result = [by_id.get(number, piece) for number, piece in enumerate(pieces)]
    for number in sorted(number for number in by_id if number >= len(pieces)):
        if number != len(result):
            found = f"{by_id[number]!r} with id {number}, and none with id {len(result)}"
            raise ValueError(Errors.BB029.format(source=source, found=found))
        result.append(by_id[number])
    return result


class Stretches:
    """Cuts texts at tokens that stand for themselves.

    ids (dict[str, int]): ids of these tokens.
    added (Iterable[AddedToken]): the added ones among them, with further rules.
    """

    def __init__(self, ids: dict[str, int], added: Iterable[AddedToken] = ()) -> None:
        self._ids = ids
        self._added = {token.content: token for token in added}
        # Longest first, in case one is a prefix of another.
        longest_first = sorted(ids, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")

    def of(self, text: str) -> Iterator[tuple[int, int, int | None]]:
        """Cut a text.

        text (str): the text.
        YIELDS (tuple[int, int, int | None]): start and end of a stretch, and its id, or None if it is to be split into
            pieces. Unit: characters.
        """
        start = 0
        for match in self._pattern.finditer(text):
            token = self._added.get(match.group())
            begin, end = match.span()
            if token is not None and token.single_word and not _stands_alone(text, begin, end):
                continue
            before = text[start:begin]
            stop = start + len(before.rstrip()) if token is not None and token.lstrip else begin
            if stop > start:
                yield start, stop, None
            yield begin, end, self._ids[match.group()]
            start = end
            if token is not None and token.rstrip:
                start = _SPACES.match(text, end).end()  # type: ignore[union-attr]
        if start < len(text):
            yield start, len(text), None


def _stands_alone(text: str, begin: int, end: int) -> bool:
    return text[max(begin - 1, 0) : begin] in ("", " ") and text[end : end + 1] in ("", " ")


def _flags(token: AddedToken) -> dict[str, Any]:
    return {name: value for name, value in asdict(token).items() if name != "id"}


def _token(number: Any, values: dict[str, Any]) -> AddedToken:
    names = ("single_word", "lstrip", "rstrip", "normalized", "special")
    flags = {name: bool(values.get(name, False)) for name in names}
    return AddedToken(str(values["content"]), int(number), **flags)


def _from_config(content: dict[str, Any]) -> list[AddedToken] | None:
    if content.get(_IN_CONFIG) is None:
        return None
    return [_token(number, values) for number, values in content[_IN_CONFIG].items()]


def _from_ids(content: dict[str, Any]) -> list[AddedToken]:
    return [_token(number, {"content": text}) for text, number in content.items()]


def _from_fast(content: dict[str, Any]) -> list[AddedToken]:
    return [_token(values["id"], values) for values in content.get("added_tokens", ())]


_PARSERS = {CONFIG_FILE: _from_config, IDS_FILE: _from_ids, FAST_FILE: _from_fast}
