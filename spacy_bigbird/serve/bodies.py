"""Reads the bodies of requests: JSON, JSON lines, and forms with a file."""

import json
from typing import Any, TypeVar

from anyio import CapacityLimiter, to_thread
from pydantic import BaseModel, ValidationError
from starlette.datastructures import UploadFile
from starlette.requests import Request

from ..errors import Errors
from ..files import Document, UnreadableError, read
from .schemas import BatchDocument, BatchRequest, DocumentRequest
from .service import RefusedError

BodyT = TypeVar("BodyT", bound=BaseModel)
JSON_LINES = ("application/x-ndjson", "application/jsonl", "application/json-lines")


def media_type(request: Request) -> str:
    """Get the media type of a request's body.

    request (Request): the request.
    RETURNS (str): the type, without parameters.
    """
    return request.headers.get("content-type", "").split(";")[0].strip().lower()


async def json_body(request: Request, kind: type[BodyT]) -> BodyT:
    """Read and check a JSON body.

    request (Request): the request.
    kind (type[BodyT]): what it has to be.
    RETURNS (BodyT): the body.
    RAISES RefusedError: it is something else, or no JSON.
    """
    if media_type(request) != "application/json":
        raise RefusedError(415, Errors.BB528.format(given=media_type(request), expected="application/json"))
    return _validated(await request.body(), kind)


def _validated(data: bytes, kind: type[BodyT]) -> BodyT:
    try:
        # Python's reader, unlike pydantic's own, reads halves of surrogate pairs, which are then named.
        return kind.model_validate(json.loads(data))
    except ValidationError as error:
        raise RefusedError(422, Errors.BB529.format(reason=describe(error))) from error
    except (ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, ValueError) else "it is nested too deeply"
        raise RefusedError(422, Errors.BB529.format(reason=f"not JSON: {reason}")) from error


def describe(error: ValidationError) -> str:
    """Say what is wrong with a body, without what it says.

    error (ValidationError): what pydantic found.
    RETURNS (str): places and reasons.
    """
    found = [(".".join(map(str, one["loc"])), one["msg"]) for one in error.errors(include_input=False)[:5]]
    return "; ".join(f"{place or 'body'}: {message}" for place, message in found)


async def document_body(request: Request, limiter: CapacityLimiter) -> tuple[Document, DocumentRequest, bool]:
    """Read a document: JSON, or a form with a file.

    request (Request): the request.
    limiter (CapacityLimiter): how many files are read at the same time.
    RETURNS (tuple[Document, DocumentRequest, bool]): the document, what is asked for, and whether it is from a file.
    RAISES RefusedError: the body is neither, or the file cannot be read.
    """
    if media_type(request) != "multipart/form-data":
        asked = await json_body(request, DocumentRequest)
        return Document(asked.text), asked, False
    async with request.form(max_files=1, max_fields=200) as form:
        upload = form.get("file")
        if not isinstance(upload, UploadFile):
            raise RefusedError(422, Errors.BB529.format(reason="file: a form needs one file under this name"))
        content = await upload.read()
        name = (upload.filename or "file").replace("\\", "/").rsplit("/", 1)[-1]
        pipeline = form.get("pipeline") or None
        questions = [question for question in form.getlist("questions") if question]
    fields: dict[str, Any] = {"text": "", "pipeline": pipeline, "questions": questions}
    try:
        asked = DocumentRequest.model_validate(fields)
    except ValidationError as error:
        raise RefusedError(422, Errors.BB529.format(reason=describe(error))) from error
    try:
        document = await to_thread.run_sync(read, name, content, limiter=limiter, abandon_on_cancel=True)
    except UnreadableError as error:
        raise RefusedError(422, str(error)) from error
    except ImportError as error:
        raise RefusedError(501, str(error)) from error
    return document, asked, True


async def batch_body(request: Request) -> BatchRequest:
    """Read many documents: JSON, or JSON lines with a document each.

    request (Request): the request. With JSON lines, the pipeline is a parameter of the query.
    RETURNS (BatchRequest): the documents.
    RAISES RefusedError: the body is neither.
    """
    if media_type(request) not in JSON_LINES:
        return await json_body(request, BatchRequest)
    lines = [line for line in (await request.body()).split(b"\n") if line.strip()]
    documents = [_validated(line, BatchDocument) for line in lines]
    try:
        return BatchRequest(documents=documents, pipeline=request.query_params.get("pipeline"))
    except ValidationError as error:
        raise RefusedError(422, Errors.BB529.format(reason=describe(error))) from error
