"""What `check` says about stretches."""

from wasabi import Printer

from spacy_bigbird.check.report import CheckReport
from spacy_bigbird.corpora.stretches import Phase, make_stretch_batcher
from tests.corpora.test_stretches import make_example


def test_updates_at_each_length_are_shown(capsys):
    batcher = make_stretch_batcher(lambda items: [[item] for item in items], lengths=[10, 40], until=[7, 12])
    phases = batcher.plan([make_example(["tea"] * 80) for _ in range(3)])
    assert phases == [Phase(10, 7, 24, 24), Phase(40, 12, 6, 6)] and batcher.step == 0
    report = CheckReport(Printer(no_print=False))
    report.stretches(phases, batches=3, patience=0)
    shown = " ".join(capsys.readouterr().out.split())
    assert "Until step 7, 24 updates per epoch, with 24 stretches of about 10 tokens" in shown
    assert "From step 12, 3 updates per epoch, with whole documents" in shown and "BW475" not in shown
    report.stretches(phases, batches=3, patience=5)
    assert "BW475" in capsys.readouterr().out and not report.losses
