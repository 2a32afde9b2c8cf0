"""Question answering with the interface of the pipeline that transformers had before version 5.3."""

from pathlib import Path
from typing import Any, TypedDict

import spacy
from spacy.language import Language

from .errors import Errors
from .pipeline.queries.span_qa import SpanQA

__all__ = ["QuestionAnswerer"]


class ExtractedAnswer(TypedDict):
    """One answer to a question.

    score (float): probability of the answer.
    start (int): start of the answer in the context. Unit: characters.
    end (int): end of the answer, exclusive. Unit: characters.
    answer (str): the text in between.
    """

    score: float
    start: int
    end: int
    answer: str


class QuestionAnswerer:
    """Answers questions about contexts of any length.

        question_answerer = QuestionAnswerer("my_qa_pipeline")
        question_answerer(question="Who signs?", context="...")  # a dictionary: score, start, end, answer

    pipeline (Language | str | Path): a pipeline with a `bigbird_span_qa` component, or the argument for `spacy.load`.
    RAISES ValueError: the pipeline has no such component.
    """

    def __init__(self, pipeline: Language | str | Path) -> None:
        self.nlp = pipeline if isinstance(pipeline, Language) else spacy.load(pipeline)
        self.component = find_span_qa(self.nlp)

    def __call__(
        self,
        inputs: Any = None,
        context: str | list[str] | None = None,
        *,
        question: str | list[str] | None = None,
        data: Any = None,
        top_k: int = 1,
        topk: int | None = None,
        max_answer_len: int | None = None,
        max_seq_len: int | None = None,
        doc_stride: int | None = None,
        max_question_len: int | None = None,
        handle_impossible_answer: bool = False,
        align_to_words: bool = True,
        padding: Any = None,
        batch_size: int | None = None,
    ) -> Any:
        """Answer one or several questions, in any form that transformers' pipeline takes.

        inputs (Any): a dictionary with `question` and `context` (and, if it is to reach the answer, `id`), a list of
            them, or one or several questions.
        context (str | list[str] | None): one context, or as many as questions.
        question (str | list[str] | None): one or several questions, instead of `inputs`.
        data (Any): another name for `inputs`.
        top_k (int): maximum number of answers per question.
        topk (int | None): the former name of `top_k`.
        max_answer_len (int | None): maximum length of an answer; None for the component's setting. Unit: tokens.
        max_seq_len (int | None): maximum length of question and window together; None for as long as the model allows.
            Unit: pieces.
        doc_stride (int | None): how much neighbouring windows of a context share; None for the setting of the
            component's model. Unit: pieces.
        max_question_len (int | None): a longer question is cut, with a warning; None for half of the model's length.
            Unit: pieces.
        handle_impossible_answer (bool): whether "no answer" may be returned, as an empty text at 0, 0. Otherwise it is
            left out where there are other answers, and their scores are normalized without it.
        align_to_words (bool): whether to extend answers to whole tokens.
        padding (Any): not used, since nothing is padded.
        batch_size (int | None): not used: `max_batch_pieces` of the component's model limits what is computed at once.
        RETURNS (ExtractedAnswer | list): for one question, a dictionary, or a list of them if there are several answers
            with `top_k`; for several questions, a list with the same for each.
        RAISES ValueError: the numbers of questions and contexts differ, a question has no context, or an argument is
            not allowed.
        """
        asked = _asked(data if inputs is None else inputs, question, context)
        top_k = top_k if topk is None else topk
        for name, value in (("top_k", top_k), ("max_answer_len", max_answer_len)):
            if value is not None and value < 1:
                raise ValueError(Errors.BB200.format(name=name, value=value, expected="a whole number of at least 1"))
        if doc_stride is not None and max_seq_len is not None and doc_stride > max_seq_len:
            expected = f"at most max_seq_len = {max_seq_len}"
            raise ValueError(Errors.BB200.format(name="doc_stride", value=doc_stride, expected=expected))
        settings: dict[str, Any] = {"align_to_tokens": align_to_words}
        settings["n_best"] = max(top_k, self.component.settings.n_best)
        if max_answer_len is not None:
            settings["max_answer_length"] = max_answer_len
        if not handle_impossible_answer:
            settings["null_threshold"] = float("inf")
        windows = self.component.question_tokenizer(max_seq_len, doc_stride, max_question_len)
        together: dict[str, list[int]] = {}
        for number, item in enumerate(asked):
            together.setdefault(item["context"], []).append(number)
        results: list[Any] = [None] * len(asked)
        for text, numbers in together.items():
            questions = [asked[number] for number in numbers]
            answers = self.component.ask(self.nlp.make_doc(text), questions, windows=windows, **settings)
            for number, answer in zip(numbers, answers, strict=True):
                rows: list[Any] = _rows(answer.alternatives, handle_impossible_answer)[:top_k]
                if "id" in answer:
                    rows = [{"id": answer["id"], **row} for row in rows]
                results[number] = rows[0] if len(rows) == 1 else rows
        return results[0] if len(results) == 1 else results


def _asked(inputs: Any, question: Any, context: Any) -> list[dict[str, Any]]:
    """Bring questions and contexts into the form of a list of dictionaries."""
    if question is None and (context is not None or isinstance(inputs, str)):
        inputs, question = None, inputs
    if question is not None:
        questions = [question] if isinstance(question, str) else list(question)
        contexts = [context] * len(questions) if isinstance(context, str) or context is None else list(context)
        if len(contexts) != len(questions):
            raise ValueError(Errors.BB314.format(questions=len(questions), contexts=len(contexts)))
        inputs = [{"question": text, "context": about} for text, about in zip(questions, contexts, strict=True)]
    asked = [inputs] if isinstance(inputs, dict) else list(inputs or ())
    for item in asked:
        if not isinstance(item, dict) or not all(isinstance(item.get(key), str) for key in ("question", "context")):
            raise ValueError(Errors.BB666.format(value=item))
    return asked


def find_span_qa(nlp: Language) -> SpanQA:
    """Find the first enabled component that answers questions.

    nlp (Language): the pipeline.
    RETURNS (SpanQA): the component.
    RAISES ValueError: there is none.
    """
    for _, component in nlp.pipeline:
        if isinstance(component, SpanQA):
            return component
    raise ValueError(Errors.BB315.format(found=nlp.pipe_names))


def _rows(alternatives: list[dict[str, Any]], with_null: bool) -> list[ExtractedAnswer]:
    kept = [row for row in alternatives if row["text"] or with_null]
    total = sum(row["score"] for row in kept)
    if not kept or total == 0.0:
        kept, total = kept or alternatives, 1.0
    return [
        ExtractedAnswer(score=row["score"] / total, start=row["start_char"], end=row["end_char"], answer=row["text"])
        for row in kept
    ]
