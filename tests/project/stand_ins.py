"""A few documents in the true format of each asset, and a project's folder to work in."""

import io
import itertools
import json
import lzma
import shutil
import tarfile
from pathlib import Path

import torch

from spacy_bigbird.model import BigBirdConfig, BigBirdModel
from spacy_bigbird.tokenizer import BigBirdTokenizer
from tests.toy_text import toy_texts

PROJECT = Path(__file__).parent.parent.parent / "project"
MODELS = PROJECT / "models"
# Three documents of LitBank: natural text and the innermost mentions; upstream, tokenized text and all mentions.
SENTENCES = [
    ("Anna Karenina left the old house in Moscow.", "Anna Karenina left the old house in Moscow ."),
    ("Her brother's ship reached the harbour.", "Her brother 's ship reached the harbour ."),
    ("The army of France slept in the forest.", "The army of France slept in the forest ."),
]
MENTIONS = [
    [("Anna Karenina", "PER"), ("the old house", "FAC"), ("Moscow", "GPE")],
    [("Her brother", "PER"), ("ship", "VEH"), ("the harbour", "FAC")],
    [("France", "GPE"), ("the forest", "LOC")],
]
OUTER = [[("the old house in Moscow", "FAC")], [("Her brother 's ship", "VEH")], [("The army of France", "ORG")]]
NOVELS = ["11_first", "22_second", "33_third"]
PARTS = ["train", "dev", "test"]


def litbank_texts(repeats: int, form: int) -> list[str]:
    """All sentences again and again, each document beginning with another one."""
    separator = " " if form == 0 else "\n"
    return [separator.join(SENTENCES[(i + k) % 3][form] for k in range(3 * repeats)) for i in range(3)]


def find_all(text: str, mentions: list[tuple[str, str]]) -> list[tuple[int, int, str]]:
    found = []
    for mention, label in mentions:
        start = text.find(mention)
        while start >= 0:
            found.append((start, start + len(mention), label))
            start = text.find(mention, start + 1)
    return sorted(found)


def write_litbank_converted(folder: Path, repeats: int = 1) -> None:
    mentions = list(itertools.chain(*MENTIONS))
    path = folder / "litbank" / "litbank_ner.jsonl.xz"
    path.parent.mkdir(parents=True)
    with lzma.open(path, "wt", encoding="utf8") as file:
        for name, part, text in zip(NOVELS, PARTS, litbank_texts(repeats, 0), strict=True):
            inner = find_all(text, mentions)
            row = {"id": name, "gutenberg_id": name[:2], "split": part, "text": text, "entities": inner}
            file.write(json.dumps({**row, "entities_inner": inner, "spans_nested": inner}) + "\n")


def write_litbank_upstream(root: Path, repeats: int = 1) -> None:
    files = {"litbank-abc/README.md": "# LitBank"}
    for name, text in zip(NOVELS, litbank_texts(repeats, 1), strict=True):
        mentions = find_all(text, list(itertools.chain(*MENTIONS, *OUTER)))
        lines = [f"T{i}\t{label} {start} {end}\t{text[start:end]}" for i, (start, end, label) in enumerate(mentions, 1)]
        files[f"litbank-abc/entities/brat/{name}_brat.txt"] = text
        files[f"litbank-abc/entities/brat/{name}_brat.ann"] = "\n".join([*lines, "A1\tnested T1"]) + "\n"
        files[f"litbank-abc/entities/tsv/{name}_brat.tsv"] = "not\tread\n"
    write_archive(root / "assets" / "litbank.tar.gz", files)


