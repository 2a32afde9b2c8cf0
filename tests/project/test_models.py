"""The models that are shared, the recipes' rules on documents, and the numbers on the cards."""

import json
import math
import re
import subprocess
from collections import Counter

import numpy as np
import pytest
import spacy
import torch
from hypothesis import given
from hypothesis import strategies as st
from spacy.util import load_config

from project.models.recipes import card, corpora, effects, export, prepare, score, stretch
from project.workflows.library import positions
from project.workflows.textcat.novels import split_novels
from spacy_bigbird.model import BigBirdForMaskedLM, BigBirdModel
from spacy_bigbird.pretraining.masking import MaskedPieces, PieceTable
from spacy_bigbird.pretraining.settings import PretrainingSettings
from spacy_bigbird.tokenizer import BigBirdTokenizer

from .stand_ins import MODELS

# Name -> limit in bytes
LIMITS = {"tiny": 8_000_000, "small": 70_000_000}
SHARED = [name for name in LIMITS if (MODELS / name / "model.safetensors").exists()]
NOVELS = ["A_Old_1850", "A_New_1890", "B_Only_1900", "Hardy_Tess_1891", "Hardy_Jude_1895", "Anon_Clara_1864"]
TEXT = "Anna met the old captain in London, where the river was frozen. " * 20


@pytest.fixture(scope="module", params=SHARED)
def folder(request):
    return MODELS / request.param


def test_sizes(folder):
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < LIMITS[folder.name]


def test_encoder_and_vocabulary_fit(folder):
    model = BigBirdModel.from_pretrained(folder).eval()
    tokenizer = BigBirdTokenizer.from_pretrained(folder)
    config = model.config
    assert config.vocab_size == tokenizer.vocab_size == len(model.embeddings.word_embeddings.weight)
    assert config.max_position_embeddings == 4096
    for name in ("pad", "bos", "eos", "sep"):
        assert getattr(config, f"{name}_token_id") == getattr(tokenizer, f"{name}_token_id")
    assert all(torch.isfinite(weight).all() for weight in model.parameters())


def test_transformers_reads_it_and_gets_the_same(folder):
    transformers = pytest.importorskip("transformers")
    theirs = transformers.BigBirdForMaskedLM.from_pretrained(folder, attention_type="original_full").eval()
    ours = BigBirdForMaskedLM.from_pretrained(folder).eval()
    tokenizer = BigBirdTokenizer.from_pretrained(folder)
    ids = torch.tensor([[tokenizer.cls_token_id, *np.asarray(tokenizer.text_ids([TEXT])[0])[:100].tolist()]])
    with torch.no_grad():
        expected = theirs.float()(input_ids=ids).logits
        assert torch.allclose(ours(input_ids=ids).logits, expected, atol=1e-3, rtol=1e-4)


def test_it_guesses_better_than_chance(folder):
    model = BigBirdForMaskedLM.from_pretrained(folder).eval()
    tokenizer = BigBirdTokenizer.from_pretrained(folder, map_whitespace=True)
    table = PieceTable.of(tokenizer)
    ids = np.concatenate([[table.cls_id], np.asarray(tokenizer.text_ids([TEXT])[0]), [table.sep_id]])
    places = np.arange(5, len(ids) - 1, 7)
    hidden = ids.copy()
    hidden[places] = table.mask_id
    losses = score.nats(model, MaskedPieces(hidden, places, ids[places]), None)
    assert losses.mean() < 0.75 * math.log(len(table.ordinary_ids))


def test_it_stands_as_name_in_a_pipeline(folder):
    nlp = spacy.blank("en")
    nlp.add_pipe("bigbird", config={"model": {"@architectures": "spacy-bigbird.BigBirdModel.v1", "name": str(folder)}})
    nlp.initialize()
    rows = nlp(TEXT.strip())._.trf_data.rows
    tokenizer = BigBirdTokenizer.from_pretrained(folder, map_whitespace=True)
    pieces = np.asarray(tokenizer.text_ids([TEXT.strip()])[0]).tolist()
    ids = torch.tensor([tokenizer.cls_token_id, *pieces, tokenizer.sep_token_id])
    with torch.no_grad():
        expected = BigBirdModel.from_pretrained(folder).eval().forward_packed(ids, [len(ids)])
    assert np.allclose(rows, expected.numpy(), atol=1e-3)


