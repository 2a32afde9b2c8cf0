"""Fill mask: predict the pieces that belong in masked stretches of a document."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import Config, Model

from ...annotations.masks import read_masks
from ...plan.windows import plan_windows
from ...thinc_layers.question_windows import micro_batches, pack
from ...thinc_layers.types import Array
from ...tokenizer.encoding import TextPieces
from ...tokenizer.pairs import PairWindow
from ..probabilities import softmax
from ..settings import MaskSettings
from .own_encoder import OwnEncoderPipe

DEFAULT_CONFIG = Config().from_str(
    """
[fill_mask]
top_k = 5

[fill_mask.model]
@architectures = "spacy-bigbird.FillMask.v1"
"""
)["fill_mask"]

Prediction = tuple[str, int, float]


@Language.factory(
    "bigbird_fill_mask",
    assigns=["doc._.mask_predictions"],
    default_config=DEFAULT_CONFIG,
    default_score_weights={"mask_accuracy": 1.0},
)
def make_fill_mask(nlp: Language, name: str, model: Model, top_k: int) -> "FillMask":
    """Construct the component of `[components.bigbird_fill_mask]`.

    It reads `doc._.masks` and sets `doc._.mask_predictions`.

    nlp (Language): the pipeline.
    name (str): name of the component.
    model (Model): `spacy-bigbird.FillMask.v1`.
    top_k (int): number of predictions per mask.
    RETURNS (FillMask): the component.
    RAISES ValueError: `top_k` is not a positive whole number.
    """
    return FillMask(nlp.vocab, model, name, None, top_k=top_k)


class FillMask(OwnEncoderPipe):
    """Replaces stretches of the text with [MASK] and predicts the pieces there.

    In a long document, a mask is predicted in the window in which it has the most context. The arguments are those of
    Trainable, with the setting `top_k`.
    """

    settings_type = MaskSettings
    gold = "doc._.masks"

    def _has_gold(self, doc: Doc) -> bool:
        return bool(read_masks(doc))

    def predict(self, docs: Iterable[Doc]) -> list[list[list[Prediction]]]:
        """Fill the masks of documents. All masks of a document are filled at the same time, each with a single piece.

        docs (Iterable[Doc]): documents with `doc._.masks`, a list of start and end (exclusive) characters.
        RETURNS (list[list[list[Prediction]]]): text, id and probability of the best pieces, per document and mask.
        RAISES ValueError: masks are outside the text, empty or overlapping.
        """
        docs = list(docs)
        masks = [read_masks(doc) for doc in docs]
        found: list[list[list[Prediction]]] = [[[] for _ in places] for places in masks]
        if not any(masks):
            return found
        tokenizer = self.shim.checkpoint.tokenizer
        documents = tokenizer.text_pieces(doc.text if places else "" for doc, places in zip(docs, masks, strict=True))
        inputs = (
            ((number, stands_for), window)
            for number, (places, pieces) in enumerate(zip(masks, documents, strict=True))
            for stands_for, window in self._windows(*self._masked(pieces, places))
        )
        for group in micro_batches(inputs, self.shim.settings.max_batch_pieces):
            logits = self.model.ops.to_numpy(self.model.predict(pack([window for _, window in group])))
            owners = [(number, mask) for (number, stands_for), _ in group for mask in stands_for]
            for (number, mask), row in zip(owners, logits, strict=True):
                if mask is not None:
                    found[number][mask] = self._best(row)
        return found

    def set_annotations(self, docs: Iterable[Doc], predictions: list[list[list[Prediction]]]) -> None:
        """Set `doc._.mask_predictions`.

        docs (Iterable[Doc]): the documents.
        predictions (list[list[list[Prediction]]]): the result of `predict`.
        """
        for doc, found in zip(docs, predictions, strict=True):
            doc._.mask_predictions = found

    def score(self, examples: Iterable[Example], **kwargs: Any) -> dict[str, float | None]:
        """Compare the best prediction for each mask with the original text.

        examples (Iterable[Example]): examples that the component has processed.
        RETURNS (dict[str, float | None]): `mask_accuracy` between 0 and 1; None if there are no masks.
        """
        right = []
        for example in examples:
            masks = read_masks(example.predicted)
            for (start, end), best in zip(masks, example.predicted._.mask_predictions or (), strict=False):
                right.append(bool(best) and best[0][0] == example.reference.text[start:end].strip())
        return {"mask_accuracy": sum(right) / len(right) if right else None}

    def _best(self, logits: np.ndarray) -> list[Prediction]:
        order = np.argsort(-logits, kind="stable")[: self.settings.top_k]
        scores = softmax(logits.astype(np.float64))
        decode = self.shim.checkpoint.tokenizer.decode
        return [(decode([int(index)]), int(index), float(scores[index])) for index in order]

    def _masked(
        self, pieces: TextPieces, masks: list[tuple[int, int]], every_piece: bool = False
    ) -> tuple[np.ndarray, list[int | None]]:
        """Replace stretches of a document with [MASK].

        pieces (TextPieces): pieces of the document.
        masks (list[tuple[int, int]]): the stretches. Unit: characters.
        every_piece (bool): whether each piece becomes a mask of its own, which stands for the piece's id. Otherwise
            each stretch becomes one mask, which stands for the stretch's number.
        RETURNS (tuple[ndarray, list[int | None]]): ids, and what each mask stands for; None for other pieces.
        """
        parts: list[np.ndarray] = []
        stands_for: list[int | None] = []
        mask_id, done = self.shim.checkpoint.tokenizer.mask_token_id, 0
        for number in sorted(range(len(masks)), key=lambda number: masks[number]):
            start, end = masks[number]
            first = max(done, int(np.searchsorted(pieces.offsets[:, 1], start, side="right")))
            last = max(first, int(np.searchsorted(pieces.offsets[:, 0], end, side="left")))
            hidden = pieces.ids[first:last].tolist() if every_piece else [number]
            parts += [pieces.ids[done:first], np.full(len(hidden), mask_id, dtype=np.int32)]
            stands_for += [None] * (first - done) + hidden
            done = last
        parts.append(pieces.ids[done:])
        stands_for += [None] * (len(pieces) - done)
        return np.concatenate(parts), stands_for

    def _windows(self, ids: np.ndarray, stands_for: list[int | None]) -> Iterator[tuple[list[int | None], PairWindow]]:
        """Find the windows in which masks are predicted, with what each of their masks stands for."""
        tokenizer = self.shim.checkpoint.tokenizer
        places = [place for place, value in enumerate(stands_for) if value is not None]
        for start, end, keep_start, keep_end in plan_windows(
            len(ids), *self.shim.settings.window_capacity(self.shim.config)
        ):
            inside = [place for place in places if start <= place < end]
            # Each mask is predicted only once, so the neighbouring windows that also hold it do not count it.
            counted = [stands_for[place] if keep_start <= place < keep_end else None for place in inside]
            if any(value is not None for value in counted):
                row = np.concatenate(([tokenizer.cls_token_id], ids[start:end], [tokenizer.sep_token_id]))
                no_offsets = np.zeros((0, 2), dtype=np.int32)
                yield counted, PairWindow(row.astype(np.int32), np.zeros(len(row), np.int32), start, end, 1, no_offsets)

    def _learn(self, examples: list[Example]) -> float | None:
        tokenizer = self.shim.checkpoint.tokenizer
        inputs = []
        for example in examples:
            (pieces,) = tokenizer.text_pieces([example.reference.text])
            masked = self._masked(pieces, read_masks(example.reference), every_piece=True)
            inputs += list(self._windows(*masked))
        count = sum(label is not None for labels, _ in inputs for label in labels)
        if not count:
            return None
        total = 0.0
        for group in micro_batches(inputs, self.shim.settings.max_batch_pieces):
            logits, backprop = self.model.begin_update(pack([window for _, window in group]))
            labels = [label for part, _ in group for label in part]
            rows = np.asarray([row for row, label in enumerate(labels) if label is not None], dtype=np.int64)
            right = [label for label in labels if label is not None]
            scores = self.model.ops.to_numpy(logits)[rows]
            scores = scores - scores.max(axis=1, keepdims=True)
            normalizers = np.log(np.exp(scores).sum(axis=1, keepdims=True))
            gradient: Array = np.zeros(logits.shape, dtype=np.float32)
            gradient[rows] = np.exp(scores - normalizers) / count
            gradient[rows, right] -= 1.0 / count
            total += float((normalizers[:, 0] - scores[np.arange(len(right)), right]).sum()) / count
            backprop(self.model.ops.asarray(gradient))
        return total
