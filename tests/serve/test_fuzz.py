"""Bodies of every kind: the service refuses them or answers, as its description says, and never fails."""

import json
import random

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from .conftest import make_client

NUMBER, NUMBER_IF_SLOW = 200, 10_000
VALUES = [None, True, 0, -1, 1e400, 2**70, "", "Anna", "\ud800", "\0", "😀" * 9, [], {}, [[]], ["Who?"], {"text": "a"}]
KEYS = ["text", "questions", "pipeline", "document", "documents", "id", "other"]
TYPES = [
    "application/json",
    "application/x-ndjson",
    "multipart/form-data; boundary=b",
    "text/plain",
    "",
    "a/b; charset=x",
]


def fuzzed_body(rng: random.Random) -> bytes:
    """JSON with wrong types and depths, damaged JSON, forms, and noise."""
    kind = rng.randrange(5)
    value = {rng.choice(KEYS): rng.choice(VALUES) for _ in range(rng.randrange(4))}
    if kind == 1:
        value = {"documents": [value, rng.choice(VALUES)]}
    if rng.random() < 0.3:
        value = {"text": rng.choice(VALUES[6:11])}
    data = json.dumps(value).encode()
    if kind == 2:
        data = data[: rng.randrange(len(data) + 1)] + rng.randbytes(rng.randrange(4))
    if kind == 3:
        name = rng.choice(["a.txt", "a.pdf", "a.docx", "a.epub", "a.html", "../../x", ""])
        field = rng.choice(["file", "pipeline", "questions"])
        head = f'--b\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n\r\n'
        data = head.encode() + rng.randbytes(rng.randrange(60)) + rng.choice([b"\r\n--b--\r\n", b"", b"\r\n--b"])
    return rng.randbytes(rng.randrange(80)) if kind == 4 else data


def fuzz(number: int) -> dict[int, int]:
    rng = random.Random(0)
    statuses: dict[int, int] = {}
    with make_client() as client:
        for _ in range(number):
            path = rng.choice(["/v1/documents", "/v1/documents", "/v1/ask", "/v1/batch"])
            body, kind = fuzzed_body(rng), rng.choice(TYPES)
            response = client.post(path, content=body, headers={"Content-Type": kind} if kind else {})
            assert response.status_code < 500, (path, kind, body, response.text)
            if response.status_code >= 400:
                assert set(response.json()) == {"error"}, (path, kind, body)
            statuses[response.status_code] = statuses.get(response.status_code, 0) + 1
        assert client.get("/health").json() == {"status": "ok"}
    return statuses


def test_no_body_makes_the_service_fail():
    statuses = fuzz(NUMBER)
    assert {200, 415, 422} <= set(statuses), statuses


@pytest.mark.slow
def test_ten_thousand_bodies():
    assert sum(fuzz(NUMBER_IF_SLOW).values()) == NUMBER_IF_SLOW


@settings(max_examples=20, suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate])
@given(data=st.data())
def test_the_service_is_as_its_description_says(described, data):
    """Requests and responses of every route follow the OpenAPI description."""
    schema, client, checks = described
    operation = data.draw(st.sampled_from([found.ok() for found in schema.get_all_operations()]))
    case = data.draw(operation.as_strategy())
    response = case.call(session=client)
    assert response.status_code < 500, response.text
    case.validate_response(response, checks=checks)


@pytest.fixture(scope="module")
def described():
    # Takes seconds to import, in every process that collects tests.
    import schemathesis
    from schemathesis.specs.openapi import checks

    checked = [checks.content_type_conformance, checks.response_schema_conformance, checks.status_code_conformance]
    with make_client() as client:
        yield schemathesis.openapi.from_asgi("/openapi.json", client.app), client, checked
