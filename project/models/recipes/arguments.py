"""Paths that recipes are given on the command line."""

import argparse
from pathlib import Path


def add_paths(options: argparse.ArgumentParser, **paths: str) -> None:
    """Add arguments that are paths, by name, with what is said about each."""
    for name, about in paths.items():
        options.add_argument(name, type=Path, help=about)


def require(options: argparse.ArgumentParser, *paths: Path) -> None:
    """End with a message about the first of these paths that does not exist, if there is one."""
    for path in paths:
        if not path.exists():
            options.error(f"{path} does not exist")
