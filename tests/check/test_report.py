"""The report of `check`."""

from wasabi import Printer

from spacy_bigbird.check.report import CheckReport
from spacy_bigbird.errors import Errors


def test_lines_of_a_message_stay_lines(capsys):
    report = CheckReport(Printer())
    report.loss(Errors.BB137)
    printed = capsys.readouterr().out
    assert '\n    vocab_file = "spiece.model"\n    transformer_config = {' in printed
    assert "add to the component's block" in " ".join(printed.split()) and report.losses == [Errors.BB137]
    CheckReport(Printer(no_print=True)).loss("one\ntwo")
    assert capsys.readouterr().out == ""
