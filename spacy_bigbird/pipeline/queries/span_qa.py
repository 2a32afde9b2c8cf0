"""Span question answering: answers to questions about a document, as exact slices of its text."""

import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, cast

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc, SpanGroup
from spacy.training import Example
from thinc.api import Config, Model

from ...annotations.questions import Answer, as_questions, gold_spans, has_gold, read_questions
from ...errors import Errors
from ...errors.closest import did_you_mean
from ...thinc_layers.head_wrapper import QuestionAnsweringShim
from ...thinc_layers.kept_states import KeptStates
from ...thinc_layers.question_batches import Asked, Batch, batches_of_pairs, joined_batches
from ...thinc_layers.question_windows import QuestionTokenizer, gold_pieces, window_span_loss
from ...thinc_layers.types import Array
from ...warnings import Warnings
from ..settings import AnswerSettings
from .answers import best_answer, no_answer, positions_of
from .own_encoder import OwnEncoderPipe
from .span_search import WindowLogits

DEFAULT_CONFIG = Config().from_str(
    """
[span_qa]
n_best = 20
max_answer_length = 30
null_threshold = 0.0
align_to_tokens = true
group_by_text = false
spans_key = "answers"

[span_qa.scorer]
@scorers = "spacy-bigbird.span_qa_scorer.v1"

[span_qa.model]
@architectures = "spacy-bigbird.SpanQA.v1"
"""
)["span_qa"]

SCORE_WEIGHTS = {
    "qa_f1": 0.5,
    "qa_exact": 0.5,
    "qa_hasans_exact": None,
    "qa_hasans_f1": None,
    "qa_noans_exact": None,
    "qa_best_exact": None,
    "qa_best_f1": None,
    "qa_risk_coverage": None,
}


@Language.factory(
    "bigbird_span_qa",
    assigns=["doc._.answers", "doc.spans"],
    default_config=DEFAULT_CONFIG,
    default_score_weights=SCORE_WEIGHTS,
)
def make_span_qa(
    nlp: Language,
    name: str,
    model: Model,
    n_best: int,
    max_answer_length: int,
    null_threshold: float,
    align_to_tokens: bool,
    group_by_text: bool,
    spans_key: str | None,
    scorer: Callable | None,
) -> "SpanQA":
    """Construct the component of `[components.bigbird_span_qa]`, which answers `doc._.questions` in `doc._.answers`.

    nlp (Language): the pipeline.
    name (str): name of the component.
    model (Model): `spacy-bigbird.SpanQA.v1`.
    n_best (int): number of starts and ends to try per window, and of alternatives to keep per question.
    max_answer_length (int): maximum length of an answer. Unit: spaCy tokens.
    null_threshold (float): "no answer" is given if its raw score exceeds that of the best answer by more than this.
    align_to_tokens (bool): whether to extend answers that start or end inside a token to the whole token.
    group_by_text (bool): whether to merge answers that differ only in position and case, keeping the best.
    spans_key (str | None): key in `doc.spans` for the answers; None to not set any.
    scorer (Callable | None): the scoring function.
    RETURNS (SpanQA): the component.
    RAISES ValueError: a setting is not allowed.
    """
    return SpanQA.from_factory(**locals())


