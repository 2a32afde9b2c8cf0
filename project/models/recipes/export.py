"""Export a run of `pretrain` or `learn_from_source` as a small checkpoint to share: weights in float16, config.json,
spiece.model, the log and facts about the run. It can be used as `name` in a config, and transformers can read it.
"""

import argparse
import gzip
import json
from collections.abc import Sequence
from pathlib import Path

from spacy_bigbird.model import BigBirdForMaskedLM
from spacy_bigbird.pretraining.log import LOG_NAME, read_log
from spacy_bigbird.tokenizer import BigBirdTokenizer

# Training on a task needs dropout, which was off in pre-training because every text was read about once. In the
# attention, it would only cost time.
DROPOUT = {"hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.0}


def export(runs: Sequence[Path], output: Path) -> dict[str, object]:
    """Write the checkpoint.

    runs (Sequence[Path]): outputs of `pretrain`, each of which continued the one before. The last has the weights.
    output (Path): folder of the model.
    RETURNS (dict[str, object]): facts about the run, also written as run.json.
    """
    model = BigBirdForMaskedLM.from_pretrained(runs[-1])
    model.config = model.bigbird.config = model.config.replace(**DROPOUT)
    parameters = sum(weight.numel() for weight in model.parameters())
    model.half().save_pretrained(output)
    BigBirdTokenizer.from_pretrained(runs[-1]).save_pretrained(output)
    lines = joined([read_log(run / LOG_NAME) for run in runs])
    # The time stamp is fixed, so that the same log results in the same file.
    with gzip.GzipFile(output / f"{LOG_NAME}.gz", "wb", mtime=0) as file:
        file.write("".join(json.dumps(line) + "\n" for line in lines).encode())
    facts = {"parameters": parameters, **facts_of(lines)}
    (output / "run.json").write_text(json.dumps(facts, indent=2) + "\n")
    return facts


def joined(logs: Sequence[list[dict]]) -> list[dict]:
    """RETURNS (list[dict]): the joined log of several runs, with consecutive step numbers."""
    lines, first = [], 0
    for log in logs:
        lines += [line | {"step": first + line["step"]} for line in log]
        first = lines[-1]["step"]
    return lines


def facts_of(lines: list[dict]) -> dict[str, object]:
    """Summarize a run.

    lines (list[dict]): the log.
    RETURNS (dict[str, object]): steps, pieces and last scores of the run.
    """
    training = [line for line in lines if line["kind"] == "train"]
    development = [line for line in lines if line["kind"] == "dev"]
    facts: dict[str, object] = {"steps": training[-1]["step"], "steps_by_length": {}}
    by_length: dict[str, int] = {}
    seconds, pieces, before = 0.0, 0.0, 0
    for line in training:
        steps = line["step"] - before
        by_length[str(line["length"])] = by_length.get(str(line["length"]), 0) + steps
        seconds += steps * line["seconds_per_step"]
        pieces += steps * line["seconds_per_step"] * line["pieces_per_second"]
        before = line["step"]
    facts |= {"steps_by_length": by_length, "pieces": round(pieces, -3), "hours": round(seconds / 3600, 2)}
    if development:
        names = ("step", "loss", "bits_per_character", "masked_accuracy")
        facts["development"] = {name: round(development[-1][name], 4) for name in names}
    return facts


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("runs", type=Path, nargs="+", help="outputs of such runs, each going on from the one before")
    options.add_argument("--output", type=Path, required=True)
    given = options.parse_args()
    print(json.dumps(export(given.runs, given.output), indent=2))
    sizes = {file.name: file.stat().st_size for file in sorted(given.output.iterdir()) if file.is_file()}
    print(f"{sum(sizes.values()) / 1e6:.2f} MB:", sizes)


if __name__ == "__main__":
    main()
