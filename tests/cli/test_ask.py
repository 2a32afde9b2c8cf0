"""`spacy bigbird ask`: answers on the terminal, as a page and as JSON lines."""

import json
import re

import pytest
import spacy
from spacy.cli import app
from thinc.util import has_gpu
from typer.testing import CliRunner

import spacy_bigbird.cli.main  # noqa: F401  the command registers itself
from spacy_bigbird.cli.ask import ask, render_page
from spacy_bigbird.pipeline.queries.span_qa import SpanQA
from tests.files.sample_files import write_pdf
from tests.processes import start_spacy
from tests.toy_questions import TEXT, make_nlp


@pytest.fixture(scope="module")
def model(vocab_file, tmp_path_factory):
    path = tmp_path_factory.mktemp("model")
    nlp = make_nlp(vocab_file)
    nlp.get_pipe("bigbird_span_qa").set(null_threshold=1e9)
    nlp.to_disk(path)
    return path


@pytest.fixture
def files(tmp_path):
    (tmp_path / "texts" / "inner").mkdir(parents=True)
    (tmp_path / "texts" / "b.txt").write_text(TEXT, encoding="utf8")
    (tmp_path / "texts" / "inner" / "c.txt").write_text("", encoding="utf8")
    (tmp_path / "a & <b>.md").write_bytes("The état <b>agrees</b>.\r\n\r\nThe river.".encode())
    return [tmp_path / "a & <b>.md", tmp_path / "texts"]


def run(*arguments):
    return CliRunner().invoke(app, ["bigbird", "ask", *map(str, arguments)])


def test_answers_with_surroundings_on_the_terminal(model, files):
    result = run(model, files[1] / "b.txt", "-q", "Who agrees?", "-q", "Where?", "-s", 20)
    assert result.exit_code == 0, result.output
    plain = re.sub(r"\x1b\[[0-9;]*m", "", result.output)
    assert plain.count("b.txt") == 2
    assert "Who agrees?" in plain
    (start, end), *_ = re.findall(r"characters (\d+)-(\d+)", plain)
    before = TEXT[max(0, int(start) - 20) : int(start)]
    assert before + TEXT[int(start) : int(end)] in plain


def test_json_lines_and_page(model, files, tmp_path):
    questions = tmp_path / "questions.txt"
    questions.write_text("What flows?\n\nWho <i>agrees</i>?\n", encoding="utf8")
    page, lines = tmp_path / "page.html", tmp_path / "answers.jsonl"
    result = run(model, *files, "--questions", questions, "--html", page, "--jsonl", lines)
    assert result.exit_code == 0, result.output
    rows = [json.loads(line) for line in lines.read_text(encoding="utf8").splitlines()]
    assert [row["question"] for row in rows] == ["What flows?", "Who <i>agrees</i>?"] * 3
    for row in rows:
        with open(row["file"], encoding="utf8", newline="") as file:
            assert file.read()[row["start_char"] : row["end_char"]] == row["text"]
    assert [row["text"] for row in rows[4:]] == ["", ""], "the empty file has no answers"
    text = page.read_text(encoding="utf8")
    assert text.count("<mark>") == 4
    assert text.count("<i>no answer</i>") == 2
    assert "a &amp; &lt;b&gt;.md" in text
    assert "Who &lt;i&gt;agrees&lt;/i&gt;?" in text
    assert "<b>agrees" not in text
    to_terminal = run(model, files[0], "-q", "What flows?", "--jsonl", "-")
    assert json.loads(to_terminal.stdout)["question"] == "What flows?"


def test_documents_beyond_the_limit_of_spacy_are_read(vocab_file, tmp_path):
    nlp = make_nlp(vocab_file)
    nlp.max_length = 100
    (tmp_path / "long.txt").write_text(TEXT, encoding="utf8")
    (row,) = ask(nlp, [tmp_path / "long.txt"], ["Who?"])
    assert row["context"] == TEXT and nlp.max_length == 100
    assert "long.txt" in render_page([row], 10)


