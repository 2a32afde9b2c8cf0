"""Read a document once for many questions.

Below a layer, documents and questions are encoded apart, each as a sequence of its own. From this layer on, the pieces
of a question attend to its document too; in the last layer, the pieces of the document also attend to the question. So
the ordinary encoder is applied to question and document together, except that some pieces do not see some others.

Whatever does not depend on the question is computed once for each document: all layers but the last one, and in the
last one the projections and the document's attention to itself, which the attention to the question completes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import torch
from torch import Tensor

from ..plan.attention import AttentionPlan
from ..plan.packing import plan_packing
from .attention.partial import Partial, attend_to, attend_to_own
from .encoder import BigBirdModel
from .layers.encoder_layer import EncoderLayer
from .packed import pack, unpack


@dataclass(frozen=True, eq=False)
class ReadDocument:
    """What questions need to know of one document.

    keys (list[Tensor]): keys of its pieces in each of the joint layers. Shape: (heads, pieces, head_size) each.
    values (list[Tensor]): their values. Shape: (heads, pieces, head_size) each.
    queries (Tensor): queries of its pieces in the last layer. Shape: (heads, pieces, head_size).
    own (Partial): what they read from the document itself in the last layer. Shape: (heads, pieces, head_size).
    states (Tensor): input of the last layer. Shape: (pieces, hidden_size).
    """

    keys: list[Tensor]
    values: list[Tensor]
    queries: Tensor
    own: Partial
    states: Tensor


class JoinedLayers:
    """The layers of an encoder in which questions and documents meet.

    encoder (BigBirdModel): the encoder.
    first (int): number of layers below them.
    """

    def __init__(self, encoder: BigBirdModel, first: int) -> None:
        self.config = encoder.config
        self.first = first
        self.layers: list[EncoderLayer] = list(encoder.encoder.layers[first:])  # type: ignore[arg-type]

    def read(self, states: Tensor, lengths: Sequence[int]) -> list[ReadDocument]:
        """Compute all that does not depend on the questions.

        states (Tensor): for concatenated documents, the inputs of the joint layers, side by side: what
            `forward_packed` returns for the layers from `first` to the last but one.
            Shape: (pieces, layers * hidden_size).
        lengths (Sequence[int]): number of pieces of each document.
        RETURNS (list[ReadDocument]): the documents.
        """
        *below, inputs = states.split(self.config.hidden_size, dim=1)
        projections = [self._project(layer, part) for layer, part in zip(self.layers, below, strict=False)]
        packing, last = plan_packing(lengths, self.config), self.layers[-1].attention
        rows = last.query_key_value(pack(inputs, packing))
        plan = AttentionPlan(self.config, self.config.num_hidden_layers - 1, packing)
        own = attend_to_own(rows, plan, last.attention_dropout)
        parts = [unpack(part.transpose(0, 1), packing).transpose(0, 1).contiguous() for part in own]
        projections.append(self._by_head(unpack(rows, packing)))
        documents, start = [], 0
        for length in lengths:
            which = slice(start, start + length)
            keys, values = ([projection[part][:, which] for projection in projections] for part in (1, 2))
            of_document = Partial(*(part[:, which] for part in parts))
            documents.append(ReadDocument(keys, values, projections[-1][0][:, which], of_document, inputs[which]))
            start += length
        return documents

    def answer(self, states: Tensor, lengths: Sequence[int], documents: Sequence[ReadDocument]) -> Tensor:
        """Apply the layers to questions and their documents.

        states (Tensor): output of layer `first` for concatenated questions. Shape: (pieces, hidden_size).
        lengths (Sequence[int]): number of pieces of each question.
        documents (Sequence[ReadDocument]): the document of each question.
        RETURNS (Tensor): output of the last layer, for each question as many rows as its document has pieces. The first
            one is that of the question's [CLS], in place of the document's. Shape: (rows, hidden_size).
        """
        starts = list(accumulate(lengths, initial=0))
        ranges = [slice(*bounds) for bounds in pairwise(starts)]
        for number, layer in enumerate(self.layers[:-1]):
            query, key, value = self._project(layer, states)
            dropout = layer.attention.attention_dropout
            contexts = [
                attend_to(query[:, which], key[:, which], value[:, which], dropout).join(
                    attend_to(query[:, which], document.keys[number], document.values[number], dropout)
                )
                for which, document in zip(ranges, documents, strict=True)
            ]
            states = self._complete(layer, contexts, states)
        layer = self.layers[-1]
        query, key, value = self._project(layer, states)
        dropout = layer.attention.attention_dropout
        contexts, inputs = [], []
        for which, document in zip(ranges, documents, strict=True):
            cls = query[:, which.start : which.start + 1]
            of_question = key[:, which], value[:, which]
            contexts += [
                attend_to(cls, *of_question, dropout).join(
                    attend_to(cls, document.keys[-1], document.values[-1], dropout)
                ),
                Partial(*(part[:, 1:] for part in document.own)).join(
                    attend_to(document.queries[:, 1:], *of_question, dropout)
                ),
            ]
            inputs += [states[which.start : which.start + 1], document.states[1:]]
        return self._complete(layer, contexts, torch.cat(inputs))

    def _complete(self, layer: EncoderLayer, contexts: list[Tensor], inputs: Tensor) -> Tensor:
        """Apply the rest of a layer to what pieces read, by head, and to its input. Shape: (pieces, hidden_size)."""
        rows = torch.cat([context.transpose(0, 1).flatten(1) for context in contexts])
        return layer.behind_attention(layer.attention.project(rows.to(inputs.dtype)), inputs)

    def _project(self, layer: EncoderLayer, states: Tensor) -> Tensor:
        return self._by_head(layer.attention.query_key_value(states))

    def _by_head(self, projections: Tensor) -> Tensor:
        """Separate query, key and value, and the heads. Shape: (3, heads, pieces, head_size)."""
        return projections.unflatten(1, (3, self.config.num_attention_heads, -1)).permute(1, 2, 0, 3).contiguous()
