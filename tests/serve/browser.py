"""A real browser on the page of a running service, and a contract to read."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

CHROMIUM = os.environ.get("SPACY_BIGBIRD_CHROMIUM")
CLAUSES = [
    "{n}.1 Anna rents the garden by the mill to Boris for a term of two years, which begins on the first of May.",
    "{n}.2 Boris pays a rent of 900 a month. If Clara asks for it, the parties agree on another sum in writing.",
    "{n}.3 Either party may end this agreement with a notice of three months. Anna 😀 keeps the keys.",
]
TITLES = ["Definitions", "Term", "Rent", "Termination", "Governing Law", "Notices"]


def contract(characters: int) -> str:
    """A contract of at least so many characters."""
    parts, size = ["LEASE AGREEMENT\n"], 0
    number = 0
    while size < characters:
        number += 1
        section = [f"{number}. {TITLES[number % len(TITLES)]}", *(clause.format(n=number) for clause in CLAUSES)]
        parts.append("\n\n".join(section))
        size += len(parts[-1]) + 2
    return "\n\n".join(parts)


@contextmanager
def running(app) -> Iterator[str]:
    """Serve an application, and give its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started and thread.is_alive():
        thread.join(0.02)
    try:
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.should_exit = True
        thread.join()