def test_answers_say_their_page(model, tmp_path):
    write_pdf(tmp_path / "a.pdf", [["An index."], ["The court held that both parties agree."]])
    (tmp_path / "damaged.docx").write_bytes(b"no")
    page = tmp_path / "page.html"
    asked = (model, tmp_path, "-q", "Who agrees?")
    result = run(*asked, "--jsonl", "-", "--html", page)
    (row,) = [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]
    assert row["page"] == (1 if row["start_char"] < len("An index.") else 2) and row["text"]
    assert f"page {row['page']}</span>" in page.read_text(encoding="utf8")
    assert result.exit_code == 1 and "BB492" in result.stderr and "damaged.docx" in result.stderr
    assert f"page {row['page']}  characters" in re.sub(r"\x1b\[[0-9;]*m", "", run(*asked).output)


def test_settings_of_the_answers(model, files):
    asked = (model, files[1] / "b.txt", "-q", "Who agrees?", "--jsonl", "-")
    (short,) = [json.loads(run(*asked, "--max-answer-length", 1).stdout)]
    doc = spacy.blank("en")(TEXT)
    assert len(doc.char_span(short["start_char"], short["end_char"])) == 1
    assert json.loads(run(*asked, "--null-threshold", -1e9).stdout)["text"] == ""
    assert json.loads(run(*asked).stdout)["text"] != ""
    result = run(*asked, "--max-answer-length", 0)
    assert result.exit_code == 1 and "max_answer_length = 0" in result.output


def test_errors_say_what_to_do(model, files, tmp_path):
    (tmp_path / "latin.txt").write_bytes("état".encode("latin1"))
    (tmp_path / "empty").mkdir()
    for arguments, code in [
        ((model, files[0]), "BB316"),
        ((model, tmp_path / "nowhere.txt", "-q", "Who?"), "BB494"),
        ((model, tmp_path / "empty", "-q", "Who?"), "BB494"),
        ((model, tmp_path / "latin.txt", "-q", "Who?"), "BB495"),
        ((tmp_path / "no_model", files[0], "-q", "Who?"), "E050"),
        ((model, files[0], "--questions", tmp_path / "nope.txt"), "BB320"),
        ((model, files[0], "--questions", tmp_path / "latin.txt"), "BB320"),
        ((model, files[0], "--questions", tmp_path), "BB320"),
    ]:
        result = run(*arguments)
        assert result.exit_code == 1
        assert code in result.output and isinstance(result.exception, SystemExit)
    with pytest.raises(ValueError, match=r"BB495.*latin\.txt.*not UTF-8"):
        list(ask(spacy.load(model), [tmp_path / "latin.txt"], ["Who?"]))


def test_a_file_that_cannot_be_read_leaves_the_answers_about_the_others(model, files, tmp_path):
    (tmp_path / "latin.txt").write_bytes("état".encode("latin1"))
    page, lines = tmp_path / "new" / "folder" / "page.html", tmp_path / "other" / "answers.jsonl"
    given = (model, files[0], tmp_path / "latin.txt", files[1] / "b.txt", "-q", "Who?")
    result = run(*given, "--html", page, "--jsonl", lines)
    assert result.exit_code == 1 and result.stderr.count("BB495") == 2 and "latin.txt" in result.stderr
    rows = [json.loads(line) for line in lines.read_text(encoding="utf8").splitlines()]
    assert [row["file"] for row in rows] == [str(files[0]), str(files[1] / "b.txt")]
    assert page.read_text(encoding="utf8").count("<h2>") == 2 and "Wrote 2 answers to" in result.output
    to_terminal = run(*given, "--jsonl", "-")
    assert [json.loads(line) for line in to_terminal.stdout.splitlines()] == rows


def test_a_missing_file_leaves_the_answers_about_the_others(model, files, tmp_path):
    (tmp_path / "empty").mkdir()
    given = (tmp_path / "nowhere.txt", files[1] / "b.txt", tmp_path / "empty", files[0])
    result = run(model, *given, "-q", "Who?", "--jsonl", "-")
    assert [json.loads(line)["file"] for line in result.stdout.splitlines()] == [str(given[1]), str(given[3])]
    assert result.exit_code == 1
    # Said at once, and again at the end, where it can be seen.
    _, end = result.stderr.split("2 without answers:")
    for part in (result.stderr, end):
        assert "nowhere.txt" in part and "empty" in part and part.count("BB494") >= 2
    alone = run(tmp_path / "no_model", tmp_path / "nowhere.txt", "-q", "Who?")
    assert alone.exit_code == 1 and "BB494" in alone.stderr


