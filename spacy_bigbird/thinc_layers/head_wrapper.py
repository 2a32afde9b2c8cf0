"""Complete models (an encoder with its head) as Thinc models over packed inputs."""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any, ClassVar, cast

import torch
from thinc.api import Optimizer
from torch import Tensor

from ..model.heads.masked_lm import BigBirdForMaskedLM
from ..model.heads.multiple_choice import BigBirdForMultipleChoice
from ..model.heads.question_answering import BigBirdForQuestionAnswering
from ..model.joined import JoinedLayers
from .checkpoints import Checkpoint
from .grouping import group_by_size
from .kept_states import KeptStates
from .settings import EncoderSettings
from .shim import EncoderShim
from .types import JoinedPieces, PackedPieces


class HeadShim(EncoderShim):
    """Holds a model with a head and its tokenizer, and returns the head's output instead of the encoder's rows."""

    def use_encoder(self, source: EncoderShim) -> None:
        """Copy configuration, vocabulary and weights from another encoder; what it lacks is initialized randomly.

        source (EncoderShim): a loaded encoder.
        RAISES ValueError: the source is not loaded, or the settings do not fit its weights.
        """
        checkpoint = source.checkpoint
        # The encoders can only differ in the pooler, which either of them may lack.
        weights = checkpoint.encoder.canonical_weights()
        module = self.checkpoint_class.model_class.build(checkpoint.module.config, weights)
        self.use(self.checkpoint_class(module, checkpoint.tokenizer).adapted(self.settings))


class QuestionAnsweringCheckpoint(Checkpoint):
    """BigBirdForQuestionAnswering and its tokenizer."""

    model_class = BigBirdForQuestionAnswering
    model_arguments: ClassVar[dict[str, Any]] = {}


class QuestionAnsweringShim(HeadShim):
    """Returns the start and end logit of every piece. Shape: (total_pieces, 2).

    For JoinedPieces, returns them for every question about every piece of its document, with the question's [CLS] in
    place of the document's. The head's feed-forward part, which would double the cost of a question, is left out.
    """

    checkpoint_class = QuestionAnsweringCheckpoint

    def __init__(self, settings: EncoderSettings) -> None:
        super().__init__(settings)
        # Where states of documents are kept from one call to the next. Whoever runs the model sets it.
        self.kept: KeptStates | None = None

    def finish_update(self, optimizer: Optimizer) -> None:
        """Update the weights with the accumulated gradients, and set these to zero. See EncoderShim."""
        super().finish_update(optimizer)
        if self.is_loaded:
            self.lower.fingerprints.forget()

    def _encode(self, inputs: PackedPieces | JoinedPieces) -> Tensor:
        if isinstance(inputs, PackedPieces):
            return super()._encode(inputs)
        model: Any = self.module
        first, pieces = cast(int, self.settings.join_layer), inputs.documents.lengths
        joined = JoinedLayers(self.checkpoint.encoder, first)
        documents = joined.read(self._document_rows(inputs.documents, first), pieces)
        questions = self._rows(inputs.questions, [first]).split(list(inputs.questions.lengths))
        logits = []
        asked = zip(questions, inputs.asked, strict=True)
        # The document is there once, and the questions about it a few at a time.
        for group in group_by_size(asked, lambda one: pieces[one[1]], self.settings.max_batch_pieces):
            states = torch.cat([question for question, _ in group])
            lengths = [len(question) for question, _ in group]
            rows = joined.answer(states, lengths, [documents[number] for _, number in group])
            logits.append(model.qa_head.score(rows))
        return torch.cat(logits)

    def _document_rows(self, documents: PackedPieces, first: int) -> Tensor:
        """Compute the inputs of the joint layers, side by side, or look them up. Shape: (pieces, layers * width)."""
        layers = range(first, self.config.num_hidden_layers)
        if self.kept is None or self.module.training:
            return self._rows(documents, layers)
        settings = self.settings
        # The name of the highest layer stands for the weights of all below it.
        model = self.lower.fingerprints.of(layers[-1], settings.precision), first, settings.attention_engine
        return self.kept.get(model, documents, lambda some: self._rows(some, layers), self.device)

    def _outputs(self, rows: Tensor, ids: Tensor, lengths: Sequence[int]) -> Tensor:
        model: Any = self.module
        return model.qa_head(rows)


class MultipleChoiceCheckpoint(Checkpoint):
    """BigBirdForMultipleChoice and its tokenizer."""

    model_class = BigBirdForMultipleChoice
    model_arguments: ClassVar[dict[str, Any]] = {}


class MultipleChoiceShim(HeadShim):
    """Returns one logit per input, for being the right choice. Shape: (inputs, 1)."""

    checkpoint_class = MultipleChoiceCheckpoint

    def _outputs(self, rows: Tensor, ids: Tensor, lengths: Sequence[int]) -> Tensor:
        model: Any = self.module
        firsts = list(accumulate(lengths[:-1], initial=0))
        pooled = model.bigbird.pool(rows[torch.as_tensor(firsts, device=rows.device)])
        return model.score(pooled).unsqueeze(-1)


class FillMaskCheckpoint(Checkpoint):
    """BigBirdForMaskedLM and its tokenizer."""

    model_class = BigBirdForMaskedLM
    model_arguments: ClassVar[dict[str, Any]] = {}


class FillMaskShim(HeadShim):
    """Returns the logits of the whole vocabulary at every [MASK], in order. Shape: (masks, vocabulary)."""

    checkpoint_class = FillMaskCheckpoint

    def _outputs(self, rows: Tensor, ids: Tensor, lengths: Sequence[int]) -> Tensor:
        assert self.tokenizer is not None
        model: Any = self.module
        return model.lm_head(rows[ids == self.tokenizer.mask_token_id])
