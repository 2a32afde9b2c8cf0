"""Multiple choice about sections of textbooks: both forms of the corpus, the baseline, and the whole workflow."""

import io
import json
import lzma
import random
import tarfile
from xml.sax.saxutils import escape

import pytest
import spacy
import srsly

from project.workflows.library.corpus import split_by_shares
from project.workflows.library.sources import Asset
from project.workflows.library.systems import Settings
from project.workflows.multiple_choice import task as multiple_choice
from project.workflows.multiple_choice.task import as_doc, as_example, make_choice_batcher, make_choices, nearest_part
from project.workflows.multiple_choice.textbooks import Section, WordOverlap, read_module, read_openstax
from project.workflows.steps.evaluate import evaluate
from project.workflows.steps.report import write_report
from project.workflows.steps.train import train

from ..toy_text import toy_text
from .stand_ins import PROJECT

MODULE = """<document xmlns="http://cnx.rice.edu/cnxml" xmlns:m="http://www.w3.org/1998/Math/MathML">
<title>Section {n}</title>
<metadata xmlns:md="http://cnx.rice.edu/mdml"><md:title>Section {n}</md:title>
<md:abstract><para>You will be able to:</para></md:abstract></metadata>
<content>
<para id="a">{body}</para>
<section id="s"><title>The colour of number {n}</title>
<para>Its <term>colour</term> is blue
 and its taste is <emphasis>sweet</emphasis>.</para>
<figure><caption>A picture (credit: Anna)</caption></figure>
<note class="psychology link-to-learning"><label>Link to Learning</label><para>Watch a video.</para></note></section>
<section class="review-questions"><title>Review Questions</title>
<exercise id="e1"><problem><para>Which colour has number {n}?</para>
<list list-type="enumerated"><item>red</item><item>H<sub>2</sub>O</item><item>blue</item></list></problem>
<solution><para>C</para></solution></exercise>
<exercise id="e2"><problem><para>What do you think of it?</para></problem>
<solution><para>Many things.</para></solution></exercise></section>
</content>
<glossary><definition><term>colour</term><meaning>what it looks like</meaning></definition></glossary>
</document>"""


def body(number):
    return toy_text(number, 40)


def section_text(number):
    """What stands in the section, but for its exercises."""
    parts = [f"Section {number}", body(number), f"The colour of number {number}"]
    return "\n\n".join([*parts, "Its colour is blue and its taste is sweet.", "Watch a video.", "Review Questions"])


def write_openstax(folder, numbers=range(3)):
    """The archive of a book and the converted files, in their true formats."""
    archives = folder / "openstax_upstream"
    archives.mkdir()
    with tarfile.open(archives / "toybook.tar.gz", "w:gz") as archive:
        for number in numbers:
            content = MODULE.format(n=number, body=escape(body(number))).encode()
            info = tarfile.TarInfo(f"osbooks-toybook-0a1b/modules/m{number}/index.cnxml")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        for name, content in (
            ("modules/m90/index.cnxml", b"<document><title>Short</title></document>"),
            ("LICENSE", b""),
        ):
            info = tarfile.TarInfo(f"osbooks-toybook-0a1b/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    converted = folder / "openstax" / "openstax_docs.jsonl.xz"
    converted.parent.mkdir()
    splits = split_by_shares((f"toybook/m{number}" for number in numbers), (0.8, 0.1))
    docs, questions = [], []
    for number in numbers:
        name = f"toybook/m{number}"
        about = {"id": name, "subject": "toybook", "title": f"Section {number}"}
        docs.append({**about, "text": section_text(number), "split": splits[name]})
        asked = {"question": f"Which colour has number {number}?", "options": ["red", "H2O", "blue"], "answer": 2}
        questions.append({"id": f"{name}#0", "doc_id": name, "subject": "toybook", **asked, "split": splits[name]})
    docs.append({"id": "toybook/m91", "subject": "toybook", "title": "No questions", "text": "None.", "split": "train"})
    for path, rows in ((converted, docs), (converted.with_name("openstax_multiple_choice.jsonl.xz"), questions)):
        with lzma.open(path, "wt", encoding="utf8") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)
    return Asset(archives, False), Asset(converted, True)


def test_both_forms_of_the_sections_say_the_same(tmp_path):
    upstream, converted = (list(read_openstax(asset)) for asset in write_openstax(tmp_path))
    assert upstream == converted and [section.name for section in upstream] == [
        "toybook/m0",
        "toybook/m1",
        "toybook/m2",
    ]
    assert upstream[1].text == section_text(1)
    assert upstream[1].choices == [
        {"question": "Which colour has number 1?", "options": ["red", "H2O", "blue"], "answer": 2}
    ]


def test_exercises_without_a_letter_among_their_options_are_left_out():
    content = MODULE.format(n=1, body="It is.").replace("<para>C</para>", "<para>D</para>")
    assert read_module(content)[1] == []


