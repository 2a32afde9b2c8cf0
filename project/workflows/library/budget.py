"""The same training time for every system: functions that make `spacy train` stop in time and report what it did.

`python -m spacy train CONFIG --code workflows/registered.py` repeats a training run. Time is CPU time of the process,
so that other work on the machine does not affect a system; on a GPU, it is wall time. Setting up, evaluating on the
development corpus and saving do not count for any system.
"""

import itertools
import math
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import spacy
import srsly
from spacy.language import Language
from spacy.tokens import Doc, DocBin
from spacy.training import Example

from spacy_bigbird.annotations.questions import install_question_extensions

from .parts import Replaceable, doc_part, load_tokenizer, plain, stretches, tokens_within, with_noise

CLOCKS: dict[str, Callable[[], float]] = {"cpu": time.process_time, "wall": time.monotonic}


@dataclass
class Clock:
    """The time that training has used, and what it has done. A process runs only one training at a time.

    kind (str): "cpu" or "wall".
    seconds (float): the budget. Unit: seconds.
    used (float): how much of it had been used at the last pause. Unit: seconds.
    steps, documents, tokens (int): number of each processed so far.
    """

    kind: str = "cpu"
    seconds: float = 0.0
    used: float = 0.0
    steps: int = 0
    documents: int = 0
    tokens: int = 0
    _since: float | None = field(default=None, repr=False)

    def start(self, kind: str, seconds: float) -> None:
        """Reset the clock and leave it paused."""
        self.kind, self.seconds, self.used, self._since = kind, seconds, 0.0, None
        self.steps = self.documents = self.tokens = 0

    def resume(self) -> None:
        """Start counting time."""
        if self._since is None:
            self._since = CLOCKS[self.kind]()

    def pause(self) -> None:
        """Stop counting time."""
        if self._since is not None:
            self.used += CLOCKS[self.kind]() - self._since
            self._since = None

    @property
    def share(self) -> float:
        """The used share of the budget, in [0, 1]."""
        now = 0.0 if self._since is None else CLOCKS[self.kind]() - self._since
        return min(1.0, (self.used + now) / self.seconds) if self.seconds else 0.0

    def facts(self) -> dict[str, Any]:
        """RETURNS (dict[str, Any]): the entries for the results."""
        return {
            "clock": self.kind,
            "budget_seconds": self.seconds,
            "used_seconds": round(self.used, 2),
            "steps": self.steps,
            "documents": self.documents,
            "tokens": self.tokens,
        }


CLOCK = Clock()


@spacy.registry.batchers("project.within_budget.v1")
def make_budget_batcher(
    batcher: Callable[[Iterable[Example]], Iterable[list[Example]]],
    seconds: float,
    clock: str = "cpu",
    phases: Sequence[dict[str, float]] = ({},),
    noise: float = 0.0,
    frequent: int = 0,
) -> Callable[[Sequence[Example]], Iterator[list[Example]]]:
    """Create a batcher that runs in phases until the time is up. For `[training.batcher]`, with `max_epochs = 1`.

    batcher (Callable): groups examples, which it gets in random order, into batches.
    seconds (float): the budget; 0 for a single pass over all examples, as `spacy bigbird check` needs it.
    clock (str): "cpu" or "wall".
    phases (Sequence[dict[str, float]]): for each phase `until`, the share of the budget at which it ends (default 1),
        and `shortest` and `longest`, the range of its examples' lengths in tokens (default: no limits).
    noise (float): share of the words that are replaced by others, drawn anew each time, because a small corpus is soon
        learned by heart.
    frequent (int): number of most frequent words that are neither replaced nor used as replacements.
    RETURNS (Callable): the batcher.
    """

    def batches(examples: Sequence[Example]) -> Iterator[list[Example]]:
        if not seconds:
            yield from batcher(examples)
            return
        replaceable = Replaceable.of((one.reference for one in examples), frequent) if noise else None
        CLOCK.start(clock, seconds)
        CLOCK.resume()
        for phase in phases:
            shortest, longest = phase.get("shortest", 0), phase.get("longest", math.inf)
            chosen = [one for one in examples if shortest <= len(one.predicted) <= longest]
            if not chosen:
                raise ValueError(f"No document has {shortest} to {longest} tokens: change the phase {dict(phase)}.")
            stream = itertools.chain.from_iterable(
                batcher(random.sample(chosen, len(chosen))) for _ in itertools.count()
            )
            while CLOCK.share < phase.get("until", 1.0):
                batch = list(next(stream))
                yield [with_noise(one, noise, replaceable) for one in batch] if replaceable else batch
                CLOCK.resume()
                CLOCK.steps += 1
                CLOCK.documents += len(batch)
                CLOCK.tokens += sum(len(one.predicted) for one in batch)
        CLOCK.pause()

    return batches


@spacy.registry.schedules("project.warmup_linear_by_time.v1")
def make_schedule(rate: float, warmup: float = 0.05, floor: float = 0.0) -> Iterator[float]:
    """Yield a learning rate that rises to its peak, then falls to zero as the budget is used up.

    rate (float): the peak.
    warmup (float): share of the budget in which it rises.
    floor (float): lowest rate, as a share of the peak.
    """
    while True:
        share = CLOCK.share
        yield rate * max(floor, min((share + 1e-3) / warmup if warmup else 1.0, (1.0 - share) / (1.0 - warmup), 1.0))


