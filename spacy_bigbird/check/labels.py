"""Finds settings that name labels which the training data do not have."""

from collections.abc import Sequence

from spacy.errors import Errors as SpacyErrors
from spacy.language import Language
from spacy.training import Example

from ..pipeline.textcat.component import TextLabeler
from ..pipeline.textcat.loss import check_class_weights


def find_label_problems(nlp: Language, examples: Sequence[Example]) -> list[str]:
    """Compare the settings of text classifiers with the labels that they will be initialized with.

    nlp (Language): the pipeline as described by its config.
    examples (Sequence[Example]): the train corpus.
    RETURNS (list[str]): a message for each setting that names another label.
    """
    problems = []
    settings = nlp.config.interpolate()["initialize"].get("components", {})
    in_data = list(dict.fromkeys(label for example in examples for label in example.reference.cats))
    for name, component in nlp.pipeline:
        given = settings.get(name, {})
        # Labels of a saved pipeline, or from `spacy init labels`, need not occur in the data.
        if not isinstance(component, TextLabeler) or component.labels or given.get("labels") is not None:
            continue
        try:
            check_class_weights(name, component.settings.class_weights, in_data)
        except ValueError as error:
            problems.append(str(error))
        positive = given.get("positive_label")
        if positive is not None and positive not in in_data:
            problems.append(SpacyErrors.E920.format(pos_label=positive, labels=in_data))
    return problems
