"""The side of an encoder that listeners know: which of them it feeds, under which names, and who reads its vectors."""

from typing import Any

from spacy_transformers import Transformer
from spacy_transformers.layers import TransformerListener
from thinc.api import Model

from ...thinc_layers.encoder_wrapper import get_shim
from ...thinc_layers.linking import EncoderReference, link
from ...thinc_layers.readers import adapt_reader
from .use_of_vectors import follow_use


class Upstream(Transformer):
    """A `Transformer` whose listeners stay linked if either of them is renamed, copied, disabled or enabled.

    Arguments as in `Transformer`.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Without settings because `cfg` is saved, and would override the config when the pipeline is loaded.
        self.cfg: dict[str, Any] = {}
        self._linked_as = self.name
        self._reference = EncoderReference()
        self._reference.point_to(self)
        # Readers that spaCy has not linked, because they are or were disabled.
        self._other_readers: list[TransformerListener] = []

    def __setstate__(self, state: Any) -> None:
        """Lead the listeners of a copied pipeline to this encoder, the copy."""
        super().__setstate__(state)
        self._reference.point_to(self)

    @property
    def listeners(self) -> list[Any]:
        """The linked listeners. One that two encoders could feed belongs to the encoder that linked it last."""
        linked: list[Any] = super().listeners
        return [listener for listener in linked if listener.link.reference is self._reference]

    @property
    def readers(self) -> list[Any]:
        """All listeners whose components read this encoder's vectors, linked by spaCy or not."""
        return [*self.listeners, *(reader for reader in self._other_readers if reader not in self.listeners)]

    @property
    def former_names(self) -> list[str]:
        """Names that the encoder had before it was renamed; listeners with one of them in `upstream` still listen."""
        return self.cfg.get("former_names", [])

    def add_listener(self, listener: TransformerListener, component_name: str) -> None:
        """Add a listener and link it to this encoder. Arguments as in `Transformer.add_listener`."""
        super().add_listener(listener, component_name)
        number = self.listener_map[component_name].index(listener)
        link(listener, component_name, number, self.name, self._reference)

    def find_listeners(self, component: Any) -> None:
        """Add a component's listeners, and adapt its pooling to tokens without pieces and to long documents.

        component (Any): a component that runs after this one.
        """
        self._remember_name()
        model = getattr(component, "model", None)
        nodes = model.walk() if isinstance(model, Model) else ()
        listeners = [node for node in nodes if isinstance(node, TransformerListener) and self._feeds(node)]
        if not listeners:
            return
        for listener in listeners:
            self.add_listener(listener, component.name)
        follow_use(component, listeners)
        adapt_reader(component.model, get_shim(self.model))

    def _remember_name(self) -> None:
        """Note a change of name, which spaCy makes without a word when a component is renamed or sourced."""
        if self.name != self._linked_as:
            names = {*self.former_names, self._linked_as} - {self.name}
            self.cfg["former_names"] = sorted(names)
            self._linked_as = self.name

    def _feeds(self, listener: Any) -> bool:
        if listener.upstream_name in ("*", self.name):
            return True
        if listener.upstream_name not in self.former_names:
            return False
        # Another encoder may have the name now.
        linked = getattr(listener, "link", None)
        other = None if linked is None else linked.reference.component
        return other in (None, self) or other.name != listener.upstream_name

    def expect_reader(self, listener: TransformerListener) -> None:
        """Keep vectors for a reader that spaCy has not linked, because it is or was disabled.

        listener (TransformerListener): its listener.
        """
        if listener not in self.readers:
            self._other_readers.append(listener)
