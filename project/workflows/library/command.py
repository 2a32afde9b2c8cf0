"""Runs a script from the command line."""

import sys
from collections.abc import Callable

import typer
from wasabi import msg

from spacy_bigbird.check.plot import check_can_plot


def run(main: Callable[..., None]) -> None:
    """Run a script. A missing package, or file of an earlier step is reported in one line, without a traceback.

    main (Callable[..., None]): the script's function, with its typer options.
    """
    try:
        # A workflow draws charts at its end: what is missing for that is said before its first step.
        check_can_plot()
        typer.run(main)
    except (FileNotFoundError, ModuleNotFoundError) as error:
        msg.fail(str(error))
        sys.exit(1)