@spacy.registry.readers("project.corpus.v1")
def make_corpus(
    path: str,
    tokenizer: str | None = None,
    first_pieces: int | None = None,
    stretch: int | None = None,
    is_dev: bool = False,
    limit: int = 0,
) -> Callable[[Language], Iterable[Example]]:
    """Create a reader of documents with entities or categories, whole or in parts, for `[corpora.train]` and
    `[corpora.dev]`.

    path (str): a .spacy file.
    tokenizer (str | None): spiece.model or checkpoint, needed for `first_pieces`.
    first_pieces (int | None): yield only the beginning of each document. With `is_dev`, the entities after it are
        yielded too, on tokens that are blocked from predictions, so that they count as missed. Unit: pieces.
    stretch (int | None): in addition to the documents, yield parts of them of about this length. Unit: tokens.
    is_dev (bool): whether the clock of the budget is paused from when this corpus is read until the next batch.
    limit (int): maximum number of documents, spread over the file; 0 for all.
    """
    pieces = None if first_pieces is None or tokenizer is None else (load_tokenizer(tokenizer), first_pieces)
    kept: list[Example] = []

    def make(nlp: Language) -> Iterator[Example]:
        docs = list(DocBin().from_disk(path).get_docs(nlp.vocab))
        for doc in docs[:: math.ceil(len(docs) / limit) or 1 if limit else 1]:
            end = len(doc) if pieces is None else tokens_within(doc, *pieces)
            whole = doc_part(doc, 0, end)
            parts = stretches(whole, stretch) if stretch is not None else []
            for one in (whole, *(doc_part(whole, *part) for part in parts)):
                yield Example(plain(one), one)
            if is_dev and end < len(doc) and doc.has_annotation("ENT_IOB"):
                rest = doc_part(doc, end, len(doc))
                unread = plain(rest)
                unread.set_ents([], blocked=[unread[:]])
                yield Example(unread, rest)

    def read(nlp: Language) -> Iterable[Example]:
        if is_dev:
            CLOCK.pause()
            return make(nlp)
        # spaCy reads the corpus several times before training begins, and splitting it takes longer than all the rest.
        if not kept:
            kept.extend(make(nlp))
        return kept

    return read


def read_beginnings(
    path: str,
    tokenizer: str | None,
    first_pieces: int | None,
    limit: int,
    is_dev: bool,
    make_example: Callable[[Doc, int], Example],
) -> Callable[[Language], Iterator[Example]]:
    """Create a corpus of documents with questions, for the registered readers.

    path (str): a .spacy file.
    tokenizer (str | None): spiece.model or checkpoint, needed for `first_pieces`.
    first_pieces (int | None): yield only the beginning of each document. Unit: pieces.
    limit (int): maximum number of documents; 0 for all.
    is_dev (bool): whether the clock of the budget is paused from when this corpus is read until the next batch.
    make_example (Callable): creates an example from a document and the number of its tokens to keep.
    """
    pieces = None if first_pieces is None or tokenizer is None else (load_tokenizer(tokenizer), first_pieces)

    def read(nlp: Language) -> Iterator[Example]:
        if is_dev:
            CLOCK.pause()
        install_question_extensions()
        for doc in itertools.islice(DocBin().from_disk(path).get_docs(nlp.vocab), limit or None):
            yield make_example(doc, len(doc) if pieces is None else tokens_within(doc, *pieces))

    return read


@spacy.registry.readers("project.outside_budget.v1")
def make_outside_budget(corpus: Callable[[Language], Iterable[Example]]) -> Callable[[Language], Iterable[Example]]:
    """Wrap a corpus for `[corpora.dev]`, so that evaluating on it does not use up the budget.

    corpus (Callable): the corpus.
    """

    def read(nlp: Language) -> Iterable[Example]:
        CLOCK.pause()
        yield from corpus(nlp)

    return read


@spacy.registry.loggers("project.record.v1")
def make_logger(folder: str) -> Callable[..., tuple[Callable[[dict[str, Any] | None], None], Callable[[], None]]]:
    """Create a logger that prints scores, and writes them to `curve.jsonl` and facts of training to `training.json`.

    folder (str): the folder to write to.
    """

    def setup(nlp: Language, *streams: Any) -> tuple[Callable[[dict[str, Any] | None], None], Callable[[], None]]:
        Path(folder).mkdir(parents=True, exist_ok=True)
        curve: list[dict[str, Any]] = []
        start = time.monotonic()

        def log_step(info: dict[str, Any] | None) -> None:
            if info is None:
                return
            done = info["step"] - (curve[-1]["step"] if curve else -1)
            losses = {name: float(loss) / done for name, loss in info["losses"].items()}
            seconds = {"seconds": round(CLOCK.used, 1), "wall_seconds": round(time.monotonic() - start, 1)}
            curve.append({"step": info["step"], **seconds, "score": float(info["score"]), "losses": losses})
            shown = ", ".join(f"{name} {loss:.3g}" for name, loss in losses.items())
            print(f"{CLOCK.used:7.1f} s, step {info['step']:6}: score {info['score']:.3f}, {shown}", flush=True)
            srsly.write_jsonl(Path(folder) / "curve.jsonl", curve)

        def finalize() -> None:
            CLOCK.pause()
            wall = {"wall_seconds": round(time.monotonic() - start, 1)}
            srsly.write_json(Path(folder) / "training.json", {**CLOCK.facts(), **wall})

        return log_step, finalize

    return setup
