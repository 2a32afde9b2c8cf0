"""The shared head for entities: it is stored without its encoder, and finds the names of a chapter."""

import pytest
import spacy
import srsly
from spacy.training import Example

from project.demo import names
from project.demo.corpus import save_docs
from project.models.recipes import entities, heads
from spacy_bigbird.tokenizer import BigBirdTokenizer

from .stand_ins import write_checkpoint

TEXT = "Anna Karenina left the old house in Moscow. " * 4
MENTIONS = {"Anna Karenina": "PER", "the old house": "FAC", "Moscow": "GPE"}


def make_example(nlp):
    doc = nlp.make_doc(TEXT.strip())
    starts = [doc[i : i + len(words.split())] for i in range(len(doc)) for words in MENTIONS]
    doc.set_ents([doc.char_span(s.start_char, s.end_char, MENTIONS[s.text]) for s in starts if s.text in MENTIONS])
    return Example(nlp.make_doc(doc.text), doc)


@pytest.fixture(scope="module")
def model(tmp_path_factory, vocab_file):
    """A checkpoint with random weights."""
    return write_checkpoint(tmp_path_factory.mktemp("model"), vocab_file, layers=1)


@pytest.fixture(scope="module")
def trained(model):
    """A head that has seen one document often. Its encoder is as it was."""
    nlp = spacy.blank("en")
    architecture = {"@architectures": "spacy-bigbird.BigBirdModel.v1", "name": str(model), "freeze_layers": 1}
    nlp.add_pipe("bigbird", config={"model": architecture})
    nlp.add_pipe("bigbird_ner")
    example = make_example(nlp)
    optimizer = nlp.initialize(lambda: [example])
    optimizer.learn_rate = 0.02
    for _ in range(40):
        nlp.update([make_example(nlp)], sgd=optimizer)
    return nlp


def test_what_was_exported_finds_the_same(trained, model, tmp_path):
    gold = make_example(trained).reference
    for part in ("dev", "test"):
        save_docs(tmp_path / f"{part}.spacy", [gold])
    BigBirdTokenizer.from_pretrained(model).save_vocabulary(tmp_path)
    scores = entities.export(trained, model, tmp_path)
    folder = model / entities.FOLDER
    assert scores["scores"]["ents_f"]["score"] == 1.0
    assert srsly.read_json(folder / heads.SCORES)["scores"] == scores["scores"]
    assert not [path for path in folder.rglob("*") if "safetensors" in path.name or path.name == "spiece.model"]
    assert str(model) not in (folder / heads.CONFIG).read_text(encoding="utf8")
    nlp = heads.load(folder)
    assert nlp.meta["name"] == entities.META["name"]
    nlp.to_disk(tmp_path / "whole")
    wanted = trained(TEXT.strip())
    assert len(wanted.ents) == 12
    for loaded in (nlp, spacy.load(tmp_path / "whole")):
        doc = loaded(TEXT.strip())
        assert [(e.start, e.end, e.label_) for e in doc.ents] == [(e.start, e.end, e.label_) for e in wanted.ents]
        assert [e._.score for e in doc.ents] == pytest.approx([e._.score for e in wanted.ents], abs=1e-5)


def test_a_model_without_a_head_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="no head of this name"):
        heads.load(tmp_path)


@pytest.mark.parametrize("wrong", range(3))
def test_paths_that_do_not_exist_are_named(wrong, model, tmp_path, capsys):
    paths = [tmp_path / "pipeline", model, tmp_path / "corpus"]
    for folder, name in ((paths[0], heads.CONFIG), (paths[2], "dev.spacy")):
        folder.mkdir()
        (folder / name).touch()
    paths[wrong] = tmp_path / "nowhere"
    with pytest.raises(SystemExit):
        entities.main([str(path) for path in paths])
    assert str(tmp_path / "nowhere") in capsys.readouterr().err


@pytest.fixture(scope="module")
def chapter(tmp_path_factory):
    return names.find_names(tmp_path_factory.mktemp("pipeline"))


def test_real_names_are_found_in_a_real_chapter(chapter):
    found = names.count_names(chapter)
    assert {"Catherine", "John Thorpe", "Isabella"} <= set(found["People"])
    assert {"Bath", "Tetbury", "Oxford", "London", "England"} <= set(found["Countries and towns"])
    assert chapter._.bigbird_stats["windows"] == 1 and chapter._.bigbird_stats["truncated_pieces"] == 0
    assert all(0.0 < ent._.score <= 1.0 for ent in chapter.ents)


def test_names_are_printed_and_shown(chapter, capsys):
    names.print_names(chapter)
    shown = capsys.readouterr().out
    assert f"{len(chapter.ents)} entities" in shown and "John Thorpe" in shown
    section = names.names_section(chapter)
    assert names.TITLE in section and section.count("<mark") == len(chapter.ents)


def test_common_nouns_are_no_names():
    doc = spacy.blank("en")("The captain met Anna at the Strand with my companion.")
    spans = {span.text: names.is_name(span) for span in (doc[:2], doc[3:4], doc[5:7], doc[8:10])}
    assert spans == {"The captain": False, "Anna": True, "the Strand": True, "my companion": False}
