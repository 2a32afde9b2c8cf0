"""How a message gets its code."""


class WithCodes(type):
    """Gives a message its code: `Errors.BB001` reads as "[BB001] ..."."""

    def __getattribute__(cls, name: str) -> str:
        value = super().__getattribute__(name)
        return value if name.startswith("_") or not isinstance(value, str) else f"[{name}] {value}"
