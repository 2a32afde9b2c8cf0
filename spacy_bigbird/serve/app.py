"""The routes of the service."""

import asyncio
import json
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files as package_files
from typing import Annotated, Any

import anyio
from fastapi import Depends, FastAPI
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse, StreamingResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import Response

from .. import __version__
from ..errors import Errors
from ..files import Document
from .batching import BusyError, StoppedError
from .bodies import batch_body, document_body, json_body
from .engine import Engine
from .metrics import Metrics
from .middleware import LOGGER, LimitBody, Record, set_up_logging
from .schemas import (
    AskRequest,
    AskResult,
    BatchDocument,
    BatchRequest,
    DocumentRequest,
    DocumentResult,
    ErrorResult,
    PipelineResult,
)
from .service import RefusedError, Served, Service
from .settings import ENVIRONMENT_VARIABLE, LOCAL_HOSTS, ServiceSettings

DESCRIPTION = "Reads long documents: entities, spans, categories, and answers to questions."
READERS_OF_FILES = 2
BATCH_AT_ONCE = 16
REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorResult, "description": description}
    for status, description in {
        400: "The form cannot be read",
        401: "The token is missing or wrong",
        404: "There is no such pipeline or document",
        413: "Too long",
        415: "Another kind of body is expected",
        422: "The body is not as expected, or the file cannot be read",
        429: "Too many requests wait; Retry-After says when to try again",
        501: "A package that reads such files is not installed",
        503: "The service is stopping",
        504: "It took too long",
    }.items()
}
FORM = {
    "type": "object",
    "required": ["file"],
    "properties": {
        "file": {"type": "string", "format": "binary", "description": ".txt, .md, .html, .pdf, .docx or .epub"},
        "pipeline": {"type": "string"},
        "questions": {"type": "array", "items": {"type": "string"}},
    },
}


def _content(kind: type[BaseModel], **others: Any) -> dict[str, Any]:
    """Describe a body that the route reads by itself."""
    schema = kind.model_json_schema()
    schema = _without_references(schema, schema.pop("$defs", {}))
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}, **others}}}


def _without_references(schema: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(schema, dict):
        if "$ref" in schema:
            return _without_references(definitions[schema["$ref"].rsplit("/", 1)[-1]], definitions)
        return {key: _without_references(value, definitions) for key, value in schema.items()}
    return [_without_references(one, definitions) for one in schema] if isinstance(schema, list) else schema


def create_app(settings: ServiceSettings, engines: dict[str, Engine] | None = None) -> FastAPI:
    """Create the service.

    settings (ServiceSettings): what it serves, and its limits.
    engines (dict[str, Engine] | None): the pipelines by name; None to load those of the settings.
    RETURNS (FastAPI): the ASGI application.
    RAISES ValueError: a pipeline cannot be loaded, or the GPU cannot be used.
    """
    if engines is None:
        engines = {name: Engine.load(place, settings.gpu_id) for name, place in settings.pipelines.items()}
    metrics = Metrics()
    state: dict[str, Any] = {"status": "starting"}
    limiters: dict[str, anyio.CapacityLimiter] = {}

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        service = state["service"] = Service(engines, settings, metrics)
        limiters["files"] = anyio.CapacityLimiter(READERS_OF_FILES)
        service.start()
        state["status"] = "ok"
        LOGGER.info("started", extra={"fields": {"pipelines": list(engines)}})
        yield
        state["status"] = "stopping"
        await service.stop()
        LOGGER.info("stopped")

    # The pages that FastAPI makes of the description load scripts from elsewhere.
    app = FastAPI(
        title="spacy-bigbird",
        description=DESCRIPTION,
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    bearer = HTTPBearer(auto_error=False, description="Needed if the service was started with a token")

    def allowed(credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]) -> None:
        if settings.token is not None:
            given = credentials.credentials if credentials else ""
            if not secrets.compare_digest(given.encode(), settings.token.encode()):
                raise HTTPException(401, Errors.BB521, {"WWW-Authenticate": "Bearer"})

    guarded: dict[str, Any] = {"dependencies": [Depends(allowed)], "responses": REFUSALS}

    def chosen(request: Request, name: str | None) -> tuple[Service, Served]:
        service: Service = state["service"]
        served = service.choose(name)
        request.scope["bigbird_log"]["pipeline"] = served.name
        return service, served

    @app.post(
        "/v1/documents",
        response_model=DocumentResult,
        openapi_extra=_content(DocumentRequest, **{"multipart/form-data": {"schema": FORM}}),
        **guarded,
    )
    async def read_document(request: Request) -> Any:
        """Read a document: entities, spans, categories, outline, and answers to questions."""
        with anyio.fail_after(settings.time_limit):
            document, asked, is_file = await document_body(request, limiters["files"])
            service, served = chosen(request, asked.pipeline)
            found = await service.read(served, document, asked.questions)
        request.scope["bigbird_log"].update(characters=found["characters"], pieces=found["pieces"])
        # Validated once more, this would take longer than many a pipeline.
        return JSONResponse({**found, "text": document.text if is_file else None})

    @app.post("/v1/ask", response_model=AskResult, openapi_extra=_content(AskRequest), **guarded)
    async def ask(request: Request) -> Any:
        """Ask questions about a document that was sent before, or about a new text."""
        with anyio.fail_after(settings.time_limit):
            asked = await json_body(request, AskRequest)
            service, served = chosen(request, asked.pipeline)
            found = await service.ask(served, asked.document, asked.text, asked.questions)
        request.scope["bigbird_log"]["questions"] = len(asked.questions)
        return JSONResponse(found)

    lines = {"application/x-ndjson": {"schema": {"type": "string"}}}
    streamed: dict[int | str, dict[str, Any]] = {
        200: {"description": "A line for each document, in their order", "content": lines}
    }

    @app.post(
        "/v1/batch",
        response_class=StreamingResponse,
        openapi_extra=_content(BatchRequest, **lines),
        dependencies=guarded["dependencies"],
        responses={**REFUSALS, **streamed},
    )
    async def read_batch(request: Request) -> Any:
        """Read many documents. A line of JSON for each is sent as soon as it is there; the queue is waited for."""
        with anyio.fail_after(settings.time_limit):
            asked = await batch_body(request)
        service, served = chosen(request, asked.pipeline)
        request.scope["bigbird_log"]["documents"] = len(asked.documents)
        return StreamingResponse(_stream(service, served, asked, settings), media_type="application/x-ndjson")

    @app.get(
        "/v1/pipelines",
        response_model=list[PipelineResult],
        dependencies=guarded["dependencies"],
        responses={401: REFUSALS[401]},
    )
    def pipelines() -> Any:
        """List the pipelines; the first is the default."""
        return [{"name": name, **engine.description()} for name, engine in engines.items()]

    @app.get("/health")
    def health() -> Any:
        """Say whether the service takes requests."""
        return JSONResponse({"status": state["status"]}, 200 if state["status"] == "ok" else 503)

    @app.get(
        "/metrics",
        response_class=PlainTextResponse,
        dependencies=guarded["dependencies"],
        responses={401: REFUSALS[401]},
    )
    def numbers() -> Response:
        """Numbers for Prometheus."""
        return Response(metrics.text(), media_type="text/plain; version=0.0.4")

    page = package_files(__package__) / "page"

    @app.get("/", include_in_schema=False)
    def index() -> Response:
        return FileResponse(str(page / "index.html"))

    app.mount("/static", StaticFiles(directory=str(page)), name="static")
    _add_refusals(app)
    app.add_middleware(LimitBody, max_body=settings.max_body)
    if settings.is_local:
        # A page elsewhere could point a name of its own at this machine, and then read what is here.
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=[*LOCAL_HOSTS, "[::1]", "testserver"])
    app.add_middleware(Record, metrics=metrics)
    return app


