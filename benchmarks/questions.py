"""What many questions about one contract cost, compared with a single one: read together with it, or joined above,
and what one more costs if the contract has been kept.

The contract is one of CUAD's test part, cut to a number of spaCy tokens, and the questions are those of its annotators.
Both are read from the folder named by SPACY_BIGBIRD_DATA. Cases are run in turns.

    python benchmarks/questions.py --threads 1 --repeats 3 --json questions.json
"""

import json
import lzma
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import common
import spacy
import torch

HEAD = "bigbird_span_qa"
MODEL = Path(__file__).parents[1] / "project" / "models" / "small"
TOGETHER = "together"
ONE_MORE = "1 more"


def contract(folder: Path, tokens: int) -> str:
    """Find the first contract of the test part that is long enough. RETURNS (str): its beginning."""
    nlp = spacy.blank("en")
    with lzma.open(folder / "cuad" / "cuad_contracts.jsonl.xz", "rt", encoding="utf8") as lines:
        for record in map(json.loads, lines):
            if record["split"] == "test" and len(record["text"]) > 4 * tokens:
                doc = nlp.make_doc(record["text"])
                if len(doc) >= tokens:
                    return doc[:tokens].text
    raise SystemExit(f"No contract of the test part has {tokens:,} tokens: choose a lower --tokens.")


def questions(folder: Path) -> list[str]:
    """RETURNS (list[str]): CUAD's questions, one for each type of clause."""
    content = json.loads((folder / "cuad" / "cuad_categories.json").read_text(encoding="utf8"))
    return [category["question"] for category in content]


def component(model: Path, join_layer: int | None) -> Any:
    """RETURNS (SpanQA): a component with the model's weights, in which time does not depend on what it has learned."""
    nlp = spacy.blank("en")
    pipe: Any = nlp.add_pipe(HEAD, config={"model": {"name": str(model), "join_layer": join_layer}})
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"\[BW050\]")
        pipe.model.initialize()
    return pipe


def main() -> None:
    options = common.parser(__doc__, repeats=3)
    options.add_argument("--model", type=Path, default=MODEL, help="folder of an encoder")
    options.add_argument("--tokens", type=int, default=8000, help="length of the contract, in spaCy tokens")
    options.add_argument("--join-layers", type=int, nargs="+", default=[1, 3, 5])
    given = options.parse_args()
    torch.set_num_threads(given.threads)
    folder = common.data_dir()
    doc, asked = spacy.blank("en").make_doc(contract(folder, given.tokens)), questions(folder)
    pipes = {TOGETHER: component(given.model, None)}
    pipes |= {f"join_layer = {layer}": component(given.model, layer) for layer in given.join_layers}
    # All of the questions together with the contract are not measured: each costs the same.
    cases: dict[tuple[str, int | str], Any] = {
        (name, 1): partial(pipe.ask, doc, asked[:1]) for name, pipe in pipes.items()
    }
    cases |= {(name, len(asked)): partial(pipe.ask, doc, asked) for name, pipe in pipes.items() if name != TOGETHER}
    for layer in given.join_layers:
        keeping = component(given.model, layer)
        keeping.keep_documents(2**30)
        # The round that warms up reads the contract.
        cases[f"join_layer = {layer}", ONE_MORE] = partial(keeping.ask, doc, asked[1:2])
    timings = common.interleaved(cases, given.repeats, on_round=lambda number: print(f"round {number}", flush=True))
    rows = [
        {
            "case": name,
            "questions": number,
            "seconds": timing.median,
            "x one": timings[name, 1].times_faster_than(timing),
            "x one together": timings[TOGETHER, 1].times_faster_than(timing),
            "spread": timing.spread,
        }
        for (name, number), timing in timings.items()
    ]
    pieces = len(pipes[TOGETHER].shim.tokenizer.text_pieces([doc.text])[0])
    note = f"A contract of {len(doc):,} tokens, {pieces:,} pieces. x one: the cost of one question in the same way; "
    note += "x one together: of one read together with the contract"
    columns = ["case", "questions", "seconds", "x one", "x one together", "spread"]
    common.report(
        f"{len(asked)} questions about one contract", given, columns, rows, lambda axes: draw(axes, rows), [note]
    )


def draw(axes: Any, rows: list[dict[str, Any]]) -> None:
    many = [row for row in rows if row["questions"] not in (1, ONE_MORE)]
    bars = axes.bar([row["case"] for row in many], [row["x one together"] for row in many])
    axes.bar_label(bars, fmt="{:.1f}")
    axes.set_ylabel("cost, in questions read together with the contract")


if __name__ == "__main__":
    main()
