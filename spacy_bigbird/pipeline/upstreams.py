"""Which component listens to which: said at initialisation, because spaCy's listeners go on with zeros in silence."""

from spacy.language import Language
from spacy_transformers import Transformer
from spacy_transformers.layers import TransformerListener
from thinc.api import Model

from ..errors import Errors


def check_upstreams(nlp: Language) -> None:
    """Check that every listener, also of a disabled component, names an encoder that runs before it.

    nlp (Language): the pipeline.
    RAISES ValueError: naming the component, its upstream and the encoders that there are.
    """
    encoders: list[str] = []
    for name, component in nlp.components:
        model = getattr(component, "model", None)
        for node in model.walk() if isinstance(model, Model) else ():
            if isinstance(node, TransformerListener) and node.upstream_name not in ("*", *encoders):
                found = ", ".join(encoders) or "none"
                raise ValueError(Errors.BB142.format(reader=name, upstream=node.upstream_name, found=found))
        if isinstance(component, Transformer):
            encoders.append(name)
