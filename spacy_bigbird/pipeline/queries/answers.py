"""Answers to questions: where they may begin and end, and the best of the candidates."""

from typing import Any

import numpy as np
from spacy.tokens import Doc

from ...annotations.questions import Answer
from ...tokenizer.encoding import TextPieces
from ..settings import AnswerSettings
from .span_search import AnswerPositions, Candidate, WindowLogits, choose, search_spans


def positions_of(doc: Doc, pieces: TextPieces, align_to_tokens: bool) -> AnswerPositions:
    """Find where answers start or end that are bounded by each piece: at whole tokens, or exactly at the piece."""
    starts = np.asarray([token.idx for token in doc], dtype=np.int64)
    ends = starts + np.asarray([len(token) for token in doc], dtype=np.int64)
    start_char, end_char = pieces.offsets[:, 0].astype(np.int64), pieces.offsets[:, 1].astype(np.int64)
    if not len(doc) or not (end_char > start_char).any():
        return AnswerPositions(*(np.zeros(0, dtype=np.int64) for _ in range(4)))
    first = np.searchsorted(ends, start_char, side="right").clip(max=len(starts) - 1)
    last = np.searchsorted(starts, end_char, side="left") - 1
    # A piece without visible characters cannot bound an answer.
    last = np.where(end_char > start_char, last, first - 1)
    if align_to_tokens:
        start_char, end_char = starts[first], ends[last.clip(min=0)]
    return AnswerPositions(start_char, end_char, first, last)


def best_answer(
    question: str, text: str, windows: list[WindowLogits], positions: AnswerPositions, settings: AnswerSettings
) -> Answer:
    candidates = search_spans(
        windows,
        positions,
        n_best=settings.n_best,
        max_answer_length=settings.max_answer_length,
        group_key=(lambda start, end: text[start:end].lower()) if settings.group_by_text else None,
    )
    rows = [_row(candidate, text) for candidate in candidates]
    null = next(candidate for candidate in candidates if candidate.is_null)
    best = rows[candidates.index(choose(candidates, settings.null_threshold))]
    return Answer(question=question, **best, null_logit=null.logit, alternatives=rows)


def _row(candidate: Candidate, text: str) -> dict[str, Any]:
    start, end, logit, score = candidate
    return {"text": text[start:end], "start_char": start, "end_char": end, "score": score, "logit": logit}


def no_answer(question: dict[str, Any]) -> Answer:
    """Make the result for a question or document without words, which the model never reads."""
    row = _row(Candidate(0, 0, 0.0, 1.0), "")
    answer = Answer(question=question["question"], **row, null_logit=0.0, alternatives=[row])
    return answer if question.get("id") is None else Answer(id=question["id"], **answer)