def write_archive(path: Path, files: dict[str, str]) -> None:
    """A tar file, compressed as its name says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, f"w:{path.suffix[1:]}") as archive:
        for name, text in files.items():
            content = text.encode("utf8")
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def novel_files(paragraphs: int = 12) -> dict[str, str]:
    """Novels of two authors, three and two; one without a name and one too young."""
    texts = toy_texts(8 * paragraphs)
    titles = ["Austen_Emma_1815", "Austen_Sense_1811", "Austen_Park_1814", "Doyle_Lost_1912", "Doyle_Hound_1902"]
    titles += ["Anon_Clara_1864", "Woolf_Years_1937"]
    files = {}
    for number, title in enumerate(titles):
        author = title.partition("_")[0]
        own = [f"{author} {text}" * (1 + 80 // len(text)) for text in texts[number :: len(titles)][:paragraphs]]
        files[f"{title}.txt"] = "\ufeff A NOVEL\r\nby " + author + "\r\n" + "\r\n".join(own) + "\r\n"
    return files


def write_novels(folder: Path, is_converted: bool) -> None:
    if is_converted:
        write_archive(folder / "raw_english_novels_98" / "english_novels_98.tar.xz", novel_files())
    else:
        files = {f"100_english_novels-abc/corpus/{name}": text for name, text in novel_files().items()}
        write_archive(folder / "assets" / "english_novels.tar.gz", files)


ARTICLES = {
    "Paprika": ("Everyday_life", "The word paprika means a red spice made of peppers. It is hot in soups and stews."),
    "Lake_%C3%96": ("Geography", "The lake lies in the north of the country. Its shores are steep and wooded."),
    "Old_Bridge": ("Geography", "The bridge crosses the river in the town. Boats pass below its three arches."),
}


def write_articles_upstream(root: Path) -> None:
    files = {}
    rows = ["# FORMAT:   article   category", ""]
    for name, (label, text) in ARTICLES.items():
        rows.append(f"{name}\tsubject.{label}.Something")
        title = name.replace("_", " ")
        subjects = "2007 Schools Wikipedia Selection. Related subjects: Food and\nagriculture; Lakes"
        wrapped = text.replace(". ", ".\n   ")
        files[f"repo-abc/data/plaintext_articles/{name}.txt"] = (
            f"   #copyright\n\n{title}\n\n{subjects}\n\n   {wrapped}\n   Enlarge\n\nHistory\n\n   It is old.\n"
        )
    files["repo-abc/data/plaintext_articles/Two.txt"] = "   #copyright\n\nTwo\n\n   Two subjects.\n"
    rows += ["Two\tsubject.History.A", "Two\tsubject.People.B", "Two\tsubject.People.C"]
    files["repo-abc/data/wikispeedia_paths-and-graph/categories.tsv"] = "\n".join(rows) + "\n"
    write_archive(root / "assets" / "wikispeedia.tar.gz", files)


def write_articles_converted(folder: Path) -> None:
    path = folder / "wikispeedia" / "wikispeedia_articles.jsonl.xz"
    path.parent.mkdir(parents=True)
    with lzma.open(path, "wt", encoding="utf8") as file:
        for part, (name, (label, text)) in zip(PARTS, ARTICLES.items(), strict=True):
            row = {"id": name, "title": name, "labels": [label], "categories": [f"subject.{label}.Something"]}
            file.write(json.dumps({**row, "text": f"{name}\n\n{text}\n\nHistory\n\nIt is old.", "split": part}) + "\n")
        file.write(json.dumps({"id": "Two", "labels": ["History", "People"], "text": "Two", "split": "train"}) + "\n")


def copy_project(folder: Path) -> Path:
    """The project without what trainings leave behind."""
    root = folder / "project"
    for name in ("workflows", "configs"):
        shutil.copytree(PROJECT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROJECT / "project.yml", root)
    return root


def write_checkpoint(folder: Path, vocab_file: str | Path, layers: int) -> Path:
    """Write an encoder with random weights in half precision and its vocabulary. RETURNS (Path): the folder."""
    tokenizer = BigBirdTokenizer(vocab_file)
    torch.manual_seed(0)
    shape = {"hidden_size": 16, "num_hidden_layers": layers, "num_attention_heads": 2, "intermediate_size": 16}
    config = BigBirdConfig(vocab_size=tokenizer.vocab_size, max_position_embeddings=256, **shape)
    BigBirdModel(config, add_pooling_layer=False).half().save_pretrained(folder)
    tokenizer.save_vocabulary(folder)
    return folder
