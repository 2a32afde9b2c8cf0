"""`python -m spacy bigbird apply`: applies a pipeline to millions of documents, on one machine or on a Ray cluster."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from wasabi import msg

from ..check.terminal import counted
from .app import app
from .ending import explained
from .options import CodePath, GpuId
from .preparation import set_up_gpu

# The command ended as it should, but some documents failed.
SOME_FAILED = 3
GIGABYTE = 1024**3


@app.command("apply")
def apply_cli(
    model: Annotated[str, typer.Argument(help="Pipeline: a folder or a package")],
    inputs: Annotated[
        list[str], typer.Argument(help=".txt, .jsonl, .spacy or .parquet files (.gz, .xz, .zst), folders or patterns")
    ],
    output: Annotated[Path, typer.Argument(help="Folder for the results: new, empty, or that of a stopped run")],
    format: Annotated[str, typer.Option("-f", "--format", help="jsonl, spacy or parquet")] = "jsonl",
    questions: Annotated[Path | None, typer.Option(help="File with one question per line, asked everywhere")] = None,
    vectors: Annotated[bool, typer.Option("--vectors", help="Write a vector of each document")] = False,
    text: Annotated[bool, typer.Option("--text", help="Write the texts too")] = False,
    text_field: Annotated[str, typer.Option(help="Field of JSON lines and Parquet with the text")] = "text",
    one_per_line: Annotated[bool, typer.Option("--one-per-line", help="A line of a .txt file is a document")] = False,
    engine: Annotated[str, typer.Option("-e", "--engine", help="local or ray")] = "local",
    workers: Annotated[int, typer.Option("-w", "--workers", help="Number of processes")] = 1,
    threads: Annotated[
        int | None, typer.Option(help="Threads of each worker; the cores are shared out if unset")
    ] = None,
    address: Annotated[
        str | None, typer.Option(help="Address of the Ray cluster; a local one is started if unset")
    ] = None,
    gpus_per_worker: Annotated[float, typer.Option(help="GPUs of each Ray worker; a fraction to share one")] = 0.0,
    shard_pieces: Annotated[int, typer.Option(help="Maximum pieces of an output file")] = 100_000,
    batch_pieces: Annotated[int, typer.Option(help="Maximum pieces of a batch of documents")] = 32_768,
    max_length: Annotated[int, typer.Option(help="Documents with more characters count as failed")] = 1_000_000,
    is_dry: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done, and how long")] = False,
    code_path: CodePath = None,
    use_gpu: GpuId = -1,
) -> None:
    """Apply a pipeline to any number of documents, each exactly once.

    Entities, spans, categories, answers and scores are written to one file for each shard of the inputs, the same bytes
    whatever the number of workers. Run the same command again after an interruption: it goes on where it stopped. Bad
    records are listed in failures.jsonl; the exit code is then 3.
    """
    from ..apply.annotate import Settings
    from ..apply.engines import make_engine
    from ..apply.inputs import read_questions_file
    from ..apply.run import apply, dry_run

    with explained("Stopped", "Run the same command again to go on where it stopped."):
        settings = Settings(
            format=format,
            questions=tuple(read_questions_file(questions)) if questions else (),
            vectors=vectors,
            text=text,
            text_field=text_field,
            one_per_line=one_per_line,
            shard_pieces=shard_pieces,
            batch_pieces=batch_pieces,
            max_length=max_length,
        )
        chosen = make_engine(engine, workers, threads, address, gpus_per_worker)
        gpu = 0 if gpus_per_worker else use_gpu
        if engine == "local":
            set_up_gpu(use_gpu)
        given: dict[str, Any] = {"settings": settings, "engine": chosen, "code": code_path, "threads": threads}
        given.update(gpu=gpu, show_progress=True)
        if is_dry:
            print_plan(dry_run(model, inputs, output, **given))
            return
        result = apply(model, inputs, output, on_plan=print_plan, **given)
    written = counted(result["documents"] - result["failed"], "documents")
    msg.good(f"{output} has {written} in {counted(result['results'], 'files')}")
    if result["failed"]:
        msg.warn(f"{counted(result['failed'], 'documents')} failed", f"The reasons are in {output / 'failures.jsonl'}.")
        raise typer.Exit(SOME_FAILED)


def print_plan(plan: dict[str, Any]) -> None:
    """Print what will be done."""
    shown = {
        "Files": f"{plan['files']:,} ({plan['bytes'] / GIGABYTE:.2f} GB)",
        "Documents": f"{plan['documents']:,}",
        "Pieces, about": f"{plan['pieces']:,}",
        "Largest document": f"{plan['largest_document']:,} pieces",
        "Shards": f"{plan['shards']:,}" + (f", {plan['done']:,} of them done already" if plan["done"] else ""),
        "Workers": f"{plan['workers']:,}",
        "Memory of each": f"about {plan['memory_per_worker'] / GIGABYTE:.1f} GB",
    }
    if plan["ignored_files"]:
        shown["Ignored"] = f"{counted(plan['ignored_files'], 'files')} of other kinds"
    if "seconds" in plan:
        shown["Speed of each"] = f"{plan['pieces_per_second']:,.0f} pieces per second on this machine"
        shown["Time, about"] = str(timedelta(seconds=round(plan["seconds"])))
    msg.table(shown, aligns=("l", "l"))