def test_the_card_has_the_numbers_of_the_files(folder):
    text = (folder / "README.md").read_text(encoding="utf8")
    assert card.numbers(folder) == text.partition(card.BEGIN)[2].partition(card.END)[0].strip()
    assert text.startswith("---\nlanguage: en\nlicense: ")
    run = json.loads((folder / "run.json").read_text())
    assert run["parameters"] == sum(p.numel() for p in BigBirdForMaskedLM.from_pretrained(folder).parameters())


def test_the_latest_novel_and_litbanks_are_kept_away():
    assert corpora.parts_of_novels(NOVELS) == {
        "A_Old_1850": "train",
        "A_New_1890": "test",
        "B_Only_1900": "train",
        "Anon_Clara_1864": "train",
        "Hardy_Tess_1891": "dev",
        "Hardy_Jude_1895": "test",
    }


def test_no_test_novel_of_author_attribution_is_learned_from():
    names = [
        f"{author}_{title}_{year}"
        for author in "ABCDEFGHIJKLMN"
        for title, year in zip("xyz", (1850, 1860, 1855), strict=True)
    ]
    ours = corpora.parts_of_novels(names)
    assert {name for name, part in split_novels(names).items() if part == "test"} == {
        name for name, part in ours.items() if part == "test"
    }


def test_trials_are_dealt_by_their_names():
    parts = Counter(corpora.part_of_trial(f"PMC{number}") for number in range(4000))
    assert set(parts) == set(corpora.PARTS)
    assert 0.88 < parts["train"] / 4000 < 0.92
    assert corpora.part_of_trial("PMC1079844") == corpora.part_of_trial("PMC1079844")


@pytest.mark.slow
def test_parts_of_the_real_corpora_share_no_document(data_dir):
    for name in ("contracts", "textbooks", "novels"):
        parts: dict[str, set[str]] = {part: set() for part in corpora.PARTS}
        for key, part, _ in corpora.read_corpus(name, data_dir):
            parts[part].add(key)
        assert all(parts.values())
        assert len(set.union(*parts.values())) == sum(map(len, parts.values()))
    assert set(corpora.LITBANK_NOVELS) <= parts["dev"] | parts["test"]


@given(st.text(alphabet="ab \n", max_size=300), st.integers(5, 60))
def test_stretches_are_the_text(text, longest):
    parts = list(prepare.stretches(text, longest))
    assert "".join(parts) == text
    assert all(len(part) <= longest for part in parts)


def test_a_mix_takes_stretches_up_to_its_share():
    documents = [{"id": str(number), "text": "x" * 100} for number in range(50)]
    chosen = prepare.share_of_mix(documents, 1050)
    assert len(chosen) == 10
    assert chosen == prepare.share_of_mix(documents, 1050)


def test_heads_look_at_the_places_they_are_made_for():
    torch.manual_seed(0)
    angles = positions.rates(192)
    rows = positions.position_rows(256, angles, 1.0)
    assert rows.std().item() == pytest.approx(1.0, abs=0.02)
    weight = torch.zeros(3 * 192, 192)
    for head, offset in enumerate((-1, 1, -2)):
        positions.look_at(weight, head, 64, angles, offset)
        chosen = slice(64 * head, 64 * head + 64)
        scores = (rows @ weight[chosen].T) @ (rows @ weight[192:384][chosen].T).T
        assert (scores[8:-8].argmax(1) - torch.arange(8, 248)).tolist() == [offset] * 240


def test_facts_of_a_run_are_sums_of_its_log():
    line = {"kind": "train", "seconds_per_step": 2.0, "pieces_per_second": 100.0, "length": 512}
    scores = {"loss": 1.0, "bits_per_character": 0.5, "masked_accuracy": 0.25}
    lines = [line | {"step": 10}, {"kind": "dev", "step": 10, **scores}, line | {"step": 15, "length": 4096}]
    assert export.facts_of(lines) == {
        "steps": 15,
        "steps_by_length": {"512": 10, "4096": 5},
        "pieces": 3000.0,
        "hours": 0.01,
        "development": {"step": 10, **scores},
    }


