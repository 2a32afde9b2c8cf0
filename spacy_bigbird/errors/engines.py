"""Attention engines: BB700-BB729."""


class EngineErrors:
    """Messages of exceptions, part of `Errors`."""

    BB700 = "attention_engine = {given!r}: there is no such engine. Expected {known}."
    BB701 = "attention_engine = {engine!r} cannot do this: {reason}. {advice}"
    BB702 = (
        "attention_engine = {engine!r}: a decoder's attention is dense and causal and has no engines. Leave it at "
        "'auto', or load the checkpoint with is_decoder=False."
    )
