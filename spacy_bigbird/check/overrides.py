"""Finds options such as --paths.trian that spaCy would take for new settings, since any name is allowed there."""

from collections.abc import Iterable

from thinc.api import Config

from ..errors import Errors
from ..errors.closest import did_you_mean

# The sections in which configs define names of their own. In all others, spaCy knows what is allowed.
FREE_SECTIONS = ("paths", "system")


def check_overrides(config: Config, overrides: Iterable[str]) -> None:
    """Check that options name settings that the config has or refers to.

    config (Config): the config as it was written, not interpolated.
    overrides (Iterable[str]): full names of the settings that are overridden.
    RAISES ValueError: there is no such setting.
    """
    text = config.to_str(interpolate=False)
    for name in overrides:
        section, _, rest = name.partition(".")
        known = config.get(section, {})
        if section in FREE_SECTIONS and rest not in known and f"${{{name}}}" not in text:
            hint = did_you_mean([rest], known)
            raise ValueError(Errors.BB664.format(name=name, section=section, known=", ".join(known), hint=hint))
