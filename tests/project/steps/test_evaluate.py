"""What comes before an evaluation."""

import pytest

from project.workflows.library import systems
from project.workflows.steps import evaluate


def test_evaluating_what_was_not_trained_says_what_comes_first(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"ner-bigbird-seed0.*steps\.train"):
        evaluate.evaluate("ner", "bigbird", systems.Settings(), tmp_path)
