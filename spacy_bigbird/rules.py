"""One way to validate settings: pydantic models whose types say in words which values they allow."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from .errors import Errors
from .errors.closest import did_you_mean

YesOrNo = Annotated[bool, Field(description="true or false")]
Count = Annotated[int, Field(ge=1, description="a whole number of at least 1")]
CountOrZero = Annotated[int, Field(ge=0, description="a whole number of at least 0")]
Number = Annotated[float, Field(description="a number")]
Positive = Annotated[float, Field(gt=0, description="a number above 0")]
NotNegative = Annotated[float, Field(ge=0, description="a number of at least 0")]
Share = Annotated[float, Field(ge=0, le=1, description="a number from 0 to 1")]
Text = Annotated[str, Field(min_length=1, description="a string that is not empty")]
TextOrNone = Annotated[Text | None, Field(description="a string that is not empty, or null")]

# What is expected where a type has no words of its own.
_EXPECTED = {
    "bool_type": "true or false",
    "dict_type": "a block",
    "float_type": "a number",
    "int_type": "a whole number",
    "list_type": "a list",
    "string_type": "a string",
}


class Settings(BaseModel):
    """Settings, of which nothing is converted but whole numbers to numbers, and none is unknown."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False)


class Problem(NamedTuple):
    """A setting that is unknown, missing or not allowed. text (str): all of it in a sentence."""

    name: str
    value: Any
    expected: str
    text: str


def one_of(names: Iterable[str]) -> AfterValidator:
    """RETURNS (AfterValidator): allows some names, for which a `Literal` would repeat what is defined elsewhere."""
    allowed = tuple(names)

    def check(value: str) -> str:
        if value not in allowed:
            raise ValueError(" or ".join(map(repr, allowed)))
        return value

    return AfterValidator(check)


class Arguments(Settings):
    """Settings that are the arguments of a call: the first one that is wrong is named in an error.

    RAISES ValueError: a setting is unknown, missing or not allowed.
    """

    # Has places for the name, the value and what is expected.
    message: ClassVar[str] = Errors.BB200

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            name, value, expected, _ = problems(error, type(self), values)[0]
            raise ValueError(self.message.format(name=name, value=value, expected=expected)) from None


def problems(error: ValidationError, cls: type[Settings], values: Mapping[str, Any]) -> list[Problem]:
    """Say what is wrong with settings, each of which is named only once.

    error (ValidationError): what pydantic says.
    cls (type[Settings]): the model of the settings.
    values (Mapping[str, Any]): what was given.
    RETURNS (list[Problem]): the problems, in the order of the settings, then of the unknown ones.
    """
    found: dict[str, Problem] = {}
    for one in error.errors(include_url=False):
        model: Any = cls
        place: list[str] = []
        value: Any = values
        field = None
        for step in one["loc"]:
            # What is wrong inside of a value is wrong with the setting.
            if not (isinstance(model, type) and issubclass(model, Settings)):
                break
            place.append(str(step))
            known = model.model_fields
            value = value.get(step) if isinstance(value, Mapping) else value
            field = known.get(str(step))
            model = field.annotation if field is not None else None
        name = ".".join(place)
        if one["type"] == "extra_forbidden":
            text = f"{name}: there is no such setting.{did_you_mean(place[-1:], known)} Known here: {', '.join(known)}"
            problem = Problem(name, value, f"one of {', '.join(known)}", text)
        elif field is not None and field.is_required() and value is None:
            problem = Problem(name, None, "a value", f"{name}: must be given")
        else:
            expected = _expected(one, name, field.description if field is not None else None)
            problem = Problem(name, value, expected, f"{name} = {value!r}: expected {expected}")
        found.setdefault(name, problem)
    return list(found.values())


def _expected(one: Any, name: str, description: str | None) -> str:
    if one["type"] == "value_error":
        return str(one["ctx"]["error"])
    if one["type"] in ("model_type", "model_attributes_type"):
        return f"a block [{name}]"
    if one["type"] == "literal_error" and description is None:
        return one["ctx"]["expected"].replace(", ", " or ")
    return description or _EXPECTED.get(one["type"], one["msg"])
