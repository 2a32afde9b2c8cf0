"""The first part of the demonstration: real documents, read by the pipelines that come with this repository."""

from pathlib import Path

from wasabi import msg

from .agreement import AGREEMENT_TITLE, clauses_section, find_clauses, print_clauses
from .answers import answer_questions, answers_section, print_answers
from .names import TITLE, find_names, names_section, print_names


def read_real_documents(pipelines: Path) -> list[tuple[str, str]]:
    """Read a licence and a chapter of a novel, print what is found, and save the pipelines that do it.

    pipelines (Path): folder for the folders of the pipelines: `clauses`, `questions` and `names`.
    RETURNS (list[tuple[str, str]]): title and HTML of each section of the report.
    """
    msg.divider(f"Clauses in {AGREEMENT_TITLE}")
    print_clauses(clauses := find_clauses(pipelines / "clauses"))
    msg.divider("Questions about it")
    print_answers(answers := answer_questions(pipelines / "questions"))
    msg.divider(f"Names in {TITLE}")
    print_names(names := find_names(pipelines / "names"))
    return [
        ("Clauses of a real agreement", clauses_section(clauses)),
        ("Questions about it", answers_section(answers)),
        ("Real names in real prose", names_section(names)),
    ]
