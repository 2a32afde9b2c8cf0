"""What stands between the network and the routes: the size of bodies, security headers, numbers and logs."""

import json
import logging
import sys
import time
import uuid
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..errors import Errors
from .metrics import Metrics

LOGGER = logging.getLogger("spacy_bigbird.serve")
# The page loads nothing from elsewhere, runs no inline code and cannot be framed.
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class LimitBody:
    """Refuses requests with a body that is too long, also if they do not say beforehand how long it is.

    app (ASGIApp): the rest of the service.
    max_body (int): the limit. Unit: bytes.
    """

    def __init__(self, app: ASGIApp, max_body: int) -> None:
        self.app = app
        self.max_body = max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on. Arguments as in ASGI."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "0")
        size = int(announced) if announced.isdecimal() else 0

        async def limited() -> Message:
            nonlocal size
            if size > self.max_body:
                raise HTTPException(413, Errors.BB523.format(what="The body", limit=f"{self.max_body:,} bytes"))
            message = await receive()
            received[0] += len(message.get("body", b""))
            size = max(size, received[0])
            if size > self.max_body:
                raise HTTPException(413, Errors.BB523.format(what="The body", limit=f"{self.max_body:,} bytes"))
            return message

        received = [0]
        await self.app(scope, limited, send)


class Record:
    """Counts and logs every request, without its content, and sets the security headers.

    app (ASGIApp): the rest of the service.
    metrics (Metrics): where requests are counted.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on. Arguments as in ASGI."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begin = time.perf_counter()
        request_id = uuid.uuid4().hex[:16]
        # What a route adds to its line in the log: numbers, and the name of the pipeline.
        noted: dict[str, Any] = {}
        scope["bigbird_log"] = noted
        status = 500

        async def recorded(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self.app(scope, receive, recorded)
        finally:
            seconds = time.perf_counter() - begin
            # The route's own path, since paths that do not exist are without number.
            route = getattr(scope.get("route"), "path", "other")
            self.metrics.requests.labels(route, str(status)).inc()
            self.metrics.seconds.labels(route).observe(seconds)
            line = {"request": request_id, "method": scope["method"], "route": route, "status": status}
            LOGGER.info("request", extra={"fields": {**line, "seconds": round(seconds, 4), **noted}})


class JsonLines(logging.Formatter):
    """Writes a JSON object for each message."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a message. Argument as in `logging.Formatter`."""
        line: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[1] is not None:
            # Neither message nor values, which may hold what a document says.
            error = record.exc_info[1]
            places = []
            frame = error.__traceback__
            while frame is not None:
                places.append(f"{frame.tb_frame.f_code.co_filename}:{frame.tb_lineno}")
                frame = frame.tb_next
            line |= {"error": type(error).__name__, "trace": places}
        return json.dumps(line, ensure_ascii=False)


def set_up_logging() -> None:
    """Write all logs as JSON lines to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    for logger in (LOGGER, logging.getLogger("uvicorn")):
        logger.handlers[:] = [handler]
        logger.setLevel(logging.INFO)
        logger.propagate = False
