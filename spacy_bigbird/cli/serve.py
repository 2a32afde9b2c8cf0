"""`python -m spacy bigbird serve`: a service with a page, for pipelines."""

from typing import Annotated

import typer
from wasabi import msg

from ..errors import Errors
from ..warnings import Warnings
from .app import app
from .options import GpuId


@app.command("serve")
def serve_cli(
    pipelines: Annotated[list[str], typer.Argument(help="Pipelines: folders or packages, or NAME=PIPELINE")],
    port: Annotated[int, typer.Option("-p", "--port", help="Port to listen on", min=1, max=65535)] = 8000,
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 to be reachable from other machines")
    ] = "127.0.0.1",
    token: Annotated[
        str | None, typer.Option(help="Token that clients must send", envvar="SPACY_BIGBIRD_TOKEN")
    ] = None,
    workers: Annotated[int, typer.Option(help="Processes, each with pipelines of its own", min=1)] = 1,
    max_batch_pieces: Annotated[int, typer.Option(help="Pieces that are computed at once")] = 16384,
    max_wait: Annotated[float, typer.Option(help="Seconds that a request waits for others to join it")] = 0.005,
    max_waiting: Annotated[int, typer.Option(help="Requests that may wait; more get status 429")] = 64,
    max_characters: Annotated[int, typer.Option(help="Longest document; a longer one gets status 413")] = 2_000_000,
    max_megabytes: Annotated[int, typer.Option(help="Longest body of a request; a longer one gets status 413")] = 32,
    time_limit: Annotated[float, typer.Option(help="Seconds for a request; after that, it gets status 504")] = 120.0,
    kept_characters: Annotated[
        int,
        typer.Option(help="Keep documents and results for further questions up to this total length; 0 to keep none"),
    ] = 50_000_000,
    kept_megabytes: Annotated[
        int,
        typer.Option(help="Keep states of documents for pipelines with join_layer, up to this size; 0 to keep none"),
    ] = 512,
    use_gpu: GpuId = -1,
) -> None:
    """Serve pipelines over HTTP, with a page to read documents in a browser.

    Only this machine can reach the service, unless --host says otherwise. Logs are JSON lines without texts.
    """
    try:
        import prometheus_client  # noqa: F401
        import python_multipart  # noqa: F401
        import uvicorn  # noqa: F401
        from pydantic import ValidationError

        from ..serve.bodies import describe
        from ..serve.running import run
        from ..serve.settings import ServiceSettings
    except ModuleNotFoundError as error:
        msg.fail(Errors.BB534.format(package=error.name), exits=1)
    try:
        settings = ServiceSettings(
            pipelines=pipelines,  # type: ignore[arg-type]  # named by the validator
            host=host,
            token=token,
            max_batch_pieces=max_batch_pieces,
            max_wait=max_wait,
            max_waiting=max_waiting,
            max_characters=max_characters,
            max_body=max_megabytes * 1024**2,
            time_limit=time_limit,
            kept_characters=kept_characters,
            kept_megabytes=kept_megabytes,
            gpu_id=use_gpu,
        )
    except ValidationError as error:
        msg.fail(Errors.BB535.format(reason=describe(error)), exits=1)
    if not settings.is_local and token is None:
        msg.warn(Warnings.BW520.format(host=host))
    try:
        run(settings, port, workers)
    except (OSError, ValueError) as error:
        msg.fail(str(error), exits=1)