def test_a_file_that_cannot_be_processed_leaves_the_others(model, files, monkeypatch):
    def ask_but_not_the_river(self, doc, questions, **settings):
        if "river" in doc.text and "court" not in doc.text:
            raise ValueError("[BBxxx] no river")
        return ask_for_real(self, doc, questions, **settings)

    ask_for_real = SpanQA.ask
    monkeypatch.setattr(SpanQA, "ask", ask_but_not_the_river)
    result = run(model, *files, "-q", "Who?", "--jsonl", "-")
    assert result.exit_code == 1 and f"{files[0]}: [BBxxx] no river" in result.stderr
    assert len(result.stdout.splitlines()) == 2


def test_a_blank_question_is_named(model, files):
    result = run(model, files[0], "-q", "Who?", "-q", " ")
    assert result.exit_code == 1 and "[BB665] Question 2 is blank" in result.output


def test_lines_are_written_as_the_answers_come(model, files, tmp_path, monkeypatch):
    lines, seen = tmp_path / "answers.jsonl", []

    def two_answers(*_, **__):
        for number in range(2):
            seen.append(lines.read_text(encoding="utf8").splitlines())
            yield {"question": str(number), "context": ""}
        raise ValueError("the third")

    monkeypatch.setattr("spacy_bigbird.cli.ask.ask", two_answers)
    result = run(model, files[0], "-q", "Who?", "--jsonl", lines)
    assert seen == [[], ['{"question": "0"}']] and lines.read_text(encoding="utf8").count("\n") == 2
    assert result.exit_code == 1 and "the third" in result.output and "Wrote 2 answers to" in result.output


def test_places_that_cannot_be_written_are_told_before_any_work(model, files, tmp_path):
    for option, place in [("--jsonl", tmp_path), ("--html", tmp_path), ("--html", files[0] / "page.html")]:
        result = run(tmp_path / "no_model", files[0], "-q", "Who?", option, place)
        assert result.exit_code == 1 and "BB319" in result.output and isinstance(result.exception, SystemExit)
    before = tmp_path / "before.jsonl"
    before.write_text("old", encoding="utf8")
    result = run(tmp_path / "no_model", files[0], "-q", "Who?", "--jsonl", before, "--html", tmp_path / "no.html")
    assert result.exit_code == 1 and "E050" in result.output
    assert before.read_text(encoding="utf8") == "old" and not (tmp_path / "no.html").exists()


def test_byte_order_marks_are_no_part_of_text_and_questions(model, tmp_path):
    (tmp_path / "bom.txt").write_text("\ufeff" + TEXT, encoding="utf8")
    (tmp_path / "questions.txt").write_text("\ufeffWho?\n", encoding="utf8")
    result = run(model, tmp_path / "bom.txt", "--questions", tmp_path / "questions.txt", "--jsonl", "-")
    row = json.loads(result.stdout)
    assert row["question"] == "Who?" and row["text"] == TEXT[row["start_char"] : row["end_char"]] != ""
    (row,) = ask(spacy.load(model), [tmp_path / "bom.txt"], ["Who?"])
    assert row["context"] == TEXT


@pytest.mark.skipif(has_gpu, reason="the GPU that is there is used")
def test_a_gpu_that_is_not_there(model, files):
    result = run(model, files[0], "-q", "Who?", "-g", 0)
    assert result.exit_code == 1 and "BB321" in result.output and isinstance(result.exception, SystemExit)


def test_the_real_command_line_shows_the_command(tmp_path):
    process = start_spacy(["bigbird", "ask", "--help"], tmp_path / "printed")
    process.join(120)
    assert process.exitcode == 0 and "--jsonl" in (tmp_path / "printed").read_text()
