"""What displaCy shows: marks at their places, scores beside labels, and nothing from a text as markup."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc, Span, SpanGroup

from spacy_bigbird.annotations.extensions import install_extensions
from spacy_bigbird.annotations.questions import install_question_extensions
from spacy_bigbird.visualize import render, shortened

NLP = spacy.blank("en")


@pytest.mark.parametrize("given", ["Anna met Boris.", ["Anna met Boris."], [None]])
def test_what_is_no_document_is_named(given):
    with pytest.raises(TypeError, match=r"BB671.*run the pipeline on the text first"):
        render(given)


def test_a_document_without_answers_is_said():
    doc = NLP("Anna met Boris.")
    install_question_extensions()
    with pytest.raises(ValueError, match=r"BB672.*doc\._\.questions"):
        render(doc, "answers")
    doc._.answers = []
    assert "<mark" not in (render(doc, "answers", jupyter=False) or "")


def test_no_common_type_is_gray():
    doc = NLP("Anna took the Orontes")
    doc.ents = [Span(doc, 0, 1, "PER"), Span(doc, 3, 4, "VEH")]
    colors = re.findall(r"background: (#\w+)", render(doc, jupyter=False))
    assert len(set(colors)) == 2 and "#ddd" not in colors
    assert "background: red" in render(doc, jupyter=False, colors={"PER": "red"})


class Marks(HTMLParser):
    """Collects text, marked text and titles."""

    def __init__(self, markup):
        super().__init__()
        self.path, self.marks, self.titles, self.text = [], [], [], ""
        self.feed(markup)

    def handle_starttag(self, tag, attrs):
        if tag != "br":
            self.path.append(tag)
        if tag == "mark":
            self.marks.append(["", "", dict(attrs)["style"].split(";")[0].removeprefix("background: ")])

    def handle_endtag(self, tag):
        assert self.path.pop() == tag

    def handle_data(self, data):
        if "h2" in self.path:
            self.titles.append(data)
        elif "span" in self.path:
            self.marks[-1][1] += data.strip()
        else:
            self.text += data
            if "mark" in self.path:
                self.marks[-1][0] += data.strip()


@pytest.fixture
def doc():
    install_extensions()
    doc = NLP.make_doc("Ann & <Bob> met. It rained in Rome all day.")
    doc.ents = [Span(doc, 0, 1, "PER"), Span(doc, 10, 11, "GPE")]
    doc.ents[0]._.score = 0.876
    return doc


def test_entities_with_and_without_a_score(doc):
    shown = Marks(render(doc, colors={"PER": "#123456"}))
    assert [mark[:2] for mark in shown.marks] == [["Ann", "PER 0.88"], ["Rome", "GPE"]]
    assert shown.marks[0][2] == "#123456"
    assert re.sub(r"\s+", " ", shown.text).strip() == doc.text
    assert render([doc, doc], page=True).count("<figure") == 2 and "<html" in render(doc, page=True)


def test_answers(doc):
    doc._.answers = [
        {"question": "Where <b>?", "text": "Rome", "start_char": 30, "end_char": 34, "score": 0.5},
        {"question": "Who?", "text": "", "start_char": 0, "end_char": 0, "score": 0.75},
    ]
    shown = Marks(render(doc, "answers"))
    assert shown.titles == ["Where <b>?", "Who? — no answer 0.75"]
    assert [mark[:2] for mark in shown.marks] == [["Rome", "ANSWER 0.50"]]
    assert render([NLP.make_doc("a"), doc], "answers") == render(doc, "answers")


def test_evidence_is_darker_where_it_weighs_more(doc):
    group = [Span(doc, 0, 7), Span(doc, 7, 13)]
    doc.spans["evidence:WET"] = SpanGroup(doc, spans=group, attrs={"weights": np.asarray([0.25, 0.75], dtype="f")})
    doc.spans["other"] = [doc[0:1]]
    doc.cats = {"WET": 0.9}
    shown = Marks(render(doc, "evidence"))
    assert shown.titles == ["WET 0.90"]
    assert [mark[1] for mark in shown.marks] == ["WET 0.25", "WET 0.75"]
    strength = [float(mark[2].rstrip(")").split(",")[-1]) for mark in shown.marks]
    assert strength[0] < strength[1] <= 1.0


def test_only_the_surroundings(doc):
    shown = Marks(render(doc, surroundings=3))
    assert re.sub(r"\s+", " ", shown.text).strip() == "Ann & … in Rome al …"
    assert [mark[0] for mark in shown.marks] == ["Ann", "Rome"]


@pytest.mark.parametrize("surroundings", [0, 1, 5, 1000])
def test_marks_keep_their_text_when_shortened(surroundings):
    text = "".join(chr(97 + i % 26) for i in range(100))
    marks = [{"start": s, "end": e, "label": "X"} for s, e in ((0, 3), (5, 9), (9, 10), (50, 60), (99, 100))]
    figure = shortened({"text": text, "ents": marks, "title": None}, surroundings)
    found = [figure["text"][mark["start"] : mark["end"]] for mark in figure["ents"]]
    assert found == [text[mark["start"] : mark["end"]] for mark in marks]
    assert surroundings < 100 or figure["text"] == text
    assert shortened({"text": text, "ents": [], "title": None}, 5)["text"] == text[:5] + " … "


def test_notebooks_and_unknown_styles(doc, monkeypatch):
    shown = []
    module = type("IPythonDisplay", (), {"HTML": staticmethod(str), "display": staticmethod(shown.append)})
    monkeypatch.setitem(__import__("sys").modules, "IPython.display", module)
    monkeypatch.setitem(__import__("sys").modules, "IPython", type("IPython", (), {"display": module}))
    assert render(doc, jupyter=True) is None
    assert "PER 0.88" in shown[0]
    with pytest.raises(ValueError, match=r"BB200.*style = 'dep'.*entities or answers or evidence"):
        render(doc, "dep")
    assert isinstance(render(Doc(NLP.vocab)), str)


def test_spans_get_a_figure_per_label():
    doc = NLP("A party & Co. may end this <b>agreement</b> at will.")
    spans = [Span(doc, 7, 12, "END"), Span(doc, 0, 4, "PARTY"), Span(doc, 8, 10, "END"), Span(doc, 2, 9, "OTHER")]
    doc.spans["sc"] = SpanGroup(doc, name="sc", spans=spans, attrs={"scores": np.array([0.9, 0.8, 0.7, 0.6])})
    marks = Marks(render(doc, "spans", jupyter=False))
    assert marks.titles == ["PARTY", "OTHER", "END"]
    assert [(text.strip(), label) for text, label, _ in marks.marks] == [
        (doc[0:4].text, "PARTY 0.80"),
        (doc[2:9].text, "OTHER 0.60"),
        (doc[7:12].text, "END 0.90"),
    ]
    del doc.spans["sc"]
    with pytest.raises(ValueError, match=r"BB673.*'sc', only: none"):
        render(doc, "spans")
