"""Options that many commands have."""

from pathlib import Path
from typing import Annotated

import typer

CodePath = Annotated[
    Path | None, typer.Option("--code", "-c", help="Python file with registered functions to be imported")
]
GpuId = Annotated[int, typer.Option("--gpu-id", "-g", help="GPU ID or -1 for CPU")]
