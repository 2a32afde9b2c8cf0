"""`python -m spacy bigbird train-vocab`: trains a SentencePiece vocabulary for one's own language or domain."""

import random
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Annotated, Any, cast

from spacy.cli._util import Arg, Opt
from wasabi import Printer

from ..check.terminal import counted
from ..errors import Errors
from .app import app
from .preparation import check_folder

if TYPE_CHECKING:
    from tqdm import tqdm

SAMPLED_TEXTS = 1000
SAMPLED_CHARACTERS = 10_000
LISTED = 10


@app.command("train-vocab", no_args_is_help=True)
def train_vocab_cli(
    texts: Annotated[list[Path], Arg(help="Text files (.txt, .jsonl, .spacy; also .gz, .xz) or folders of them")],
    output: Annotated[Path, Arg(help="Folder to write spiece.model to")],
    vocab_size: Annotated[int, Opt("--vocab-size", "-n", help="Number of pieces, including 101 special ones")],
    model_type: Annotated[str, Opt("--model-type", "-m", help="unigram or bpe")] = "unigram",
    normalization: Annotated[
        str, Opt("--normalization", help="SentencePiece's normalization rule; Google's vocabulary uses identity")
    ] = "nmt_nfkc",
    character_coverage: Annotated[
        float, Opt("--character-coverage", "-c", help="Share of the characters that get their own piece")
    ] = 0.99995,
    one_per_line: Annotated[
        bool, Opt("--one-per-line", "-l", help="Treat each line of a .txt file as a document, not each file")
    ] = False,
    max_sentences: Annotated[
        int,
        Opt("--max-sentences", help="Train on a random sample of this many chunks of up to 4,000 bytes; 0 for all"),
    ] = 0,
    large_corpus: Annotated[bool, Opt("--large-corpus", help="The texts have more than 2 billion characters")] = False,
    force: Annotated[bool, Opt("--force", "-F", help="Replace an existing spiece.model")] = False,
    quiet: Annotated[bool, Opt("--quiet", "-q", help="Print only errors")] = False,
) -> None:
    """Train a SentencePiece vocabulary for your own language or domain.

    BigBird's special pieces get the same ids as in the released checkpoints, and every run of white space counts as one
    space, as in the spaCy component. Texts are read one document at a time. SentencePiece keeps what it trains on in
    memory, at about 20 bytes per character: use --max-sentences to limit that.
    """
    try:
        report = train_vocab(
            texts,
            output,
            vocab_size,
            one_per_line=one_per_line,
            force=force,
            silent=quiet,
            model_type=model_type,
            normalization=normalization,
            character_coverage=character_coverage,
            max_sentences=max_sentences,
            large_corpus=large_corpus,
        )
    except (ValueError, OSError) as error:
        Printer().fail("Cannot train a vocabulary", str(error), exits=1)
    if not quiet:
        report.show(output)


@dataclass(frozen=True)
class VocabularyReport:
    """How a vocabulary segments a sample of the texts that it was trained on.

    documents (int): number of documents read.
    words (int): number of words in the sample, separated by white space.
    pieces_per_word (float): mean number of pieces per word.
    unknown_rate (float): share of the pieces that are `<unk>`.
    unknown (list[tuple[str, int]]): the most frequent strings that have no piece, with their counts.
    longest_words (list[tuple[str, int]]): the words with the most pieces, with their numbers of pieces.
    """

    documents: int
    words: int
    pieces_per_word: float
    unknown_rate: float
    unknown: list[tuple[str, int]]
    longest_words: list[tuple[str, int]]

    def show(self, output: Path) -> None:
        """Print the report.

        output (Path): the folder with the vocabulary.
        """
        message = Printer()
        message.good(f"Vocabulary trained on {counted(self.documents, 'documents')}", str(output / "spiece.model"))
        message.table(
            {
                f"Words in a sample of up to {SAMPLED_TEXTS:,} documents": f"{self.words:,}",
                "Pieces per word": f"{self.pieces_per_word:.3f}",
                "Unknown pieces": f"{self.unknown_rate:.3%}",
                "Most frequent unknown": ", ".join(f"{part!r} ({count})" for part, count in self.unknown) or "none",
                "Words with the most pieces": ", ".join(f"{_shortened(word)} ({n})" for word, n in self.longest_words),
            }
        )


