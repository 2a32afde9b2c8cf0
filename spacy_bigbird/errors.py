"""Every message of the package, with a code to search for: what was given, what was expected, what to do."""


class _WithCodes(type):
    """Gives a message its code: `Errors.BB001` reads as "[BB001] ..."."""

    def __getattribute__(cls, name: str) -> str:
        value = super().__getattribute__(name)
        return value if name.startswith("_") else f"[{name}] {value}"


class Errors(metaclass=_WithCodes):
    """Messages of exceptions. Fill in with `.format(...)`."""

    # Configuration of the model: BB001-BB019
    BB001 = "BigBirdConfig: {field} = {value!r} is not allowed. Expected {expected}."

    # Tokenizer and vocabulary: BB020-BB049
    BB020 = "{name} = {value!r} is not allowed. Expected {expected}."
    BB021 = (
        "SentencePiece could not train a vocabulary of {vocab_size} pieces: {reason}. "
        "Give more text or a smaller vocab_size."
    )

    # Checkpoints: BB050-BB089
    BB050 = (
        "Checkpoint {given!s}: this is {found}. Expected a directory with config.json and weights (or spiece.model), or "
        "a name on the Hugging Face hub such as google/bigbird-roberta-base. Without a network, download it once with "
        "`hf download NAME` where there is one, or give the directory."
    )

    # PyTorch model: BB090-BB129

    # The encoder in a spaCy pipeline: BB130-BB189

    # Heads in a spaCy pipeline: BB200-BB279

    # Training, readers and the command line: BB300-BB379


class Warnings(metaclass=_WithCodes):
    """Messages of warnings. Fill in with `.format(...)`. Codes BW001 and up, in the same ranges as the errors."""
