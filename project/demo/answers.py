"""Questions about a real agreement: what the pipeline for questions answers, and where it finds no answer."""

from html import escape
from pathlib import Path
from typing import Any

import srsly
from spacy.tokens import Doc
from wasabi import msg

from spacy_bigbird.annotations.questions import Answer

from ..models.recipes import questions
from .agreement import AGREEMENT_TITLE, agreement
from .reading import MODEL, read, shortened

# The last two have no answer in the licence.
QUESTIONS = (
    "What percentage of shares means control?",
    "What must You give any other recipients of the Work?",
    "How much does the software cost?",
    "Who wrote Hamlet?",
)
# In long texts there are more wrong answers to choose from: the best threshold for long parts of the development
# articles (F1 0.61). The pipeline's own is the best for their paragraphs.
NULL_THRESHOLD = -6.8
ABOUT = """
<p>The pipeline for questions, trained on questions about encyclopedia articles (SQuAD), read {title} with each of
{count} questions in {seconds:.1f} seconds. On paragraphs of articles that it had not seen, its F1 is {paragraphs:.2f},
on whole articles {articles:.2f}, and an agreement is another kind of text. Each answer is shown with its probability,
and without one where "no answer" is more likely.</p>
"""
CONTEXT = 60


def answer_questions(output: Path, text: str | None = None) -> Doc:
    """Answer questions about an agreement, and save the pipeline that does.

    output (Path): folder for the pipeline, which `spacy.load` can load.
    text (str | None): the text; None for the licence.
    RETURNS (Doc): the document, with the seconds that it took in `user_data["seconds"]`.
    """
    nlp = questions.load(MODEL / questions.FOLDER)
    component: Any = nlp.get_pipe(questions.HEAD)
    component.set(null_threshold=NULL_THRESHOLD)
    return read(nlp, output, agreement() if text is None else text, QUESTIONS)


def print_answers(doc: Doc) -> None:
    """Print the answers, each with its probability."""
    rows = [(answer.question, _said(answer), f"{answer.score:.2f}") for answer in map(Answer, doc._.answers)]
    msg.table(rows, header=("Question", "Answer", "p"), aligns=("l", "l", "r"), max_col=80)
    msg.text(f"{len(rows)} questions in {doc.user_data['seconds']:.1f} seconds.")


def answers_section(doc: Doc) -> str:
    """RETURNS (str): the HTML of the answers' section in the report."""
    scores = srsly.read_json(MODEL / questions.FOLDER / questions.SCORES)["scores"]
    facts = {"title": AGREEMENT_TITLE, "seconds": doc.user_data["seconds"], "count": len(doc._.answers)}
    f1 = {part: scores[f"{part}_f1"]["score"] for part in ("paragraphs", "articles")}
    rows = "".join(
        f"<tr><td>{escape(answer.question)}</td><td class='text'>{_in_its_place(doc, answer)}</td>"
        f"<td>{answer.score:.2f}</td></tr>"
        for answer in map(Answer, doc._.answers)
    )
    head = "<tr><th>Question</th><th class='text'>Answer</th><th>Probability</th></tr>"
    return ABOUT.format(**facts, **f1) + f"<table>{head}{rows}</table>"


def _said(answer: Answer) -> str:
    return " ".join(answer.text.split()) or "(no answer)"


def _in_its_place(doc: Doc, answer: Answer) -> str:
    """RETURNS (str): the HTML of an answer with what stands around it."""
    if not answer.text:
        return _said(answer)
    before = doc.text[max(0, answer.start_char - CONTEXT) : answer.start_char].split(" ", 1)[-1]
    after = shortened(doc.text[answer.end_char : answer.end_char + 2 * CONTEXT], CONTEXT)
    return f"… {escape(before)}<b>{escape(_said(answer))}</b> {escape(after)}"
