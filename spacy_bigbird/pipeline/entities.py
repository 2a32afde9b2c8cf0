"""Entities of documents and their probabilities, from scores of tags."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from spacy.tokens import Span

from .biluo import entities_of
from .crf import Floats, Mask, Transitions, best_paths, path_sums

# start, end (past the last token), number of the label
Entity = tuple[int, int, int]
ScoredEntity = tuple[int, int, int, float]


@dataclass
class Entities:
    """What there is in one document.

    found (list[ScoredEntity]): the entities of the best path with their probabilities.
    probable (list[ScoredEntity] | None): every entity above a probability, overlapping ones too, where asked for.
    kept (list[Span]): entities that were there before. They are in no other list.
    blocked (list[int]): tokens that may not be part of an entity.
    """

    found: list[ScoredEntity] = field(default_factory=list)
    probable: list[ScoredEntity] | None = None
    kept: list[Span] = field(default_factory=list)
    blocked: list[int] = field(default_factory=list)

    def keep(self, kept: list[Span], blocked: list[int]) -> None:
        """Tell what was there before: the best path goes through it, but it was not found here."""
        there = {(ent.start, ent.end) for ent in kept}
        self.kept, self.blocked = kept, blocked
        self.found = [entity for entity in self.found if entity[:2] not in there]
        if self.probable is not None:
            self.probable = [entity for entity in self.probable if entity[:2] not in there]


@dataclass
class TagScores:
    """All tag sequences of some documents. A temperature divides the scores: it does not change which is best.

    emissions (Sequence[Floats]): scores of the tags. Shape of each: (tokens, 1 + 4 labels).
    allowed (Sequence[Mask]): the tags that each token may have. Shape: as emissions.
    transitions (Transitions): scores of what follows what.
    """

    emissions: Sequence[Floats]
    allowed: Sequence[Mask]
    transitions: Transitions

    def best_entities(self) -> list[list[Entity]]:
        """RETURNS (list[list[Entity]]): the entities of the best valid path of each document."""
        return [entities_of(path) for path in best_paths(self.emissions, self.allowed, self.transitions)]

    def entities(self, temperature: float, spans_threshold: float | None) -> list[Entities]:
        """Find the entities of the best path, and all above a probability where one is given."""
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
        """RETURNS (list[list[float]]): the probability of each of the entities of each document."""
        return [
            [sums[0].entity_probability(sums[1], *entity) for entity in found] if sums else []
            for found, sums in zip(entities, self._sums(temperature), strict=True)
        ]

    def _sums(self, temperature: float) -> list:
        scaled = [rows / temperature for rows in self.emissions]
        return path_sums(scaled, self.allowed, self.transitions.scaled(1.0 / temperature))
