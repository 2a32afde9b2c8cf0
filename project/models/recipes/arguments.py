"""Checks of what the recipes are given on the command line."""

import argparse
from pathlib import Path


def require(options: argparse.ArgumentParser, *paths: Path) -> None:
    """End with a message about the first of these paths that does not exist, if there is one."""
    for path in paths:
        if not path.exists():
            options.error(f"{path} does not exist")
