"""How a command ends that has failed, or was interrupted and can go on where it stopped."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from wasabi import msg

EXPECTED = (ImportError, OSError, RuntimeError, ValueError)


@contextmanager
def explained(failure: str, advice: str, expected: tuple[type[Exception], ...] = EXPECTED) -> Iterator[None]:
    """End the command with exit code 1 and an explanation if what is done here fails or is interrupted.

    failure (str): what is printed above the message of an error.
    advice (str): how to go on after an interruption.
    expected (tuple[type[Exception], ...]): errors whose message says enough; others keep their traceback.
    """
    try:
        yield
    except expected as error:
        msg.fail(failure)
        print(error)
        raise typer.Exit(1) from error
    except KeyboardInterrupt as error:
        msg.warn("Stopped", advice)
        raise typer.Exit(1) from error
