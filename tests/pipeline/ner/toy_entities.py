"""Documents with entities to learn."""

from spacy.training import Example

TRAINING = [
    ("Ann Lee visited Paris and met Bob", [(0, 7, "PER"), (16, 21, "GPE"), (30, 33, "PER")]),
    ("In Rome nobody knew Ann Lee", [(3, 7, "GPE"), (20, 27, "PER")]),
    ("nothing to see here", []),
    ("Bob left New York City today", [(0, 3, "PER"), (9, 22, "GPE")]),
]


def examples_for(nlp, data=TRAINING):
    return [Example.from_dict(nlp.make_doc(text), {"entities": ents}) for text, ents in data]
