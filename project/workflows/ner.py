"""Entities in novels: LitBank (Bamman et al., NAACL 2019), innermost mentions of six types.

The converted form is JSON Lines with the novels' natural texts and the split of each document. The upstream form is the
repository: tokenized texts with brat annotations in `entities/brat`. Documents and splits are the same.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import spacy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.util import filter_spans

from spacy_bigbird.bakeoff.statistics import by_length, by_position, f_score, interval, precision, recall

from .library.corpus import PARTS, read_docs, split_ids, write_corpus, write_vocabulary
from .library.measuring import beginnings, stream
from .library.sources import Asset, find, read_archive, read_json_lines
from .library.systems import Settings
from .library.tasks import Paths, Task

LABELS = ("PER", "FAC", "LOC", "GPE", "VEH", "ORG")
VOCABULARY = 6000
QUARTERS = 4

Mention = tuple[int, int, str]


class Record(NamedTuple):
    """A document. mentions (list[Mention]): start character, end character and label of each mention, none nested."""

    name: str
    text: str
    mentions: list[Mention]
    part: str | None


def read(asset: Asset) -> Iterator[Record]:
    """Read the documents from either form."""
    if asset.is_converted:
        for row in read_json_lines(asset.path):
            yield Record(row["id"], row["text"], [tuple(m) for m in row["entities_inner"]], row["split"])
        return
    texts: dict[str, str] = {}
    annotations: dict[str, list[Mention]] = {}
    for name, content in read_archive(asset.path, "*entities/brat/*_brat.*"):
        stem = Path(name).name.rpartition("_brat.")[0]
        if name.endswith(".ann"):
            annotations[stem] = innermost(read_brat(content))
        else:
            texts[stem] = content
    for stem in sorted(texts):
        yield Record(stem, texts[stem], annotations[stem], None)


def read_brat(content: str) -> Iterator[Mention]:
    """Read the mentions of a brat annotation file, such as `T1<tab>PER 0 4<tab>Anna`."""
    for line in content.splitlines():
        match = re.match(r"T\d+\t(\w+) (\d+) (\d+)\t", line)
        if match:
            yield int(match[2]), int(match[3]), match[1]


def innermost(mentions: Iterable[Mention]) -> list[Mention]:
    """RETURNS (list[Mention]): the mentions that contain no other. Of two labels for a span, the first by name wins."""
    labels: dict[tuple[int, int], str] = {}
    for start, end, label in mentions:
        labels[start, end] = min(label, labels.get((start, end), label))
    return [
        (*span, label)
        for span, label in sorted(labels.items())
        if not any(span[0] <= o[0] and o[1] <= span[1] and o != span for o in labels)
    ]


def make_doc(nlp: Language, record: Record, lost: Counter[str] | None = None) -> Doc:
    """RETURNS (Doc): a document with entities. Those that do not match tokens are extended to all that they touch."""
    doc = nlp.make_doc(record.text)
    spans = [doc.char_span(*mention, alignment_mode="expand") for mention in record.mentions]
    kept = filter_spans([span for span in spans if span is not None])
    doc.ents = kept
    doc.user_data["id"] = record.name
    if lost is not None:
        lost["overlapping"] += len(spans) - len(kept)
    return doc


def preprocess(root: Path, settings: Settings) -> None:
    """Write the corpus. root (Path): the project's folder. settings (Settings): name the checkpoint."""
    records = list(read(find("litbank", root)))
    split = {record.name: record.part for record in records if record.part}
    split = split or split_ids(record.name for record in records)
    nlp, lost = spacy.blank("en"), Counter[str]()
    docs: dict[str, list[Doc]] = {part: [] for part in PARTS}
    for record in records:
        docs[split[record.name]].append(make_doc(nlp, record, lost))
    corpus = Paths(root, "ner").corpus
    write_vocabulary(corpus, [doc.text for doc in docs["train"]], VOCABULARY, settings)
    labels = Counter(ent.label_ for part in docs.values() for doc in part for ent in doc.ents)
    write_corpus(corpus, docs, split, {"mentions": dict(labels), "mentions_lost": dict(lost)})


def count(reference: Doc, found: Doc) -> np.ndarray:
    """Count correct, wrong and missed mentions. A mention is correct if its span and label are.

    reference (Doc): the document with gold mentions.
    found (Doc): the predictions of a system for the same text or its beginning.
    RETURNS (ndarray): the counts. Shape: (quarters of the reference, labels, 3).
    """
    gold, said = (
        {(e.start_char, e.end_char, e.label_): e.start for e in doc.ents if e.label_ in LABELS}
        for doc in (reference, found)
    )
    counts = np.zeros((QUARTERS, len(LABELS), 3))
    for kind, mentions in enumerate((gold.keys() & said.keys(), said.keys() - gold.keys(), gold.keys() - said.keys())):
        for mention in mentions:
            position = gold.get(mention, said.get(mention, 0))
            counts[position * QUARTERS // len(reference), LABELS.index(mention[2]), kind] += 1
    return counts


def measure(nlp: Language, corpus: Path, first_pieces: int | None) -> dict[str, Any]:
    """Compute the scores on the test documents; see `tasks.Task`."""
    references = read_docs(corpus / "test.spacy")
    found, facts = stream(nlp, beginnings(references, corpus / "spiece.model", first_pieces))
    counts = np.array([count(*pair) for pair in zip(references, found, strict=True)])
    by_label, of_documents = counts.sum(1), counts.sum((1, 2))
    scores = {"ents_f": f_score, "ents_p": precision, "ents_r": recall}
    return {
        "documents": len(references),
        "scores": {name: interval(of_documents, score) for name, score in scores.items()},
        "by_type": {
            label: {**interval(by_label[:, i], f_score), "mentions": int(by_label[:, i, [0, 2]].sum())}
            for i, label in enumerate(LABELS)
        },
        "by_length": by_length(of_documents, [len(doc) for doc in references], f_score),
        "by_position": by_position(counts.sum(2), f_score),
        "counts": of_documents.tolist(),
        **facts,
    }


TASKS = {
    "ner": Task(
        name="ner",
        title="Entities of novels (LitBank)",
        metric="ents_f",
        metric_name="F1",
        configs={"": "ner.cfg", "tok2vec": "ner_tok2vec.cfg"},
        preprocess=preprocess,
        measure=measure,
        knows_neighbours=True,
        about="100 excerpts of novels: 80 for training, 10 for development, 10 for testing. The entities are the "
        "innermost mentions of six types, common nouns as well as names.",
    )
}