def test_real_sections_and_what_shared_words_tell(data_dir):
    asset = Asset(data_dir / "openstax" / "openstax_docs.jsonl.xz", True)
    sections = list(read_openstax(asset))
    assert len(sections) == 680 and sum(len(section.choices) for section in sections) == 2229
    test = [section for section in sections if section.split == "test"][:20]
    overlap = WordOverlap(section.text for section in test)
    points = [overlap.points(section.text, choice) for section in test for choice in section.choices]
    assert len(points) > 40 and 0.3 < sum(points) / len(points) < 0.7


def test_shared_words_choose_the_option_that_stands_beside_them():
    text = " ".join(
        ["The town lies on a hill."] + ["Nothing happens here."] * 30 + ["The river flows through the old town."]
    )
    choice = {
        "question": "Where does the river flow?",
        "options": ["on a hill", "through the town", "xyz"],
        "answer": 1,
    }
    overlap = WordOverlap([text, "the the", "on a"])
    scores = overlap.scores(text, choice)
    assert max(scores)[0] == scores[1][0] and overlap.points(text, choice) == 1.0
    assert scores[1][1] > 0.8 and scores[0][1] < scores[1][1]
    same = {"question": "?", "options": ["uvw", "xyz"], "answer": 0}
    assert overlap.points(text, same) == 0.5 and overlap.points("", same) == 0.5
    assert overlap.weight("hill") > overlap.weight("the")


def make_doc(length=300):
    words = [f"w{n}" for n in range(length)]
    words[200:204] = ["rivers", "flow", "through", "towns"]
    choice = {"question": "Where do rivers flow?", "options": ["through towns", "nowhere"], "answer": 0}
    return as_doc(spacy.blank("en"), Section("s", "book", "train", " ".join(words), [choice, choice]))


def test_the_nearest_part_has_the_words_of_the_question():
    doc = make_doc()
    for size in (4, 20):
        part = nearest_part(doc, doc._.choices[0], size)
        assert len(part) == size and "rivers flow through towns" in part.text
        assert part._.choices == doc._.choices[:1]
    assert nearest_part(doc, doc._.choices[0], 999).text == doc.text
    example = as_example(part)
    assert "answer" not in example.predicted._.choices[0] and example.reference._.choices[0]["answer"] == 0


def test_batches_hold_a_question_each(monkeypatch):
    class Share:
        seconds = 600.0
        share = 0.1

    monkeypatch.setattr(multiple_choice, "CLOCK", Share)
    state = random.getstate()
    batcher = make_choice_batcher(questions=3, phases=[{"until": 0.5, "tokens": 30}, {"tokens": 9999}])
    batches = list(batcher([as_example(make_doc()) for _ in range(2)]))
    Share.share = 0.7
    (whole, *_) = next(batcher([as_example(make_doc())]))
    random.setstate(state)
    assert [len(batch) for batch in batches] == [3, 1]
    assert all(len(one.reference) == 30 and len(one.reference._.choices) == 1 for batch in batches for one in batch)
    assert len(whole.reference) == 300


def test_the_reader_gives_the_beginnings(tmp_path, vocab_file):
    spacy.tokens.DocBin(docs=[make_doc()] * 2, store_user_data=True).to_disk(tmp_path / "train.spacy")
    nlp = spacy.blank("en")
    whole, _ = make_choices(str(tmp_path / "train.spacy"))(nlp)
    (first,) = make_choices(str(tmp_path / "train.spacy"), str(vocab_file), first_pieces=99, limit=1)(nlp)
    assert len(whole.reference) == 300 and len(first.reference) < 100
    assert len(first.predicted._.choices) == len(whole.predicted._.choices) == 2


def test_the_workflow_from_assets_to_results(tmp_path, monkeypatch):
    """Training in this process, on a stand-in of ten sections, with next to no time."""
    data = tmp_path / "data"
    data.mkdir()
    write_openstax(data, range(10))
    monkeypatch.setenv("SPACY_BIGBIRD_DATA", str(data))
    root = tmp_path / "project"
    root.mkdir()
    (root / "configs").symlink_to(PROJECT / "configs")
    settings = Settings(seconds=0.3, max_length=256)
    multiple_choice.preprocess(root, settings)
    facts = srsly.read_json(root / "corpus" / "multiple_choice" / "split.json")["facts"]
    assert [facts[part]["documents"] for part in ("train", "dev", "test")] == [8, 1, 1]
    train("multiple_choice", "truncated", settings, root)
    results = evaluate("multiple_choice", "truncated", settings, root)
    assert results["questions"] == results["documents"] == 1 and results["training"]["steps"] >= 1
    assert results["baselines"]["chance"]["score"] == pytest.approx(1 / 3, abs=1e-4)
    # The one that is blue is the only one of whose words the section speaks.
    assert results["baselines"]["word overlap"]["score"] == 1.0
    report = next(path for path in write_report(root, "multiple_choice", settings) if path.suffix == ".md").read_text(
        "utf8"
    )
    assert "| word overlap | 1.000 [1.000, 1.000] | – | – | – |" in report and "| chance | 0.333" in report