def train_vocab(
    texts: Iterable[str | Path],
    output: str | Path,
    vocab_size: int,
    *,
    one_per_line: bool = False,
    force: bool = False,
    silent: bool = True,
    **settings: object,
) -> VocabularyReport:
    """Train a vocabulary and write it to a folder.

    texts (Iterable[str | Path]): .txt, .jsonl and .spacy files, optionally compressed with gzip or xz, or folders of
        them.
    output (str | Path): folder for spiece.model, created if it does not exist.
    vocab_size (int): number of pieces, including the 101 special ones.
    one_per_line (bool): whether each line of a .txt file is a document, rather than the whole file.
    force (bool): whether to replace an existing spiece.model.
    silent (bool): whether to show no progress.
    **settings (object): keyword arguments of `spacy_bigbird.tokenizer.train.trainer_settings`.
    RETURNS (VocabularyReport): how the vocabulary segments a sample of the texts.
    RAISES ValueError, OSError: texts are unreadable or too few, settings are out of range, there already is a
        vocabulary, or the folder cannot be written to.
    """
    from tqdm import tqdm

    from ..atomic import replace_file
    from ..corpora.text_files import read_texts, text_files
    from ..tokenizer.train import train_vocabulary, trainer_settings

    path = Path(output) / "spiece.model"
    if path.exists() and not force:
        raise ValueError(Errors.BB303.format(path=path))
    # Check the settings before gigabytes are read.
    trainer_settings(vocab_size, **cast(Any, settings))
    files = text_files(texts)
    _make_folder(path)
    message = Printer(no_print=silent)
    size = sum(file.stat().st_size for file in files)
    with tqdm(total=size, unit="B", unit_scale=True, desc="Reading texts", disable=silent) as bar:
        sample = _Sample(read_texts(files, one_per_line=one_per_line, on_bytes=bar.update))
        model = train_vocabulary(_announced(sample, bar, message), vocab_size, **settings)
    replace_file(path, lambda part: part.write_bytes(model))
    return report_on(model, sample.texts, sample.seen)


def _make_folder(path: Path) -> None:
    """Create the folder of a vocabulary before it is trained. RAISES ValueError: the folder cannot be written to."""
    check_folder(path.parent)
    if path.is_dir():
        raise ValueError(Errors.BB319.format(path=path, reason="it is a folder"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        TemporaryFile(dir=path.parent).close()
    except OSError as error:
        raise ValueError(Errors.BB319.format(path=path, reason=error)) from error


def _announced(texts: Iterable[str], bar: "tqdm", message: Printer) -> Iterator[str]:
    yield from texts
    bar.close()
    message.info("All texts have been read; training takes minutes for gigabytes of text")


class _Sample:
    """Iterates over texts and keeps the beginnings of a random sample of fixed size (reservoir sampling).

    source (Iterable[str]): the texts.
    """

    def __init__(self, source: Iterable[str]) -> None:
        self.texts: list[str] = []
        self.seen = 0
        self._source = source
        self._random = random.Random(0)

    def __iter__(self) -> Iterator[str]:
        for text in self._source:
            self.seen += 1
            place = len(self.texts) if self.seen <= SAMPLED_TEXTS else self._random.randrange(self.seen)
            if place < SAMPLED_TEXTS:
                self.texts[place : place + 1] = [text[:SAMPLED_CHARACTERS]]
            yield text


def report_on(model: bytes, texts: list[str], documents: int) -> VocabularyReport:
    """Segment texts with a vocabulary and collect statistics.

    model (bytes): contents of a spiece.model.
    texts (list[str]): the texts to segment.
    documents (int): number of documents that the texts were sampled from.
    RETURNS (VocabularyReport): the statistics.
    """
    from ..tokenizer import BigBirdTokenizer

    tokenizer = BigBirdTokenizer(model, map_whitespace=True)
    num_pieces = num_unknown = 0
    unknown: Counter[str] = Counter()
    words: Counter[str] = Counter()
    for text, pieces in zip(texts, tokenizer.text_pieces(texts), strict=True):
        spans = pieces.offsets[pieces.ids == tokenizer.unk_token_id].tolist()
        num_pieces += len(pieces)
        num_unknown += len(spans)
        unknown.update(text[start:end] for start, end in spans)
        words.update(text.split())
    lengths = zip(words, map(len, tokenizer.text_ids(words)), strict=True)
    longest = sorted(lengths, key=lambda word: (-word[1], word[0]))[:LISTED]
    num_words = words.total()
    return VocabularyReport(
        documents=documents,
        words=num_words,
        pieces_per_word=num_pieces / max(num_words, 1),
        unknown_rate=num_unknown / max(num_pieces, 1),
        unknown=unknown.most_common(LISTED),
        longest_words=longest,
    )


def _shortened(word: str) -> str:
    return word if len(word) <= 40 else f"{word[:37]}..."
