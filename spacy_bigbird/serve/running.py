"""Starts the service with uvicorn."""

import os

from .middleware import set_up_logging
from .settings import ENVIRONMENT_VARIABLE, ServiceSettings


def run(settings: ServiceSettings, port: int, workers: int = 1) -> None:
    """Serve until a signal comes. Then no new requests are taken, and those that run are finished.

    settings (ServiceSettings): what to serve.
    port (int): port to listen on.
    workers (int): number of processes, each with pipelines, queues and kept documents of its own.
    RAISES OSError: a pipeline cannot be loaded.
    RAISES ValueError: the GPU cannot be used.
    """
    import uvicorn

    from .app import create_app

    set_up_logging()
    os.environ[ENVIRONMENT_VARIABLE] = settings.model_dump_json()
    # Several processes each load the pipelines; a single one can say here what is wrong with them.
    app = create_app(settings) if workers == 1 else "spacy_bigbird.serve.app:from_environment"
    uvicorn.run(
        app,
        factory=workers > 1,
        host=settings.host,
        port=port,
        workers=workers,
        # Logs were set up here, or are by the application in each process.
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=int(settings.time_limit) + 1,
    )
