"""Runs a script from the command line."""

import sys
from collections.abc import Callable

import typer
from wasabi import msg


def run(main: Callable[..., None]) -> None:
    """Run a script. A missing file of an earlier step is reported in one line, without a traceback.

    main (Callable[..., None]): the script's function, with its typer options.
    """
    try:
        typer.run(main)
    except FileNotFoundError as error:
        msg.fail(str(error))
        sys.exit(1)
