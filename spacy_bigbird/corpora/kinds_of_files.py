"""Which reader reads which kind of file, and where its files are."""

from pathlib import Path

from ..errors import Errors

# Which reader reads which kind of file, for those that are handed to another one. JSON lines may be called .json.
READERS = {
    ".spacy": "spacy.Corpus.v1 or, for questions, spacy-bigbird.QuestionCorpus.v1",
    ".jsonl": "spacy-bigbird.JsonlCorpus.v1",
    ".json": "spacy-bigbird.SquadCorpus.v1",
}
READS_TOO: dict[str, tuple[str, ...]] = {".spacy": (), ".jsonl": (".json",), ".json": ()}


def given_path(path: Path | str | None, reader: str) -> Path:
    """Check that a reader was given a path.

    path (Path | str | None): the path.
    reader (str): name of the reader, for the message.
    RETURNS (Path): the path.
    RAISES ValueError: the path is None.
    """
    if path is None:
        raise ValueError(Errors.BB310.format(reader=reader, path=path))
    return Path(path)


def find_files(path: Path, ending: str, reader: str) -> list[Path]:
    """Find the files to read.

    path (Path): a file, or a folder, which is searched recursively.
    ending (str): ending of the files in a folder.
    reader (str): name of the reader, for the message.
    RETURNS (list[Path]): the file, or the files of the folder, sorted.
    RAISES ValueError: there are none, or they are of a kind that another reader reads.
    """
    found = sorted(path.rglob(f"*{ending}")) if path.is_dir() else [path] if path.is_file() else []
    if found and not (path.is_file() and path.suffix in READERS and path.suffix not in (ending, *READS_TOO[ending])):
        return found
    inside = sorted({file.suffix for file in path.rglob("*")} & set(READERS)) if path.is_dir() else [path.suffix]
    if inside and inside[0] in READERS and path.exists():
        raise ValueError(
            Errors.BB661.format(reader=reader, ending=ending, path=path, found=inside[0], other=READERS[inside[0]])
        )
    raise ValueError(Errors.BB310.format(reader=reader, path=str(path)))
