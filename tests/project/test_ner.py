"""Entities of novels, from the asset to the scores, on three documents in the true format of each form."""

import itertools
import tarfile

import pytest
import spacy
import srsly

from project.workflows import ner
from project.workflows.library import sources
from project.workflows.library.corpus import read_docs, split_ids
from project.workflows.library.options import make_settings
from project.workflows.steps import evaluate, report, train

from .stand_ins import NOVELS, copy_project, write_litbank_converted, write_litbank_upstream

EXPECTED = {
    "PER": {"Anna Karenina", "Her brother"},
    "FAC": {"the old house", "the harbour"},
    "GPE": {"Moscow", "France"},
    "VEH": {"ship"},
    "LOC": {"the forest"},
}


def mentions_of(docs):
    found = {}
    for doc in docs:
        for ent in doc.ents:
            found.setdefault(ent.label_, set()).add(ent.text)
    return found


@pytest.mark.parametrize("form", ["converted", "upstream"])
def test_both_forms_give_the_innermost_mentions(form, tmp_path, monkeypatch):
    monkeypatch.delenv(sources.VARIABLE, raising=False)
    if form == "converted":
        monkeypatch.setenv(sources.VARIABLE, str(tmp_path / "data"))
        write_litbank_converted(tmp_path / "data")
    else:
        write_litbank_upstream(tmp_path)
    ner.preprocess(tmp_path, make_settings())
    docs = {part: read_docs(tmp_path / "corpus" / "ner" / f"{part}.spacy") for part in ("train", "dev", "test")}
    assert [len(docs[part]) for part in docs] == [1, 1, 1]
    assert mentions_of(itertools.chain(*docs.values())) == EXPECTED
    written = srsly.read_json(tmp_path / "corpus" / "ner" / "split.json")
    assert sorted(written["split"]) == NOVELS and sorted(written["split"].values()) == ["dev", "test", "train"]
    assert written["facts"]["mentions"] == {"PER": 6, "FAC": 6, "GPE": 6, "VEH": 3, "LOC": 3}
    assert (tmp_path / "corpus" / "ner" / "spiece.model").stat().st_size > 1000


def test_of_nested_mentions_the_innermost_stay():
    mentions = [(0, 10, "FAC"), (0, 4, "PER"), (12, 20, "PER"), (12, 20, "ORG"), (30, 40, "LOC"), (35, 45, "LOC")]
    assert ner.innermost(mentions) == [(0, 4, "PER"), (12, 20, "ORG"), (30, 40, "LOC"), (35, 45, "LOC")]
    content = "T1\tPER 0 4\tAnna\nA1\tnested T1\nT2\tFAC 5 9\ta b\n#1\tnote T1\tx\n"
    assert list(ner.read_brat(content)) == [(0, 4, "PER"), (5, 9, "FAC")]


def test_mentions_are_counted_where_they_stand():
    nlp = spacy.blank("en")
    reference, found = nlp.make_doc("a b c d e f g h"), nlp.make_doc("a b c d")
    reference.ents = [spacy.tokens.Span(reference, i, i + 1, "PER") for i in (0, 3, 6)]
    found.ents = [spacy.tokens.Span(found, 0, 1, "PER"), spacy.tokens.Span(found, 2, 3, "ORG")]
    counts = ner.count(reference, found)
    person, organization = ner.LABELS.index("PER"), ner.LABELS.index("ORG")
    # One of three is right, one is missed in the part that was read, one in the part that was not.
    assert counts[:, person].tolist() == [[1, 0, 0], [0, 0, 1], [0, 0, 0], [0, 0, 1]]
    assert counts[:, organization].tolist() == [[0, 0, 0], [0, 1, 0], [0, 0, 0], [0, 0, 0]]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A project with the stand-in of LitBank, preprocessed; documents are longer than a stretch and than 512 pieces."""
    folder = tmp_path_factory.mktemp("ner")
    root = copy_project(folder)
    write_litbank_converted(folder / "data", repeats=50)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(sources.VARIABLE, str(folder / "data"))
        ner.preprocess(root, make_settings())
    return root


@pytest.mark.parametrize("system", ["bigbird", "truncated", "tok2vec"])
def test_a_system_is_trained_and_scored(system, root):
    settings = make_settings(seconds=1.0, seed=1)
    folder = train.train("ner", system, settings, root)
    results = evaluate.evaluate("ner", system, settings, root)
    assert results == srsly.read_json(root / "results" / f"ner-{system}-seed1.json")
    training = results["training"]
    assert 1.0 <= training["used_seconds"] < 10 and training["steps"] >= 2 and training["kept"] in ("best", "last")
    assert results["documents"] == 1 and results["speed"]["tokens"] > 0 and results["memory"]["peak_mb"] > 0
    assert set(results["by_type"]) == set(ner.LABELS) and results["by_type"]["PER"]["mentions"] == 100
    right, wrong, missed = results["counts"][0]
    assert right + missed == 400
    assert results["scores"]["ents_f"]["score"] == pytest.approx(2 * right / (2 * right + wrong + missed), abs=1e-4)
    assert f"workflows.steps.train ner --system {system} --seed 1 --size tiny" in results["command"]
    if system == "truncated":
        # What stands behind the first 512 pieces is neither learned from nor found.
        assert [part["score"] for part in results["by_position"][2:]] == [0.0, 0.0]
        assert results["speed"]["tokens"] < 512
    assert (folder / "pipeline" / "meta.json").exists() and not (folder / "model-last").exists()
    (markdown, _, _) = report.write_report(root, "ner", settings)
    assert results["command"] in markdown.read_text(encoding="utf8")


def test_a_system_that_the_task_does_not_have_is_refused(root):
    with pytest.raises(ValueError, match=r"ner has no system 'none'\. Choose from bigbird"):
        train.train("ner", "none", make_settings(), root)


def test_litbank_in_both_forms(data_dir, tmp_path, monkeypatch):
    """The upstream annotations (tokenized texts) and the converted ones have the same mentions."""
    monkeypatch.setenv(sources.VARIABLE, str(data_dir))
    converted = {record.name: record for record in ner.read(sources.find("litbank", tmp_path))}
    assert len(converted) == 100 and sum(len(record.mentions) for record in converted.values()) == 11989
    parts = [record.part for record in converted.values()]
    assert [parts.count(part) for part in ("train", "dev", "test")] == [80, 10, 10]
    assert split_ids(converted) == {name: record.part for name, record in converted.items()}
    names = sorted(converted)[:3]
    with tarfile.open(data_dir / "litbank" / "litbank_annotations.tar.xz") as archive:
        wanted = [f"entities/brat/{name}_brat.{end}" for name in names for end in ("txt", "ann")]
        (tmp_path / "files").mkdir()
        for name in wanted:
            content = archive.extractfile(name)
            (tmp_path / "files" / name.rpartition("/")[2]).write_bytes(content.read())
    with tarfile.open(tmp_path / "upstream.tar.gz", "w:gz") as archive:
        for path in sorted((tmp_path / "files").iterdir()):
            archive.add(path, f"litbank-commit/entities/brat/{path.name}")
    for record in ner.read(sources.Asset(tmp_path / "upstream.tar.gz", False)):
        same = converted[record.name]
        one, other = (
            sorted((label, "".join(r.text[start:end].split())) for start, end, label in r.mentions)
            for r in (record, same)
        )
        assert one == other
        doc = ner.make_doc(spacy.blank("en"), same)
        assert len(doc.ents) >= len(same.mentions) - 1
