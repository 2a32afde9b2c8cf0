"""`make demo`: finds clauses in a licence and names in a chapter of a novel, trains BigBird pipelines on made-up
contracts, tries them on held-out ones and writes a report."""

import argparse
import itertools
import shutil
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import spacy
import srsly
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from tqdm import tqdm
from wasabi import msg

from spacy_bigbird.tokenizer.train import train_vocabulary

from .contracts import FIRST_PART, write_contracts, write_extracts
from .corpus import as_doc, first_part, read_docs, save_docs
from .page import write_report
from .processes import Training, train_one_after_the_other, train_side_by_side
from .real import read_real_documents
from .scores import TARGETS, answers_by_question, evidence_score, folder_size, processor_seconds, record, score, stream
from .training import read_curve

# Maximum length of an extract and of a short contract, which separate the phases of training. Unit: tokens.
EXTRACT, SHORT = 340, 800
# One of this many contracts is used with questions in training, since each is read several times.
ASKED_EVERY = 4
# The learning rate would reach zero only after this multiple of all steps.
LEARN_ON = 1.02
# Number of contracts for evaluation during question training, since each is read eight times.
DEV_ASKED = 4


@dataclass
class Size:
    """The size of a demonstration: numbers of extracts and contracts, of extracts for questions, of held-out contracts
    with questions, and of pieces in the vocabulary; phases as in `training.py`."""

    extracts: int
    short: int
    middle: int
    long: int
    dev: int
    test: int
    questions: int
    asked: int
    vocabulary: int
    shared: list[dict[str, int]]
    answers: list[dict[str, int]]
    longest: int = 6000
    changes: dict[str, Any] = field(default_factory=dict)


SIZES = {
    "small": Size(
        extracts=2200,
        short=1300,
        middle=400,
        long=150,
        dev=24,
        test=40,
        questions=1200,
        asked=16,
        vocabulary=3000,
        shared=[
            {"longest": EXTRACT, "documents": 10, "batches": 240},
            # All lengths together, since what is learned must not depend on the length. No contract is used twice,
            # because even so small a model would know them by heart.
            {"shortest": EXTRACT, "documents": 3, "batches": 620},
            {"shortest": SHORT, "documents": 2, "batches": 141},
        ],
        answers=[
            {"longest": EXTRACT, "documents": 5, "batches": 210},
            {"shortest": EXTRACT, "documents": 2, "batches": 181},
        ],
    ),
    "tiny": Size(
        extracts=40,
        short=20,
        middle=4,
        long=4,
        dev=3,
        test=4,
        questions=40,
        asked=2,
        vocabulary=700,
        shared=[
            {"longest": EXTRACT, "documents": 8, "batches": 10},
            {"shortest": EXTRACT, "longest": SHORT, "documents": 2, "batches": 6},
            {"shortest": SHORT, "documents": 1, "batches": 5},
        ],
        answers=[{"longest": EXTRACT, "documents": 2, "batches": 11}],
        longest=2000,
        changes={"training.eval_frequency": 10},
    ),
}


@dataclass
class Paths:
    """The paths in the folder of the demonstration."""

    output: Path

    def corpus(self, name: str) -> Path:
        """RETURNS (Path): the file of a corpus."""
        return self.output / "corpus" / f"{name}.spacy"

    @property
    def vocabulary(self) -> Path:
        """The SentencePiece model."""
        return self.output / "corpus" / "spiece.model"

    def pipeline(self, name: str) -> Path:
        """RETURNS (Path): the folder of a trained pipeline."""
        return self.output / "pipelines" / name


