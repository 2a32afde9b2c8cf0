"""The routes by value: documents, files, questions, batches, limits, tokens, and what is logged."""

import json
import logging
import re

import pytest

from spacy_bigbird.serve.middleware import LOGGER, JsonLines

from ..files.sample_files import write_pdf
from .conftest import make_client

TEXT = "1. Parties\nAnna rents the 😀 garden. Boris pays."


def test_a_document(client):
    found = client.post("/v1/documents", json={"text": TEXT, "questions": ["Who?", "nothing?"]}).json()
    assert found["pipeline"] == "names" and found["characters"] == len(TEXT) and found["text"] is None
    assert [(e["text"], e["score"], TEXT[e["start"] : e["end"]]) for e in found["entities"]] == [
        ("Anna", 0.9, "Anna"),
        ("Boris", 0.6, "Boris"),
    ]
    assert [mark["text"] for mark in found["spans"]["clauses"]][-1] == "Boris pays."
    assert found["categories"] == {"LEASE": 0.75, "SALE": 0.25}
    answers = [(answer["question"], answer["text"], answer["start"]) for answer in found["answers"]]
    assert answers == [("Who?", "Anna", 11), ("nothing?", "", 0)]
    assert found["outline"] == [{"start": 0, "level": 2, "title": "1. Parties", "page": None}]
    assert client.post("/v1/documents", json={"text": TEXT, "questions": ["Who?"]}).json()["id"] == found["id"]


def test_a_file_with_pages(client, tmp_path):
    path = write_pdf(tmp_path / "lease.pdf", [["An index."], ["Anna signs."]])
    given = {"files": {"file": (path.name, path.read_bytes())}, "data": {"questions": ["Who?"], "pipeline": "names"}}
    found = client.post("/v1/documents", **given).json()
    assert found["text"] == "An index.\n\nAnna signs." and found["pages"] == [0, 11]
    assert found["answers"][0]["page"] == 2
    damaged = client.post("/v1/documents", files={"file": ("a.pdf", b"no")})
    assert damaged.status_code == 422 and "BB492" in damaged.json()["error"] and "a.pdf" in damaged.json()["error"]
    assert client.post("/v1/documents", files={"other": ("a.txt", b"no")}).status_code == 422


def test_questions_follow_by_the_id_of_a_document(client):
    key = client.post("/v1/documents", json={"text": TEXT}).json()["id"]
    found = client.post("/v1/ask", json={"document": key, "questions": ["Who?", "Who?", "nothing?"]}).json()
    assert [answer["text"] for answer in found["answers"]] == ["Anna", "Anna", ""] and found["id"] == key
    assert client.post("/v1/ask", json={"text": TEXT, "questions": ["Who?"]}).json()["id"] == key
    unknown = client.post("/v1/ask", json={"document": "0", "questions": ["Who?"]})
    assert unknown.status_code == 404 and "BB525" in unknown.json()["error"]
    for body in ({"questions": ["Who?"]}, {"questions": ["Who?"], "document": key, "text": TEXT}):
        assert client.post("/v1/ask", json=body).status_code == 422
    plain = client.post("/v1/ask", json={"text": TEXT, "questions": ["Who?"], "pipeline": "plain"})
    assert plain.status_code == 422 and "BB527" in plain.json()["error"]


def test_a_batch_is_answered_line_by_line(client):
    documents = [{"text": f"Anna {i}.", "id": i} for i in range(40)]
    documents[7]["text"] = "crash"
    for given in (
        {"json": {"documents": documents}},
        {"content": "\n".join(map(json.dumps, documents)), "headers": {"Content-Type": "application/x-ndjson"}},
    ):
        response = client.post("/v1/batch", **given)
        rows = [json.loads(line) for line in response.text.splitlines()]
        assert response.headers["content-type"] == "application/x-ndjson"
        assert [row["id"] for row in rows] == list(range(40))
        assert [i for i, row in enumerate(rows) if "error" in row] == [7] and "BB532" in rows[7]["error"]
        assert rows[39]["entities"][0]["text"] == "Anna"


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{", {}, 422),
        (b"[" * 100_000, {}, 422),
        (b"\xff", {}, 422),
        (b'{"text": 1}', {}, 422),
        (b'{"text": "a", "other": 1}', {}, 422),
        (b'{"text": "\\ud800"}', {}, 422),
        (b'{"text": "a", "questions": ["\\udfff"]}', {}, 422),
        (b'{"text": "a", "pipeline": "none"}', {}, 404),
        (b'{"text": "crash"}', {}, 500),
        (b"text=a", {"Content-Type": "text/plain"}, 415),
        (b"--", {"Content-Type": "multipart/form-data; boundary=x"}, 422),
        (b"", {"Content-Type": "multipart/form-data"}, 400),
        (b"", {"Content-Length": "99999999999"}, 413),
    ],
)
def test_bad_bodies(client, body, headers, status):
    response = client.post("/v1/documents", content=body, headers={"Content-Type": "application/json", **headers})
    assert response.status_code == status, response.text
    assert set(response.json()) == {"error"}
    assert client.post("/v1/documents", json={"text": "Anna"}).status_code == 200


