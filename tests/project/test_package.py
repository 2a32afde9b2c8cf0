"""What goes into the packages of the pipelines: the encoder, the head, card, licences and scores."""

import pytest
import spacy
import srsly

import spacy_bigbird
from project.models.recipes import heads, package

NAMES = {"contracts": "en_bigbird_contracts", "entities": "en_bigbird_novels", "questions": "en_bigbird_questions"}
LICENCES = {"contracts": "CC BY-SA 3.0", "entities": "CC BY-SA 3.0", "questions": "CC BY-SA 4.0"}


@pytest.mark.parametrize("name", package.LOADERS)
def test_a_pipeline_has_all_that_a_package_needs(name, tmp_path):
    head = package.SMALL / name
    folder = package.write_pipeline(head, tmp_path)
    assert folder.name == NAMES[name]
    meta = srsly.read_json(folder / "meta.json")
    assert meta["version"] == spacy_bigbird.__version__ and meta["license"] == LICENCES[name] and meta["sources"]
    assert spacy.load(folder).meta["notes"].startswith("For ")
    scores = srsly.read_json(head / heads.SCORES)
    assert len(meta["performance"].get("f_per_type", {})) == len(scores.get("by_type", {}))
    assert all(isinstance(value, float | int) for key, value in meta["performance"].items() if key != "f_per_type")
    assert NAMES[name] in (folder / "README.md").read_text(encoding="utf8")
    assert LICENCES[name] in (folder / "LICENSE").read_text(encoding="utf8")
    assert "Apache License" in (folder / "LICENSES_SOURCES").read_text(encoding="utf8")
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 45_000_000
    text = "Anna Karenina left the old house in Moscow. This agreement is governed by the laws of Delaware."
    found, expected = (answered(nlp, text) for nlp in (spacy.load(folder), package.LOADERS[name](head)))
    assert [(ent.text, ent.label_) for ent in found.ents] == [(ent.text, ent.label_) for ent in expected.ents]
    for key, group in expected.spans.items():
        assert [(span.text, span.label_) for span in found.spans[key]] == [(span.text, span.label_) for span in group]
    if name == "questions":
        assert found._.answers[0]["text"] == expected._.answers[0]["text"] == "Moscow"


def answered(nlp, text):
    """RETURNS (Doc): the document, with the answer to a question if the pipeline answers any."""
    doc = nlp.make_doc(text)
    if "bigbird_span_qa" in nlp.pipe_names:
        doc._.questions = ["In which city was the old house?"]
    return nlp(doc)
