"""Tasks and options by their names."""

import pytest

from project.workflows.library import tasks
from project.workflows.library.options import make_settings


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match=r"There is no task 'nothing'\. Choose from ner"):
        tasks.get_task("nothing")
    with pytest.raises(Exception, match="not one of tiny, small, base"):
        make_settings(size="huge")
    assert make_settings(checkpoint="none").checkpoint is None and make_settings(gpu=0).clock == "wall"