class SpanQA(OwnEncoderPipe):
    """Answers questions about documents of any length.

    The arguments are those of Trainable, with the settings of `make_span_qa`.
    """

    settings_type = AnswerSettings
    gold = "doc._.questions with answers"

    @property
    def shim(self) -> QuestionAnsweringShim:
        """The object that holds the model with its weights and its tokenizer."""
        return cast(QuestionAnsweringShim, super().shim)

    @property
    def reads_once(self) -> bool:
        """Whether a document is encoded once for all questions about it, with `join_layer`."""
        return self.shim.settings.join_layer is not None

    def keep_documents(self, max_bytes: int) -> None:
        """Keep in memory what was computed of documents alone, so that questions that follow cost less.

        max_bytes (int): what may be kept; the documents that were asked about last stay. 0 to keep none.
        RAISES ValueError: the model has no `join_layer`, so that every question is read with its document.
        """
        if not self.reads_once:
            raise ValueError(Errors.BB247.format(name=self.name))
        self.shim.kept = KeptStates(max_bytes) if max_bytes else None

    def _has_gold(self, doc: Doc) -> bool:
        return any(map(has_gold, read_questions(doc)))

    def predict(self, docs: Iterable[Doc]) -> list[list[Answer]]:
        """Answer the questions that the documents carry.

        docs (Iterable[Doc]): documents with `doc._.questions`.
        RETURNS (list[list[Answer]]): one answer per question, in order, for each document.
        RAISES ValueError: `doc._.questions` has another form.
        """
        docs = list(docs)
        return self._answer(docs, [read_questions(doc) for doc in docs], self.settings)

    def ask(
        self,
        doc: Doc,
        questions: Sequence[str | dict[str, Any]] | str,
        *,
        windows: QuestionTokenizer | None = None,
        **settings: Any,
    ) -> list[Answer]:
        """Answer questions about a document without modifying it.

        doc (Doc): the document.
        questions (Sequence[str | dict[str, Any]] | str): the questions, as in `doc._.questions`, or a single string.
        windows (QuestionTokenizer | None): how to split the document, from `question_tokenizer`; None for as the model
            was trained.
        **settings (Any): settings of the component to change for this call, such as `null_threshold`.
        RETURNS (list[Answer]): one answer per question, in order.
        RAISES TypeError: the document is not a Doc, or a setting is unknown.
        RAISES ValueError: a setting or a question is not allowed.
        """
        known = sorted(AnswerSettings.model_fields)
        unknown = sorted(set(settings) - set(known))
        if unknown:
            raise TypeError(Errors.BB242.format(unknown=unknown, known=known, hint=did_you_mean(unknown, known)))
        if not isinstance(doc, Doc):
            raise TypeError(Errors.BB246.format(given=type(doc).__name__))
        asked = as_questions([questions] if isinstance(questions, str) else questions)
        return self._answer([doc], [asked], self._with(settings), windows)[0]

    def set_annotations(self, docs: Iterable[Doc], answers: list[list[Answer]]) -> None:
        """Set `doc._.answers` and, with `spans_key`, a span group with the answers.

        A span covers all tokens that its answer overlaps; with `align_to_tokens`, it is exactly the answer. The group's
        attributes hold the score of each span and the number of its question.

        docs (Iterable[Doc]): the documents.
        answers (list[list[Answer]]): the result of `predict`.
        """
        for doc, found in zip(docs, answers, strict=True):
            doc._.answers = found
            if self.settings.spans_key:
                given = [(number, answer) for number, answer in enumerate(found) if answer.text]
                places = [(answer.start_char, answer.end_char) for _, answer in given]
                spans: Any = [doc.char_span(*place, label="ANSWER", alignment_mode="expand") for place in places]
                attributes = {"scores": [a.score for _, a in given], "questions": [number for number, _ in given]}
                key = self.settings.spans_key
                doc.spans[key] = SpanGroup(doc, name=key, spans=spans, attrs=attributes)

    def question_tokenizer(
        self, max_length: int | None = None, overlap: int | None = None, max_question_length: int | None = None
    ) -> QuestionTokenizer:
        """Get what splits documents into windows, each after the question.

        max_length (int | None): maximum length of question and window together; None or more than the model allows for
            as long as it allows. Unit: pieces.
        overlap (int | None): how much neighbouring windows share; None for the model's setting. Unit: pieces.
        max_question_length (int | None): maximum length of a question; None for half of an input. Unit: pieces.
        RETURNS (QuestionTokenizer): the tokenizer.
        """
        shim, longest = self.shim, self.shim.config.max_position_embeddings
        overlap = shim.settings.overlap if overlap is None else overlap
        length = min(max_length or longest, longest)
        return QuestionTokenizer(shim.checkpoint.tokenizer, length, overlap, max_question_length)

    def _answer(
        self,
        docs: list[Doc],
        asked_of: list[list[dict[str, Any]]],
        settings: AnswerSettings,
        windows: QuestionTokenizer | None = None,
    ) -> list[list[Answer]]:
        answers = [[no_answer(question) for question in asked] for asked in asked_of]
        questions = [[question["question"] for question in asked] for asked in asked_of]
        if blank := sum(not question.strip() for asked in questions for question in asked):
            warnings.warn(Warnings.BW662.format(name=self.name, number=blank), stacklevel=3)
        if not any(question.strip() for asked in questions for question in asked):
            return answers
        tokenizer = windows or self.question_tokenizer()
        documents = tokenizer.pieces(doc.text if asked else "" for doc, asked in zip(docs, questions, strict=True))
        align = settings.align_to_tokens
        positions = [positions_of(doc, pieces, align) for doc, pieces in zip(docs, documents, strict=True)]

        def to_answer() -> Iterator[Asked]:
            for number, asked in enumerate(questions):
                if positions[number].last_token.size and asked:
                    for place, pieces in enumerate(tokenizer.questions(asked)):
                        if len(pieces):
                            yield (number, place), pieces, documents[number]

        found = self._logits(self._batches(to_answer(), tokenizer))
        for number, of_document in groupby(found, key=lambda pair: pair[0][0]):
            logits: dict[int, list[WindowLogits]] = defaultdict(list)
            for (_, place), window in of_document:
                logits[place].append(window)
            text, where = docs[number].text, positions[number]
            for place, windows_found in logits.items():
                found_answer = best_answer(questions[number][place], text, windows_found, where, settings)
                answers[number][place].update(found_answer)
        return answers

    def _batches(self, asked: Iterable[Asked], tokenizer: QuestionTokenizer, training: bool = False) -> Iterator[Batch]:
        settings = self.shim.settings
        if settings.join_layer is None:
            return batches_of_pairs(asked, tokenizer, settings.max_batch_pieces)
        layers = self.shim.config.num_hidden_layers - settings.join_layer
        return joined_batches(asked, tokenizer, settings.max_batch_pieces, layers, training)

    def _logits(self, batches: Iterable[Batch]) -> Iterator[tuple[Any, WindowLogits]]:
        for inputs, group in batches:
            logits = self.model.ops.to_numpy(self.model.predict(inputs))
            start = 0
            for key, window in group:
                rows = logits[start : start + len(window.ids)]
                context = rows[window.first_row : window.first_row + window.end - window.start]
                yield key, WindowLogits(context[:, 0], context[:, 1], float(rows[0].sum()), window.start)
                start += len(window.ids)

    def _learn(self, examples: list[Example]) -> float | None:
        batches = list(self._batches(self._gold(examples), self.question_tokenizer(), training=True))
        if not batches:
            return None
        total, number = 0.0, sum(len(group) for _, group in batches)
        for inputs, group in batches:
            logits, backprop = self.model.begin_update(inputs)
            gradients, start = [], 0
            logits = self.model.ops.to_numpy(logits)
            for answers, window in group:
                loss, part = window_span_loss(logits[start : start + len(window.ids)], window, answers)
                gradients.append(part / number)
                total += loss / number
                start += len(window.ids)
            # The backward pass follows immediately, so only one group's activations are kept at a time.
            gradient: Array = np.concatenate(gradients)
            backprop(self.model.ops.asarray(gradient))
        return total

    def _gold(self, examples: list[Example]) -> Iterator[Asked]:
        """Yield the questions with gold and their documents, after the positions of the answers.

        Questions are not trained on if none of their answers can be located in the text.
        """
        tokenizer = self.question_tokenizer()
        for example in examples:
            asked = [q for q in read_questions(example.reference) if has_gold(q) and q["question"].strip()]
            text = example.reference.text
            if not asked or not text.strip():
                continue
            (document,) = tokenizer.pieces([text])
            for question, pieces in zip(asked, tokenizer.questions([q["question"] for q in asked]), strict=True):
                answers = gold_pieces(gold_spans(question, text)[0], document)
                if answers or question.get("is_impossible") or not question.get("answers"):
                    yield answers, pieces, document
