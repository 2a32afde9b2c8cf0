"""Runs pipelines on test documents, and measures speed and memory."""

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc

from .machines import peak_memory
from .parts import doc_part, load_tokenizer, tokens_within


def beginnings(docs: Iterable[Doc], vocabulary: Path, pieces: int | None) -> list[Doc]:
    """RETURNS (list[Doc]): the beginnings of documents; the documents themselves if `pieces` is None."""
    if pieces is None:
        return list(docs)
    tokenizer = load_tokenizer(vocabulary)
    return [doc_part(doc, 0, tokens_within(doc, tokenizer, pieces)) for doc in docs]


def stream(
    nlp: Language, docs: Sequence[Doc], prepare: Callable[[Doc, Doc], None] | None = None
) -> tuple[list[Doc], dict[str, Any]]:
    """Run a pipeline on documents, of which it receives only the tokens.

    nlp (Language): the pipeline.
    docs (Sequence[Doc]): documents with annotation, which the pipeline must not see.
    prepare (Callable[[Doc, Doc], None] | None): copies to the first document what the pipeline may see of the second.
    RETURNS (tuple[list[Doc], dict[str, Any]]): the processed documents, and `speed` and `memory`. Speed is in spaCy's
        tokens per second of CPU time and per second of wall time, excluding tokenization; memory is that of the
        process.
    """
    plain = [Doc(nlp.vocab, [t.text for t in doc], [bool(t.whitespace_) for t in doc]) for doc in docs]
    if prepare is not None:
        for one, doc in zip(plain, docs, strict=True):
            prepare(one, doc)
    tokens, memory = sum(map(len, plain)), peak_memory()
    start, cpu_start = time.monotonic(), time.process_time()
    found = []
    for doc in nlp.pipe(plain):
        # The vectors of long documents would fill the memory.
        doc.tensor = doc.tensor[:0]
        if Doc.has_extension("trf_data"):
            doc._.trf_data = None
        found.append(doc)
    cpu, wall = time.process_time() - cpu_start, time.monotonic() - start
    return found, {"speed": speed(tokens, cpu, wall), "memory": {"before_mb": memory, "peak_mb": peak_memory()}}


def speed(tokens: int, cpu: float, wall: float) -> dict[str, Any]:
    """RETURNS (dict[str, Any]): the speed, as in the results. cpu, wall (float): elapsed time. Unit: seconds."""
    return {
        "tokens": tokens,
        "cpu_seconds": round(cpu, 3),
        "wall_seconds": round(wall, 3),
        "tokens_per_cpu_second": round(tokens / max(cpu, 1e-9)),
        "tokens_per_wall_second": round(tokens / max(wall, 1e-9)),
    }
