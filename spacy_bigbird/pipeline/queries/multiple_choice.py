"""Multiple choice: which of several options answers a question about a document."""

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import Any

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import Config, Model

from ...annotations.choices import choice_texts, choices_with_gold, read_choices
from ...thinc_layers.question_windows import QuestionTokenizer, micro_batches, pack
from ...thinc_layers.types import Array
from ...tokenizer.pairs import PairWindow
from ..probabilities import softmax
from ..settings import ChoiceSettings
from .own_encoder import OwnEncoderPipe

DEFAULT_CONFIG = Config().from_str(
    """
[multiple_choice]
combine = "max"

[multiple_choice.scorer]
@scorers = "spacy-bigbird.multiple_choice_scorer.v1"

[multiple_choice.model]
@architectures = "spacy-bigbird.MultipleChoice.v1"
"""
)["multiple_choice"]

# Document in the batch, question of the document, option of the question.
Key = tuple[int, int, int]


@Language.factory(
    "bigbird_multiple_choice",
    assigns=["doc._.choice_answers"],
    default_config=DEFAULT_CONFIG,
    default_score_weights={"choice_accuracy": 1.0},
)
def make_multiple_choice(
    nlp: Language, name: str, model: Model, combine: str, scorer: Callable | None
) -> "MultipleChoice":
    """Construct the component of `[components.bigbird_multiple_choice]`.

    It reads `doc._.choices` and sets `doc._.choice_answers`.

    nlp (Language): the pipeline.
    name (str): name of the component.
    model (Model): `spacy-bigbird.MultipleChoice.v1`.
    combine (str): how to combine an option's logits in the windows of a long document: "max" or "mean".
    scorer (Callable | None): the scoring function.
    RETURNS (MultipleChoice): the component.
    RAISES ValueError: the value of `combine` is not allowed.
    """
    return MultipleChoice.from_factory(**locals())


class MultipleChoice(OwnEncoderPipe):
    """Reads [CLS] question option [SEP] document [SEP] for every option, and compares the logits at [CLS].

    The arguments are those of Trainable, with the setting `combine`.
    """

    settings_type = ChoiceSettings
    gold = "doc._.choices with an answer"

    def _has_gold(self, doc: Doc) -> bool:
        return bool(choices_with_gold(doc))

    def predict(self, docs: Iterable[Doc]) -> list[list[dict[str, Any]]]:
        """Answer the questions that the documents carry.

        docs (Iterable[Doc]): documents with `doc._.choices`, a list of {question, options}.
        RETURNS (list[list[dict[str, Any]]]): per document and question the `index` of the best option (None without
            options), and the `probabilities` of all options.
        RAISES ValueError: `doc._.choices` has another form.
        """
        docs = list(docs)
        choices = [read_choices(doc) for doc in docs]
        logits = self._no_logits(choices)
        groups = micro_batches(self._inputs([doc.text for doc in docs], choices), self.shim.settings.max_batch_pieces)
        values = (pair for group in groups for pair in self._scored(group))
        for (number, place, option), found in groupby(values, key=lambda pair: pair[0]):
            together = [float(value) for _, value in found]
            is_max = self.settings.combine == "max"
            logits[number][place][option] = max(together) if is_max else float(np.mean(together))
        return [[_answer(options) for options in asked] for asked in logits]

    def _scored(self, group: list[tuple[Key, PairWindow]]) -> Iterator[tuple[Key, float]]:
        logits = self.model.ops.to_numpy(self.model.predict(pack([window for _, window in group])))
        yield from zip((key for key, _ in group), logits[:, 0], strict=True)

    def set_annotations(self, docs: Iterable[Doc], answers: list[list[dict[str, Any]]]) -> None:
        """Set `doc._.choice_answers`.

        docs (Iterable[Doc]): the documents.
        answers (list[list[dict[str, Any]]]): the result of `predict`.
        """
        for doc, found in zip(docs, answers, strict=True):
            doc._.choice_answers = found

    def _no_logits(self, choices: list[list[dict[str, Any]]]) -> list[list[np.ndarray]]:
        return [[np.zeros(len(choice["options"])) for choice in asked] for asked in choices]

    def _inputs(self, texts: list[str], choices: list[list[dict[str, Any]]]) -> Iterator[tuple[Key, PairWindow]]:
        """Yield all inputs, ordered by document, question, option and window."""
        if not any(choices):
            return
        shim = self.shim
        overlap, length = shim.settings.overlap, shim.config.max_position_embeddings
        tokenizer = QuestionTokenizer(shim.checkpoint.tokenizer, length, overlap)
        documents = tokenizer.pieces(text if asked else "" for text, asked in zip(texts, choices, strict=True))
        for number, asked in enumerate(choices):
            for place, choice in enumerate(asked):
                for option, pieces in enumerate(tokenizer.questions(choice_texts(choice))):
                    for window in tokenizer.windows(pieces, documents[number]):
                        yield (number, place, option), window

    def _learn(self, examples: list[Example]) -> float | None:
        choices = [choices_with_gold(example.reference) for example in examples]
        count = sum(map(len, choices))
        if not count:
            return None
        inputs = self._inputs([example.reference.text for example in examples], choices)
        groups = list(micro_batches(inputs, self.shim.settings.max_batch_pieces))
        passes, keys, values = [], [key for group in groups for key, _ in group], []
        for group in groups:
            packed = pack([window for _, window in group])
            # The first gradient needs the logits of all options: keep the groups' inputs rather than their activations.
            packed.recompute = len(groups) > 1
            logits, backprop = self.model.begin_update(packed)
            values.append(self.model.ops.to_numpy(logits)[:, 0])
            passes.append((len(group), backprop))
        loss, gradient = self._loss(choices, keys, np.concatenate(values))
        end = len(keys)
        while passes:
            size, backprop = passes.pop()
            part: Array = (gradient[end - size : end] / count).astype(np.float32).reshape(-1, 1)
            backprop(self.model.ops.asarray(part))
            end -= size
        return loss / count

    def _loss(
        self, choices: list[list[dict[str, Any]]], keys: list[Key], values: np.ndarray
    ) -> tuple[float, np.ndarray]:
        """Compute the cross-entropy summed over all questions, and its gradient for every input."""
        places: dict[tuple[int, int], list[list[int]]] = {}
        for row, (number, place, option) in enumerate(keys):
            options = places.setdefault((number, place), [[] for _ in choices[number][place]["options"]])
            options[option].append(row)
        total, gradient = 0.0, np.zeros(len(keys))
        for (number, place), options in places.items():
            if self.settings.combine == "max":
                options = [[max(rows, key=lambda row: values[row])] for rows in options]
            logits = np.asarray([values[rows].mean(dtype=np.float64) for rows in options])
            probabilities = softmax(logits)
            right = choices[number][place]["answer"]
            total += float(np.log(np.exp(logits - logits.max()).sum()) + logits.max() - logits[right])
            for option, rows in enumerate(options):
                gradient[rows] = (probabilities[option] - (option == right)) / len(rows)
        return total, gradient


def _answer(logits: np.ndarray) -> dict[str, Any]:
    if not len(logits):
        return {"index": None, "probabilities": []}
    return {"index": int(logits.argmax()), "probabilities": softmax(logits).tolist()}
