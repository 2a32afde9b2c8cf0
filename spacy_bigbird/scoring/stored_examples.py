"""Examples that have been processed, kept on disk rather than in memory, to be scored."""

import tempfile
import zlib
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from spacy.tokens import Doc
from spacy.training import Example
from spacy.vocab import Vocab


class StoredExamples(Collection[Example]):
    """Examples without their vectors, in a temporary file that is deleted with this object.

    They are read again for each pass, one at a time, so that memory does not grow with their number.

    vocab (Vocab): vocabulary of the documents.
    """

    def __init__(self, vocab: Vocab) -> None:
        self.vocab = vocab
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  closed with this object
        self._sizes: list[tuple[int, int]] = []

    def add(self, example: Example) -> None:
        """Store an example. The vectors on its predicted document are dropped.

        example (Example): the example, which must not be used any more.
        """
        # spaCy's keys of custom attributes are tuples, whatever its type stubs say.
        user_data: dict[Any, Any] = example.predicted.user_data
        user_data.pop(("._.", "trf_data", None, None), None)
        parts = [zlib.compress(doc.to_bytes(exclude=["tensor"]), 1) for doc in (example.predicted, example.reference)]
        self._file.seek(0, 2)
        self._file.write(b"".join(parts))
        self._sizes.append((len(parts[0]), len(parts[1])))

    def __len__(self) -> int:
        return len(self._sizes)

    def __contains__(self, example: object) -> bool:
        return any(example is other for other in self)

    def __iter__(self) -> Iterator[Example]:
        place = 0
        for sizes in self._sizes:
            self._file.seek(place)
            parts = [self._file.read(size) for size in sizes]
            place += sum(sizes)
            predicted, reference = (Doc(self.vocab).from_bytes(zlib.decompress(part)) for part in parts)
            yield Example(predicted, reference)


def several_passes(examples: Iterable[Example]) -> Collection[Example]:
    """Make examples that may come only once available for several passes, without copying those that come again.

    examples (Iterable[Example]): the examples.
    RETURNS (Collection[Example]): the same examples.
    """
    return examples if isinstance(examples, Collection) else list(examples)
