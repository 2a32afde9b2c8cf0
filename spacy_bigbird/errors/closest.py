"""The nearest known name to one that is misspelled, for messages."""

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(unknown: Iterable[str], known: Iterable[str]) -> str:
    """Suggest what misspelled names may stand for.

    unknown (Iterable[str]): names that do not exist.
    known (Iterable[str]): names that exist.
    RETURNS (str): a sentence with a space before it; "" if nothing is close.
    """
    known = list(known)
    pairs = [(name, get_close_matches(name, known, n=1, cutoff=0.6)) for name in unknown]
    found = [f"{close[0]!r} for {name!r}" for name, close in pairs if close]
    return f" Did you mean {', '.join(found)}?" if found else ""
