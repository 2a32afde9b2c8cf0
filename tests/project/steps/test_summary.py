"""The summary of all tasks: what it takes from comparisons and workflows, and the tables that are made of it."""

from pathlib import Path

import pytest
import srsly

from project.workflows.steps import summary as steps

PROJECT = Path(steps.__file__).parents[2]
# Numbers that JSON keeps as they are.
ENTRY = {
    "metric": "cats_micro_f",
    "score": 0.75,
    "low": 0.625,
    "high": 0.875,
    "seeds": [0, 1],
    "seconds": 9.5,
    "command": "c",
}


def write_report(folder, **scores):
    systems = {name: {**ENTRY, "score": score, "scores": [score], "by_length": []} for name, score in scores.items()}
    folder.mkdir(parents=True)
    srsly.write_json(folder / "report.json", {"metric": "cats_micro_f", "systems": systems})


def test_comparisons_replace_what_was_known_and_workflows_are_as_they_are(tmp_path):
    root = tmp_path / "project"
    (root / "results").mkdir(parents=True)
    known = {"topics": {"whole": ENTRY}, "clauses": {"whole": ENTRY}, "litbank": {"whole": ENTRY}}
    srsly.write_json(root / "results" / "summary.json", known)
    write_report(tmp_path / "bakeoff" / "clauses", whole=0.5, tfidf=0.25)
    found = steps.summarize(root, tmp_path / "bakeoff")
    assert found["topics"] == {"whole": ENTRY}
    assert {name: entry["score"] for name, entry in found["clauses"].items()} == {"whole": 0.5, "tfidf": 0.25}
    repeated = "TASK=clauses sh project/models/recipe.sh labels --systems tfidf --seeds 0,1"
    assert found["clauses"]["tfidf"] == {**ENTRY, "score": 0.25, "command": repeated}
    # There are no results of workflows in this folder.
    assert "litbank" not in found
    clause_present = {"micro_f": 0.625, "low": 0.5, "high": 0.75, "macro_f": 0.25}
    (root / "models" / "small" / "contracts").mkdir(parents=True)
    srsly.write_json(root / "models" / "small" / "contracts" / "scores.json", {"clause_present": clause_present})
    clauses = steps.summarize(root, None)["clauses"]["whole"]
    assert (clauses["score"], clauses["low"], clauses["high"]) == (0.625, 0.5, 0.75)
    assert steps.table(found).splitlines()[-2:] == [
        "| Which of 41 clauses a contract has (CUAD), micro F1 (2 seeds) | 0.500 [0.625, 0.875] | – | – | "
        "– | 0.250 [0.625, 0.875] | – |",
        "| What an encyclopedia article is about (14 subjects), accuracy (2 seeds) | 0.750 [0.625, 0.875] | – | – | "
        "– | – | – |",
    ]


def test_what_is_here_is_what_the_results_say():
    stored = srsly.read_json(PROJECT / "results" / "summary.json")
    computed = steps.summarize(PROJECT, None)
    assert stored.keys() == computed.keys()
    for name, systems in computed.items():
        for system, entry in systems.items():
            assert stored[name][system]["score"] == pytest.approx(entry["score"], abs=1e-4), (name, system)
            assert set(entry) == set(steps.KEYS)
    document = (PROJECT.parent / "docs" / "measured.md").read_text(encoding="utf8")
    assert document.partition(steps.START)[2].partition(steps.END)[0].strip() == steps.table(stored).strip()


def test_only_what_stands_between_the_markers_changes(tmp_path):
    path = tmp_path / "page.md"
    path.write_text(f"before\n{steps.START}\nold\n{steps.END}\nafter\n", encoding="utf8")
    assert steps.fill_in(path, "| new |")
    assert path.read_text(encoding="utf8") == f"before\n{steps.START}\n| new |\n{steps.END}\nafter\n"
    path.write_text("no markers", encoding="utf8")
    assert not steps.fill_in(path, "x") and path.read_text(encoding="utf8") == "no markers"
