"""Between the encoder and the components that listen to it: BB630-BB659."""


class BridgeErrors:
    """Messages of exceptions, part of `Errors`."""

    BB630 = (
        "Component {reader!r}: the document beginning with {start!r} has {tokens} tokens, but its vectors were made "
        "for {encoded}, and they do not say which characters they stand for (they were stored by an older version). "
        "Process its text again, or place the component that merges or splits tokens before the encoder."
    )