def test_what_is_too_long_is_refused():
    with make_client(max_body=2000, max_characters=100) as client:
        assert client.post("/v1/documents", json={"text": "a" * 101}).status_code == 413
        assert client.post("/v1/documents", json={"text": "a" * 3000}).status_code == 413
        # Without a length, the body is counted as it comes.
        chunks = (b'{"text": "' + b"a" * 100 for _ in range(100))
        response = client.post("/v1/documents", content=chunks, headers={"Content-Type": "application/json"})
        assert response.status_code == 413 and "BB523" in response.json()["error"]
        rows = client.post("/v1/batch", json={"documents": [{"text": "a" * 101}, {"text": "Anna"}]}).text.splitlines()
        assert "BB523" in rows[0] and '"Anna"' in rows[1]


def test_a_token(client):
    with make_client(token="secret") as guarded:
        assert guarded.post("/v1/documents", json={"text": "Anna"}).status_code == 200
        for path in ("/v1/pipelines", "/metrics"):
            assert guarded.get(path).status_code == 200
            for wrong in ("", "Bearer wrong", "Basic secret", "Bearer é"):
                refused = guarded.get(path, headers={"Authorization": wrong.encode("latin1")})
                assert refused.status_code == 401 and "BB521" in refused.text
        for path in ("/health", "/", "/static/page.js"):
            assert guarded.get(path, headers={"Authorization": ""}).status_code == 200
    assert client.get("/health", headers={"Host": "evil.example"}).status_code == 400
    with make_client(host="0.0.0.0") as public:
        assert public.get("/health", headers={"Host": "reader.example"}).json() == {"status": "ok"}


def test_the_page_loads_nothing_from_elsewhere(client):
    response = client.get("/")
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
    assert response.headers["x-content-type-options"] == "nosniff"
    names = ["page.js", "api.js", "marks.js", "offsets.js", "viewer.js", "page.css", "icon.svg"]
    for text in [response.text, *(client.get(f"/static/{name}").text for name in names)]:
        assert not set(re.findall(r"https?://[\w.]+", text)) - {"http://www.w3.org"}
    assert "<script>" not in response.text and "style=" not in response.text
    assert client.get("/docs").status_code == 404
    assert client.get("/static/../app.py").status_code == 404


def test_numbers_and_logs_without_texts(client):
    lines = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(JsonLines().format(record))
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.INFO)
    try:
        client.post("/v1/documents", json={"text": "Anna signs.", "questions": ["Who?"]})
        client.post("/v1/documents", json={"text": "crash, secretly"})
        client.get("/v1/documents/secretly")
    finally:
        LOGGER.removeHandler(handler)
    rows = [json.loads(line) for line in lines]
    first = next(row for row in rows if row["event"] == "request")
    assert first["route"] == "/v1/documents" and first["status"] == 200 and first["pipeline"] == "names"
    assert first["pieces"] == 5 and first["characters"] == 11 and first["seconds"] >= 0
    assert any(row.get("error") == "RuntimeError" and row["trace"] for row in rows)
    assert not any(word in line for line in lines for word in ("Anna", "secret", "Who"))
    numbers = client.get("/metrics").text
    assert 'bigbird_requests_total{route="/v1/documents",status="200"} 1.0' in numbers
    assert 'bigbird_documents_total{pipeline="names"} 2.0' in numbers
    assert 'bigbird_requests_total{route="other",status="404"} 1.0' in numbers


def test_pipelines_and_description(client):
    names, plain = client.get("/v1/pipelines").json()
    assert names["name"] == "names" and names["answers"] and names["components"] == ["mark_names"]
    assert plain["name"] == "plain" and not plain["answers"]
    paths = client.get("/openapi.json").json()["paths"]
    assert set(paths) == {"/v1/documents", "/v1/ask", "/v1/batch", "/v1/pipelines", "/health", "/metrics"}
    body = paths["/v1/documents"]["post"]["requestBody"]["content"]
    assert set(body) == {"application/json", "multipart/form-data"}
    assert body["application/json"]["schema"]["properties"]["text"]["examples"]
