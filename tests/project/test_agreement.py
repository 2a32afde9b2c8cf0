"""The clauses of a real agreement, as the demonstration prints and shows them."""

import pytest

from project.demo import agreement, answers
from project.demo.reading import shortened, unwrapped


@pytest.fixture(scope="module")
def licence(tmp_path_factory):
    return agreement.find_clauses(tmp_path_factory.mktemp("pipeline"))


def test_clauses_are_printed_and_shown_with_their_evidence(licence, capsys):
    rows = agreement.best_evidence(licence)
    assert rows and all(0.0 < score <= 1.0 for _, score, _, _ in rows)
    assert [score for _, score, _, _ in rows] == sorted((score for _, score, _, _ in rows), reverse=True)
    agreement.print_clauses(licence)
    shown = capsys.readouterr().out
    section = agreement.clauses_section(licence)
    for label, score, span, _ in rows:
        assert label in shown and f"{score:.2f}" in shown and span.text.split()[0] in shown
        assert f"<td>{label}</td><td>{score:.2f}</td>" in section
    assert agreement.AGREEMENT_TITLE in section and section.count("<mark") >= len(rows)


def test_questions_are_answered_or_said_to_have_no_answer(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(answers, "QUESTIONS", [answers.QUESTIONS[0], answers.QUESTIONS[2]])
    doc = answers.answer_questions(tmp_path)
    found = [answer["text"] for answer in doc._.answers]
    assert found == ["fifty percent (50%)", ""]
    answers.print_answers(doc)
    assert "(no answer)" in capsys.readouterr().out
    section = answers.answers_section(doc)
    assert "<b>fifty percent (50%)</b>" in section and "ownership of" in section


def test_evidence_is_shortened_between_words():
    assert shortened("A party  may\nend this.", 12) == "A party may …"
    assert shortened("A party", 12) == "A party"


def test_lines_are_joined_to_paragraphs():
    assert unwrapped("  1. Grant of\n     rights.\n\n  2. Term \n") == "1. Grant of rights.\n\n2. Term "
