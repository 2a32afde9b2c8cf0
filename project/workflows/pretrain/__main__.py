"""Steps that only this workflow has: check the texts, and export the encoder."""

import shutil
from pathlib import Path
from typing import Annotated

import srsly
import typer
from wasabi import msg

from spacy_bigbird.cli.train_vocab import report_on
from spacy_bigbird.model import BigBirdModel

from ..library.options import Seed, System
from ..library.tasks import Paths

app = typer.Typer(help=__doc__, no_args_is_help=True)
CHECKPOINT_FILES = ("config.json", "model.safetensors", "spiece.model")


@app.command("check")
def check(root: Annotated[Path, typer.Option(help="The project's folder")] = Path()) -> None:
    """Check the texts, and how the vocabulary segments those that are not trained on."""
    corpus = Paths(root.resolve(), "pretrain").corpus
    for part, facts in srsly.read_json(corpus / "split.json")["facts"].items():
        msg.text(f"{part}: {facts['documents']:,} articles, {facts['characters']:,} characters")
    texts = [row["text"] for row in srsly.read_jsonl(corpus / "dev.jsonl")]
    report_on((corpus / "spiece.model").read_bytes(), texts, len(texts)).show(corpus)


@app.command("export")
def export(
    output: Annotated[Path, typer.Argument(help="Folder to write")],
    system: System = "bigbird",
    seed: Seed = 0,
    root: Annotated[Path, typer.Option(help="The project's folder")] = Path(),
) -> None:
    """Export only the checkpoint: a folder for `name` of the encoder in a config, which transformers reads too."""
    folder = Paths(root.resolve(), "pretrain").training(system, seed) / "pipeline"
    output.mkdir(parents=True, exist_ok=True)
    for name in CHECKPOINT_FILES:
        shutil.copyfile(folder / name, output / name)
    model = BigBirdModel.from_pretrained(output)
    weights = sum(weight.numel() for weight in model.parameters())
    msg.good(f"{output}: an encoder of {weights:,} weights for {model.config.max_position_embeddings:,} pieces")


if __name__ == "__main__":
    app()