def write_corpora(paths: Paths, size: Size, seed: int) -> None:
    """Write contracts for training, development and testing, and a vocabulary trained on the first."""
    nlp = spacy.blank("en")
    paths.corpus("train").parent.mkdir(parents=True, exist_ok=True)
    # These do not share any contracts.
    parts = {
        "train": [
            write_extracts(f"{seed}-extracts", size.extracts, facts=2, fillers=30, has_categories=True),
            write_contracts(f"{seed}-short", size.short, 300, 500),
            write_contracts(f"{seed}-middle", size.middle, 900, 1500),
            write_contracts(f"{seed}-long", size.long, 1500, size.longest),
        ],
        "questions": [write_extracts(f"{seed}-questions", size.questions, facts=4, fillers=120, has_categories=False)],
        "dev": [write_contracts(f"{seed}-dev", size.dev, 1500, size.longest)],
        "test": [write_contracts(f"{seed}-test", size.test, 1500, size.longest)],
    }
    docs: dict[str, list[Doc]] = {}
    with tqdm(desc="Writing contracts", unit=" texts") as bar:
        for name, groups in parts.items():
            docs[name] = []
            for contract in itertools.chain(*groups):
                docs[name].append(as_doc(nlp, contract))
                bar.update()
    for name in ("train", "dev", "test"):
        save_docs(paths.corpus(name), docs[name])
        save_docs(paths.corpus(f"{name}_first"), [first_part(doc) for doc in docs[name]])
    asked = docs["train"][size.extracts :: ASKED_EVERY]
    save_docs(paths.corpus("train_questions"), [*docs["questions"], *asked])
    save_docs(paths.corpus("dev_questions"), docs["dev"][:DEV_ASKED])
    # Words and punctuation are separated, so that no piece crosses the end of an entity. This BPE keeps frequent words
    # whole.
    learned = docs["train"][: size.extracts + size.short + size.middle]
    texts = (" ".join(token.text for token in doc) for doc in learned)
    paths.vocabulary.write_bytes(train_vocabulary(texts, size.vocabulary, model_type="bpe"))


def train_all(paths: Paths, size: Size, seed: int, side_by_side: bool = True) -> dict[str, list[dict[str, Any]]]:
    """Train the four systems and move them to `pipelines/`.

    RETURNS (dict[str, list[dict]]): the learning curve of each.
    """

    def training(name: str, suffix: str = "", description: str = "", **changes: Any) -> Training:
        files = {f"paths.{part}": str(paths.corpus(part + suffix)) for part in ("train", "dev")}
        overrides = {**files, "system.seed": seed, **size.changes, **changes}
        return Training(name, paths.output, overrides, description)

    def steps(phases: list[dict[str, int]]) -> dict[str, Any]:
        total = sum(phase["batches"] for phase in phases)
        return {"training.batcher.phases": phases, "training.max_steps": round(LEARN_ON * total)}

    vocabulary = {"paths.vocab_file": str(paths.vocabulary)}
    shared = training("shared", description="Entities and categories", **vocabulary, **steps(size.shared))
    tok2vec = training("tok2vec")
    encoder = {"paths.encoder": str(paths.pipeline("shared") / "bigbird")}
    answers = training("span_qa", "_questions", "Answers", **encoder, **steps(size.answers))
    beginnings = training("first_part", "_first", **vocabulary)
    train_pair = train_side_by_side if side_by_side else train_one_after_the_other
    for pair in ((shared, tok2vec), (answers, beginnings)):
        train_pair(*pair)
        for done in pair:
            shutil.copytree(done.folder / "model-best", paths.pipeline(done.name), dirs_exist_ok=True)
    return {done.name: read_curve(done.log) for done in (shared, tok2vec, answers, beginnings)}


def with_thresholds(nlp: Language, dev: list[Doc]) -> Language:
    """Choose the thresholds of the categories on the development contracts."""
    examples = [Example(nlp.make_doc(doc.text), doc) for doc in dev]
    nlp.get_pipe("bigbird_textcat_multilabel").tune_thresholds(examples, nlp=nlp)
    return nlp