def test_a_card_is_changed_between_its_marks_only(tmp_path):
    (tmp_path / "run.json").write_text(
        json.dumps({"parameters": 1000, "steps": 7, "steps_by_length": {"512": 7}, "pieces": 2e6, "hours": 1.0})
    )
    (tmp_path / "model.safetensors").write_bytes(b"0" * 2000)
    (tmp_path / "README.md").write_text(f"before\n{card.BEGIN}\nold\n{card.END}\nafter\n")
    card.update(tmp_path)
    text = (tmp_path / "README.md").read_text()
    assert text.startswith("before\n") and text.endswith(f"{card.END}\nafter\n") and "old" not in text
    assert "2.0 million" in text and "7 of 512" in text


def test_settings_of_the_recipe_are_ones_that_a_run_takes():
    settings = PretrainingSettings.from_dict(
        load_config(MODELS / "tiny_long.cfg", {"paths.train": "texts", "model.name": "start"})
    )
    assert settings.training.longest == 4096
    assert settings.training.lengths[-1][0] < settings.training.max_steps


def test_every_script_of_the_recipe_is_there():
    recipe = (MODELS / "recipe.sh").read_text(encoding="utf8")
    named = set(re.findall(r"\$models\.(\w+)", recipe))
    others = {"arguments", "corpora", "heads", "package"}
    assert named == {path.stem for path in (MODELS / "recipes").glob("[a-z]*.py")} - others
    assert {f"project/models/{path.name}" for path in MODELS.glob("*.cfg")} == set(
        re.findall(r"project/models/\w+\.cfg", recipe)
    )


def test_a_frozen_encoder_keeps_its_weights(tmp_path):
    model = MODELS / "tiny"
    nlp = spacy.blank("en")
    nlp.add_pipe("bigbird", config={"model": {"@architectures": "spacy-bigbird.BigBirdModel.v1", "name": str(model)}})
    nlp.add_pipe("bigbird_textcat")
    nlp.config.to_disk(tmp_path / "config.cfg")
    effects.freeze_encoder(tmp_path / "config.cfg", tmp_path / "encoder")
    frozen = load_config(tmp_path / "config.cfg")
    assert frozen["training"]["frozen_components"] == frozen["training"]["annotating_components"] == ["bigbird"]
    assert frozen["components"]["bigbird"] == {"source": str(tmp_path / "encoder")}
    nlp = spacy.load(tmp_path / "encoder")
    assert nlp.pipe_names == ["bigbird"]
    with torch.no_grad():
        ids = torch.arange(200, 260)
        expected = BigBirdModel.from_pretrained(model).eval().forward_packed(ids, [60])
        found = BigBirdModel.from_pretrained(tmp_path / "encoder" / "bigbird").eval().forward_packed(ids, [60])
    assert torch.equal(found, expected)


def test_the_recipe_explains_its_steps():
    found = subprocess.run(["sh", str(MODELS / "recipe.sh"), "unknown"], capture_output=True, text=True)
    assert found.returncode == 2
    steps = re.findall(r"^([a-z-]+)\)$", (MODELS / "recipe.sh").read_text(encoding="utf8"), flags=re.MULTILINE)
    assert {"texts", "entities", "effects"} < set(steps) and all(step in found.stdout for step in steps)
    assert all(line.startswith("#") for line in found.stdout.splitlines())


def test_positions_never_seen_become_what_a_linear_change_makes_of_them():
    torch.manual_seed(0)
    start = positions.position_rows(300, positions.rates(32), 0.02)
    change, shift = torch.eye(32) + 0.3 * torch.randn(32, 32), 0.02 * torch.randn(32)
    wanted = start @ change + shift
    trained = torch.cat([wanted[:128], start[128:]])
    found = stretch.stretched(start, trained, 128, 1e-12)
    assert torch.equal(found[:128], wanted[:128])
    assert torch.allclose(found, wanted, atol=1e-3)


def test_logs_of_runs_that_follow_each_other_are_counted_through():
    logs = [[{"step": 5}, {"step": 10}], [{"step": 4}]]
    assert [line["step"] for line in export.joined(logs)] == [5, 10, 14]
