"""brat's standoff files: name.txt with the text and name.ann with what is marked in it."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from ..broken_records import Problems
from .record import LEFT_OUT, Format, Record, Sample, files_of

KINDS = {"R": "relations", "E": "events", "A": "attributes", "M": "attributes", "N": "normalizations", "*": "relations"}


def recognises(sample: Sample) -> bool:
    """Whether it is brat's: an .ann file, or a folder with some."""
    path = sample.path
    return path.suffix == ".ann" or (path.is_dir() and next(path.rglob("*.ann"), None) is not None)


def read(path: Path, problems: Problems) -> Iterator[Record]:
    """Read texts with their annotation. Arguments and result as in `Format.read`.

    A discontinuous span is taken from its beginning to its end, and counted.
    """
    for file in files_of(path, ".ann"):
        problems.seen("records")
        text_file = file.with_suffix(".txt")
        if not text_file.is_file():
            problems.add("records", "have no .txt file beside them", file.name, str(file))
            continue
        # Bytes keep line breaks as they are, since offsets count them.
        record = Record(text_file.read_bytes().decode("utf-8"), file.name, marks=[])
        left_out: Counter[str] = Counter()
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
            if line.startswith("T"):
                _add_mark(record, line, f"{file.name}, line {number}", problems)
            elif line[:1] in KINDS:
                left_out[KINDS[line[0]]] += 1
                problems.seen(KINDS[line[0]])
                problems.add(KINDS[line[0]], LEFT_OUT, f"{file.name}, line {number}", line)
        yield record


def _add_mark(record: Record, line: str, where: str, problems: Problems) -> None:
    problems.seen("annotations")
    try:
        _, place, *_ = line.split("\t")
        label, offsets = place.split(" ", 1)
        parts = [tuple(map(int, part.split())) for part in offsets.split(";")]
        (start, _), (_, end) = parts[0], parts[-1]
    except ValueError:
        problems.add("annotations", "are not in brat's form", where, line)
        return
    if len(parts) > 1:
        problems.add("annotations", "have gaps, which were closed", where, line)
    assert record.marks is not None
    record.marks.append([start, end, label])


FORMAT = Format("brat", recognises, read)
