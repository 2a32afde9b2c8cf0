"""Processes for tests, forked from a server that has imported spaCy with all factories, which takes ten seconds.

A function starts there as in a new process: nothing was computed, and nothing comes from the process of the tests.
"""

import multiprocessing
import os
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

# In this order: the first one is to be the first.
PRELOADED = ["tests.first_import", "spacy.cli", "spacy_bigbird.cli.main", "spacy_bigbird.resume"]
METHOD = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"


def quick_context() -> Any:
    """RETURNS: a context of `multiprocessing` whose processes start at once, or as always where there is no fork."""
    context = multiprocessing.get_context(METHOD)
    if METHOD == "forkserver":
        context.set_forkserver_preload(PRELOADED)
    return context


def start(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function in a process of its own. RETURNS (Process): the process."""
    process = quick_context().Process(target=function, args=arguments)
    process.start()
    return process


def start_spacy(arguments: list[Any], printed: Path, folder: Path | None = None) -> Any:
    """Start `python -m spacy` with arguments. RETURNS (Process): the process."""
    return start(_spacy, [str(argument) for argument in arguments], printed, folder or Path.cwd())


def _spacy(arguments: list[str], printed: Path, folder: Path) -> None:
    from spacy.cli import setup_cli

    os.chdir(folder)
    sys.argv = ["spacy", *arguments]
    with printed.open("w", encoding="utf8", buffering=1) as out, redirect_stdout(out), redirect_stderr(out):
        setup_cli()
