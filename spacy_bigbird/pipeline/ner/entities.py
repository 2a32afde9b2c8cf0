"""Entities of documents with their probabilities, from scores of tags."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from spacy.tokens import Span

from .biluo import entities_of
from .crf import Floats, Mask, Transitions, best_paths, path_sums

# First token, end (exclusive), number of the label.
Entity = tuple[int, int, int]
ScoredEntity = tuple[int, int, int, float]


@dataclass
class Entities:
    """The entities of one document.

    found (list[ScoredEntity]): the entities of the best path, with their probabilities.
    probable (list[ScoredEntity] | None): all entities above a probability, including overlapping ones; None if not
        requested.
    kept (list[Span]): entities that were already set. They are not in the other lists.
    blocked (list[int]): tokens that cannot be part of an entity.
    """

    found: list[ScoredEntity] = field(default_factory=list)
    probable: list[ScoredEntity] | None = None
    kept: list[Span] = field(default_factory=list)
    blocked: list[int] = field(default_factory=list)

    def keep(self, kept: list[Span], blocked: list[int]) -> None:
        """Record what was already set. The best path goes through these entities, but they do not count as found.

        kept (list[Span]): the entities that were already set.
        blocked (list[int]): tokens that cannot be part of an entity.
        """
        there = {(ent.start, ent.end) for ent in kept}
        self.kept, self.blocked = kept, blocked
        self.found = [entity for entity in self.found if entity[:2] not in there]
        if self.probable is not None:
            self.probable = [entity for entity in self.probable if entity[:2] not in there]


@dataclass
class TagScores:
    """The tag scores of some documents. They are divided by a temperature, which does not change the best sequence.

    emissions (Sequence[Floats]): scores of the tags per document. Shape of each: (tokens, 1 + 4 labels).
    allowed (Sequence[Mask]): the tags that each token may have. Shape: as emissions.
    transitions (Transitions): scores of transitions between tags.
    """

    emissions: Sequence[Floats]
    allowed: Sequence[Mask]
    transitions: Transitions

    def best_entities(self) -> list[list[Entity]]:
        """Find the entities of the best valid path of each document.

        RETURNS (list[list[Entity]]): the entities per document.
        """
        return [entities_of(path) for path in best_paths(self.emissions, self.allowed, self.transitions)]

    def entities(self, temperature: float, spans_threshold: float | None) -> list[Entities]:
        """Find the entities of the best path and, if requested, all others above a probability.

        temperature (float): divides the scores.
        spans_threshold (float | None): minimum probability of the additional entities; None for none.
        RETURNS (list[Entities]): the entities per document.
        """
        results = []
        for best, sums in zip(self.best_entities(), self._sums(temperature), strict=True):
            results.append(Entities(probable=None if spans_threshold is None else []))
            if sums is not None:
                batch, number = sums
                results[-1].found = [(*entity, batch.entity_probability(number, *entity)) for entity in best]
                if spans_threshold is not None:
                    results[-1].probable = batch.probable_entities(number, spans_threshold)
        return results

    def probabilities(self, entities: Sequence[Sequence[Entity]], temperature: float) -> list[list[float]]:
        """Compute the probability of each of the given entities.

        entities (Sequence[Sequence[Entity]]): the entities per document.
        temperature (float): divides the scores.
        RETURNS (list[list[float]]): the probabilities per document.
        """
        return [
            [sums[0].entity_probability(sums[1], *entity) for entity in found] if sums else []
            for found, sums in zip(entities, self._sums(temperature), strict=True)
        ]

    def _sums(self, temperature: float) -> list:
        scaled = [rows / temperature for rows in self.emissions]
        return path_sums(scaled, self.allowed, self.transitions.scaled(1.0 / temperature))
