"""The files that were meant: given ones, and those of folders and patterns."""

import glob
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ..corpora.text_files import file_kind
from ..errors import Errors
from .inputs import KINDS, READERS


@dataclass
class Inputs:
    """The files to read, in order.

    files (list[str]): the files, each once.
    ignored (int): number of files of other kinds in folders that were given.
    """

    files: list[str] = field(default_factory=list)
    ignored: int = 0


def find_inputs(given: Iterable[str | Path], without: Path) -> Inputs:
    """Expand files, folders (searched recursively) and patterns such as `texts/*.jsonl.gz`.

    given (Iterable[str | Path]): what was given. The order is kept; files of a folder or pattern are sorted.
    without (Path): a folder whose files are no inputs: the output.
    RETURNS (Inputs): the files.
    RAISES ValueError: nothing was found for something given, or a file is of an unknown kind.
    """
    found, expected, output = Inputs(), f"{KINDS} (also with .gz, .xz, .zst), folders or patterns", without.resolve()
    seen: set[Path] = set()
    for one in map(str, given):
        paths = [Path(one)] if Path(one).exists() else [Path(path) for path in sorted(glob.glob(one, recursive=True))]
        if not paths:
            raise ValueError(Errors.BB400.format(given=one, found="there is no such file or folder", expected=expected))
        names: list[str] = []
        for path in paths:
            inside = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
            known = [file for file in inside if file_kind(file) in READERS and output not in file.resolve().parents]
            found.ignored += len(inside) - len(known)
            names.extend(map(str, known))
        if not names:
            what = f"a file of kind {file_kind(paths[0]) or 'unknown'}" if paths[0].is_file() else "no such files"
            raise ValueError(Errors.BB400.format(given=one, found=what, expected=expected))
        for file in names:
            # A file that is given twice is still read once.
            if Path(file).resolve() not in seen:
                seen.add(Path(file).resolve())
                found.files.append(file)
    return found