async def _stream(
    service: Service, served: Served, asked: BatchRequest, settings: ServiceSettings
) -> AsyncIterator[bytes]:
    """Read some documents at once, and yield a line for each in their order."""

    async def one(document: BatchDocument) -> dict[str, Any]:
        try:
            with anyio.fail_after(settings.time_limit):
                found = await service.read(served, Document(document.text), document.questions, is_patient=True)
        except RefusedError as error:
            found = {"error": str(error)}
        except TimeoutError:
            found = {"error": Errors.BB530.format(limit=f"{settings.time_limit:g} seconds")}
        except StoppedError:
            found = {"error": Errors.BB531}
        except Exception as error:
            LOGGER.error("failed", exc_info=error)
            found = {"error": Errors.BB532}
        return found if document.id is None else {**found, "id": document.id}

    waiting: list[asyncio.Task[dict[str, Any]]] = []
    remaining = iter(asked.documents)
    try:
        while True:
            while len(waiting) < BATCH_AT_ONCE and (document := next(remaining, None)) is not None:
                waiting.append(asyncio.create_task(one(document)))
            if not waiting:
                break
            yield (json.dumps(await waiting.pop(0), ensure_ascii=False) + "\n").encode()
    finally:
        # The client is gone: nobody needs the rest.
        for task in waiting:
            task.cancel()


def _add_refusals(app: FastAPI) -> None:
    """Answer whatever goes wrong with a JSON object that says what it is."""

    def answered(status: int, message: str, headers: Any = None) -> JSONResponse:
        return JSONResponse({"error": message}, status, headers)

    @app.exception_handler(RefusedError)
    async def refused(_: Request, error: RefusedError) -> Response:
        return answered(error.status, str(error))

    @app.exception_handler(HTTPException)
    async def http_error(_: Request, error: HTTPException) -> Response:
        return answered(error.status_code, str(error.detail), error.headers)

    @app.exception_handler(BusyError)
    async def busy(_: Request, error: BusyError) -> Response:
        message = Errors.BB522.format(seconds=error.retry_after)
        return answered(429, message, {"Retry-After": str(error.retry_after)})

    @app.exception_handler(StoppedError)
    async def stopped(_: Request, error: StoppedError) -> Response:
        return answered(503, Errors.BB531)

    @app.exception_handler(TimeoutError)
    async def late(request: Request, error: TimeoutError) -> Response:
        return answered(504, Errors.BB530.format(limit="this service allows"))

    @app.exception_handler(Exception)
    async def failed(_: Request, error: Exception) -> Response:
        LOGGER.error("failed", exc_info=error)
        return answered(500, Errors.BB532)


def from_environment() -> FastAPI:
    """Create the service in a process that uvicorn or gunicorn started, with the settings of its environment.

    RETURNS (FastAPI): the ASGI application.
    """
    set_up_logging()
    return create_app(ServiceSettings.model_validate_json(os.environ[ENVIRONMENT_VARIABLE]))
