"""Whether there is gold annotation that a component can learn from."""

from collections.abc import Callable, Collection, Container, Iterable
from typing import Any

from spacy.language import Language
from spacy.training import Example

from ..annotations.choices import choices_with_gold
from ..annotations.masks import read_masks
from ..annotations.questions import gold_spans, gold_texts, has_gold, read_questions
from ..errors import Errors
from ..warnings import Warnings


def find_gold_problems(
    nlp: Language, corpus: str, examples: Collection[Example], frozen: Container[str]
) -> tuple[dict[str, int], list[str]]:
    """Count the gold annotation that each component of a known kind learns from or is evaluated on.

    nlp (Language): the pipeline; it does not need to be initialized.
    corpus (str): "train", "dev" or "test".
    examples (Collection[Example]): the documents of the corpus.
    frozen (Container[str]): components that are not trained.
    RETURNS (tuple[dict[str, int], list[str]]): number of usable gold annotations by component, and a message for each
        component that has none, or has some that would make training fail. Having none is only a warning, but
            in "train".
    """
    counts, problems = {}, []
    for name, component in nlp.pipeline:
        factory = nlp.get_pipe_meta(name).factory
        if name in frozen or factory not in _GOLD_OF_FACTORY or not examples:
            continue
        gold, count = _GOLD_OF_FACTORY[factory]
        counts[name], number = 0, 0
        try:
            for example in examples:
                counts[name] += count(example, component)
                number += 1
        except (ValueError, TypeError) as error:
            problems.append(f"{corpus}, document {number}, component {name!r}: {error}")
            continue
        if not counts[name]:
            advice = _STORED if gold.startswith("doc._.") else _WITHOUT_LABELS
            message = Errors.BB386 if corpus == "train" else Warnings.BW380
            filled = {"name": name, "number": len(examples), "gold": gold, "advice": advice, "corpus": corpus}
            problems.append(message.format(**filled))
    return counts, problems


_STORED = (
    "A .spacy file keeps them only if it was stored with DocBin(store_user_data=True); read it with "
    "spacy-bigbird.QuestionCorpus.v1."
)
_WITHOUT_LABELS = "Annotate them, or leave the component out of the pipeline."


def _aligned(example: Example, spans: Iterable[Any]) -> int:
    return sum(bool(example.get_aligned_spans_y2x([span], allow_overlap=True)) for span in spans)


def _answered(example: Example) -> int:
    text, questions = example.reference.text, filter(has_gold, read_questions(example.reference))
    # Without gold answers, "no answer" is learned. If every answer is at a wrong offset, nothing is.
    return sum(not gold_texts(question) or bool(gold_spans(question, text)[0]) for question in questions)


def _annotated(*attributes: str) -> Callable[[Example, Any], int]:
    return lambda example, _: any(map(example.reference.has_annotation, attributes))


_ENTITIES = ("entities on token boundaries", lambda example, _: _aligned(example, example.reference.ents))
_CATS = ("categories", lambda example, _: any(value is not None for value in example.reference.cats.values()))
_SPANS = (
    "spans on token boundaries under the component's spans_key",
    lambda example, component: _aligned(example, example.reference.spans.get(component.key, ())),
)
_DEPENDENCIES = ("dependencies", _annotated("DEP"))
_GOLD_OF_FACTORY: dict[str, tuple[str, Callable[[Example, Any], int]]] = {
    **dict.fromkeys(("bigbird_ner", "ner", "beam_ner"), _ENTITIES),
    **dict.fromkeys(("bigbird_textcat", "bigbird_textcat_multilabel", "textcat", "textcat_multilabel"), _CATS),
    **dict.fromkeys(("bigbird_spancat", "spancat", "spancat_singlelabel"), _SPANS),
    **dict.fromkeys(("parser", "beam_parser"), _DEPENDENCIES),
    "tagger": ("tags", _annotated("TAG")),
    "morphologizer": ("parts of speech or morphology", _annotated("POS", "MORPH")),
    "senter": ("beginnings of sentences", _annotated("SENT_START")),
    "trainable_lemmatizer": ("lemmas", _annotated("LEMMA")),
    "bigbird_span_qa": ("doc._.questions with answers at their offset", lambda example, _: _answered(example)),
    "bigbird_multiple_choice": (
        "doc._.choices with an answer",
        lambda example, _: len(choices_with_gold(example.reference)),
    ),
    "bigbird_fill_mask": ("doc._.masks", lambda example, _: len(read_masks(example.reference))),
}