def try_all(paths: Paths, size: Size) -> tuple[dict[str, dict[str, Any]], dict[str, list[Example]]]:
    """Run the four systems on the held-out contracts.

    RETURNS (tuple): scores by system, and the predictions of the BigBird pipelines.
    """
    dev, test = (list(read_docs(paths.corpus(name))) for name in ("dev", "test"))
    shared = with_thresholds(spacy.load(paths.pipeline("shared")), dev)
    shared.to_disk(paths.pipeline("shared"))
    beginnings = with_thresholds(spacy.load(paths.pipeline("first_part")), [first_part(doc) for doc in dev])
    beginnings.to_disk(paths.pipeline("first_part"))
    found: dict[str, list[Example]] = {}
    scores: dict[str, dict[str, Any]] = {}
    runs = [
        ("shared", shared, test, "BigBird: entities, categories", None),
        ("span_qa", spacy.load(paths.pipeline("span_qa")), test[: size.asked], "BigBird: answers", None),
        ("tok2vec", spacy.load(paths.pipeline("tok2vec")), test, "spaCy tok2vec", None),
        ("first_part", beginnings, test, f"First {FIRST_PART} tokens", FIRST_PART),
    ]
    for name, nlp, references, description, tokens in runs:
        start = time.monotonic()
        examples = stream(nlp, references, description, tokens)
        seconds = time.monotonic() - start
        scores[name] = {**score(nlp, examples), "seconds": seconds, "documents": len(examples)}
        found[name] = examples
    scores["shared"].update(evidence_score(found["shared"]))
    scores["span_qa"]["by_question"] = answers_by_question(found["span_qa"])
    return scores, found


def run(output: Path, size: Size, seed: int, side_by_side: bool = True) -> dict[str, Any]:
    """Run the whole demonstration.

    output (Path): folder for everything; an earlier demonstration in it is deleted.
    size (Size): size of the demonstration.
    seed (int): determines contracts and weights.
    side_by_side (bool): whether training runs use separate processes.
    RETURNS (dict[str, Any]): seed, seconds, scores and curve of each system, also written to `scores.json`.
    """
    start = time.monotonic()
    paths = Paths(output)
    for folder in ("corpus", "configs", "logs", "training", "pipelines"):
        shutil.rmtree(output / folder, ignore_errors=True)
    real = read_real_documents(output / "pipelines")
    msg.divider("Training on long contracts")
    write_corpora(paths, size, seed)
    curves = train_all(paths, size, seed, side_by_side)
    scores, found = try_all(paths, size)
    seconds = {"seconds": time.monotonic() - start, "processor_seconds": processor_seconds()}
    results = {"seed": seed, **seconds, "scores": scores, "curves": curves}
    write_report(output / "report.html", results, found, list(read_docs(paths.corpus("train"))), real)
    srsly.write_json(output / "scores.json", results)
    return results


def print_summary(output: Path, results: dict[str, Any]) -> None:
    """Print what was done, the scores, and the location of the results."""
    scores = results["scores"]
    columns = {
        "Entities F1": "ents_f",
        "Categories AUC": "cats_macro_auc",
        "Categories F1": "cats_macro_f",
        "Answers F1": "qa_f1",
    }
    systems = {
        "BigBird": {**scores["span_qa"], **scores["shared"]},
        "spaCy tok2vec": scores["tok2vec"],
        f"BigBird, first {FIRST_PART} tokens": scores["first_part"],
        "(aim for BigBird)": TARGETS,
    }
    rows = [
        (name, *("-" if found.get(key) is None else f"{found[key]:.2f}" for key in columns.values()))
        for name, found in systems.items()
    ]
    msg.divider("Held-out contracts")
    msg.table(rows, header=("", *columns), divider=True, aligns=("l", "r", "r", "r", "r"))
    print("The contracts are made up by a generator: the numbers show what is learned, not how real contracts fare.")
    size = folder_size(output / "pipelines")
    msg.good(f"Done in {results['seconds'] / 60:.1f} minutes (seed {results['seed']}).")
    print(f"  Report:     {output / 'report.html'}")
    print(f"  Scores:     {output / 'scores.json'}")
    print(f"  Pipelines:  {output / 'pipelines'} ({size:.0f} MB), for spacy.load")
    print(f"  Configs:    {output / 'configs'}, logs: {output / 'logs'}, corpus: {output / 'corpus'}")


def main() -> None:
    """Parse the arguments and run the demonstration."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="decides contracts and weights")
    parser.add_argument(
        "--size", choices=sorted(SIZES), default="small", help="tiny is for a quick look at the machinery"
    )
    parser.add_argument("--output", type=Path, default=Path("demo_output"), help="folder for everything")
    parser.add_argument("--record", type=Path, help="JSON file of several seeds that gets this one's scores too")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    results = run(arguments.output, SIZES[arguments.size], arguments.seed)
    print_summary(arguments.output, results)
    if arguments.record:
        record(arguments.record, arguments.size, results)


if __name__ == "__main__":
    main()
