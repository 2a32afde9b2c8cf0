"""What every script does when it is run from the command line."""

import sys
from collections.abc import Callable

import typer
from wasabi import msg


def run(main: Callable[..., None]) -> None:
    """Run a script. A file that an earlier step should have written is named in one line, without a traceback.

    main (Callable[..., None]): the script's function, with typer's options.
    """
    try:
        typer.run(main)
    except FileNotFoundError as error:
        msg.fail(str(error))
        sys.exit(1)
