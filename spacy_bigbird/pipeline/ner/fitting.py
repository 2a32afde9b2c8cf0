"""What is fitted on held-out documents: the temperature of the probabilities."""

from collections.abc import Iterable

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from ...errors import Errors
from ...scoring.calibration import expected_calibration_error, fit_temperature, log_loss
from ...scoring.entities import judge
from ..held_out import encoded_batches
from ..labelled import Labelled
from .biluo import valid_tags
from .crf import Floats, Mask, Transitions
from .entities import Entity, TagScores


class FittedEntities(Labelled):
    """A component that finds entities, whose `cfg` holds the fitted temperature."""

    def _emissions(self, docs: list[Doc]) -> list[Floats]:
        """Get the scores of the tags of each document's tokens."""
        raise NotImplementedError

    def _transitions(self) -> Transitions:
        """Get the scores of the transitions between tags."""
        raise NotImplementedError

    def calibrate(self, examples: Iterable[Example], *, nlp: Language | None = None) -> dict[str, float | None]:
        """Fit the temperature, so that predicted entities are correct as often as their probabilities say.

        The predictions do not change. The examples should not be from the training data. Their `predicted` documents
        must have been processed by the encoder, unless `nlp` is given. What is kept of each document are the scores of
        its tokens' tags, since every temperature that is tried changes the sums over all tag sequences: 200 bytes per
        token with five labels, against 3 kilobytes with the vectors of a base model.

        examples (Iterable[Example]): held-out examples. Entities that are already set on `predicted` are ignored.
        nlp (Language | None): the pipeline, whose components before this one are run on copies of the `predicted`
            documents.
        RETURNS (dict[str, float | None]): `temperature`, and the expected calibration error `before` and `after`.
        RAISES ValueError: no entity is predicted in annotated text.
        """
        emissions: list[Floats] = []
        allowed: list[Mask] = []
        entities: list[list[Entity]] = []
        is_right: list[bool] = []
        for batch, docs in encoded_batches(examples, self.name, nlp):
            rows, masks = self._emissions(docs), [valid_tags(doc, self.labels) for doc in docs]
            for example, found in zip(batch, TagScores(rows, masks, self._transitions()).best_entities(), strict=True):
                verdicts = judge(example, [(start, end, self.labels[label]) for start, end, label in found])
                entities.append([entity for entity, right in zip(found, verdicts, strict=True) if right is not None])
                is_right += [right for right in verdicts if right is not None]
            emissions += rows
            allowed += masks
        if not is_right:
            raise ValueError(Errors.BB201.format(name=self.name, number=len(entities)))
        tag_scores = TagScores(emissions, allowed, self._transitions())

        def probabilities(temperature: float) -> list[float]:
            return [value for row in tag_scores.probabilities(entities, temperature) for value in row]

        before = expected_calibration_error(probabilities(self.cfg["temperature"]), is_right)
        self.cfg["temperature"] = fit_temperature(lambda t: log_loss(probabilities(t), is_right))
        after = expected_calibration_error(probabilities(self.cfg["temperature"]), is_right)
        return {"temperature": self.cfg["temperature"], "before": before, "after": after}
