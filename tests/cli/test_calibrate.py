"""`spacy bigbird calibrate`: what the components' own methods fit, saved with the pipeline."""

import pytest
import spacy
import srsly
from spacy.cli import app
from spacy.tokens import DocBin
from typer.testing import CliRunner

from spacy_bigbird.cli import calibrate  # noqa: F401 (registers the command)
from spacy_bigbird.cli.evaluate import make_reader
from tests.pipeline.heads_util import train, with_toy_rows
from tests.pipeline.spancat.test_component import TRAINING, examples_for

NAME = "bigbird_spancat"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    nlp = with_toy_rows(NAME, "mean")
    train(nlp, examples_for(nlp), 20)
    path = tmp_path_factory.mktemp("model")
    nlp.to_disk(path)
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "dev.jsonl"
    srsly.write_jsonl(path, [{"text": text, "spans": spans} for text, spans in TRAINING])
    return path


def run(*arguments):
    result = CliRunner().invoke(app, ["bigbird", "calibrate", *map(str, arguments)])
    return result.exit_code, " ".join(result.output.split())


def test_it_saves_what_the_methods_fit(model, data, tmp_path):
    code, said = run(model, data, tmp_path / "new" / "folder")
    assert code == 0, said
    saved = spacy.load(tmp_path / "new" / "folder").get_pipe(NAME)
    nlp = spacy.load(model)
    expected = nlp.get_pipe(NAME)
    examples = list(make_reader(data)(nlp))
    fitted, thresholds = expected.calibrate(examples, nlp=nlp), expected.tune_thresholds(examples, nlp=nlp)
    assert saved.thresholds == pytest.approx(thresholds)
    assert saved.cfg["weights"] == pytest.approx(expected.cfg["weights"])
    assert f"calibration error before {fitted['before']:.3f} calibration error after {fitted['after']:.3f}" in said
    assert f"threshold of PER {thresholds['PER']:.3f}" in said


def test_thresholds_may_stay(model, data, tmp_path):
    code, said = run(model, data, tmp_path, "--keep-thresholds", "-n", NAME)
    assert code == 0 and "threshold of" not in said
    before, after = (spacy.load(path).get_pipe(NAME) for path in (model, tmp_path))
    assert after.thresholds == before.thresholds and after.cfg["weights"] != before.cfg["weights"]


def test_errors_say_what_can_be_calibrated(model, data, tmp_path):
    code, said = run(model, data, tmp_path, "-n", "tagger")
    assert code == 1 and "BB431" in said and "no component tagger" in said and f"can be calibrated: {NAME}." in said
    spacy.blank("en").to_disk(tmp_path / "blank")
    assert "BB431" in run(tmp_path / "blank", data, tmp_path / "out")[1] and not (tmp_path / "out").exists()
    DocBin().to_disk(tmp_path / "empty.spacy")
    assert "BB324" in run(model, tmp_path / "empty.spacy", tmp_path / "out")[1]
    (tmp_path / "file").touch()
    code, said = run(model, data, tmp_path / "file")
    assert code == 1 and "BB319" in said
