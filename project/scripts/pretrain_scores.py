"""How well encoders guess masked pieces of articles that they have not learned from, all of them the same pieces."""

import math
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import srsly
import torch
from spacy.util import load_config

from spacy_bigbird.model import BigBirdForMaskedLM
from spacy_bigbird.tokenizer import BigBirdTokenizer
from spacy_bigbird.training.masking import PieceTable

from .measuring import speed
from .preprocess import SPLIT_SEED
from .statistics import Counts, by_length, by_position, interval, mean
from .train import peak_memory

QUARTERS = 4
EVALUATED, MASKED_SHARE = 200, 0.15


class Masked(NamedTuple):
    """An article with pieces to guess.

    ids (ndarray): its pieces, without special ones. places (ndarray): which of them are masked, ascending.
    """

    ids: np.ndarray
    places: np.ndarray


def masked_articles(
    corpus: Path, part: str, tokenizer: BigBirdTokenizer, table: PieceTable, longest: int
) -> list[Masked]:
    """Choose what is to be guessed, the same for every system.

    corpus (Path): folder of the texts. part (str): "test". tokenizer (BigBirdTokenizer), table (PieceTable): the
    vocabulary. longest (int): pieces of an article that are read.
    RETURNS (list[Masked]): articles with 15 % of their pieces masked, each of them by itself.
    """
    texts = [row["text"] for row in srsly.read_jsonl(corpus / f"{part}.jsonl")]
    # In the order of their names: a sample of all subjects.
    chosen = texts[:: max(1, len(texts) // EVALUATED)][:EVALUATED]
    articles = []
    for number, ids in enumerate(tokenizer.text_ids(chosen, num_threads=1)):
        ids = np.asarray(ids)[:longest]
        ordinary = np.flatnonzero(~table.is_special[ids])
        count = round(MASKED_SHARE * len(ordinary))
        if count:
            drawn = np.random.default_rng([SPLIT_SEED, number]).choice(ordinary, count, replace=False)
            articles.append(Masked(ids, np.sort(drawn)))
    return articles


def guess(model: BigBirdForMaskedLM, article: Masked, table: PieceTable, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Let a model guess the masked pieces of an article, which it reads in stretches.

    model (BigBirdForMaskedLM): the model. article (Masked): the article. table (PieceTable): the vocabulary.
    length (int): pieces of a stretch, [CLS] and [SEP] included.
    RETURNS (tuple[ndarray, ndarray]): of each masked piece the bits that it costs, and whether it was the best guess.
    """
    ids, room = article.ids.copy(), length - 2
    ids[article.places] = table.mask_id
    parts = [ids[start : start + room] for start in range(0, len(ids), room)]
    flat = np.concatenate([np.concatenate([[table.cls_id], part, [table.sep_id]]) for part in parts])
    rows = torch.from_numpy(article.places + 1 + 2 * (article.places // room))
    labels = torch.from_numpy(article.ids[article.places].astype(np.int64))
    device = model.lm_head.bias.device
    with torch.no_grad():
        states = model.bigbird.forward_packed(
            torch.from_numpy(flat.astype(np.int64)).to(device), [len(p) + 2 for p in parts]
        )
        scores = model.lm_head(states[rows.to(device)]).float().log_softmax(-1).cpu()
    bits = -scores[torch.arange(len(labels)), labels].numpy() / math.log(2)
    return bits.astype(np.float64), (scores.argmax(-1) == labels).numpy()


def measure(folder: Path, corpus: Path, first_pieces: int | None) -> dict[str, Any]:
    """Scores on the test articles; see `tasks.Task`. All systems guess the same pieces of the same articles.

    folder (Path): the checkpoint, with the config of its training.
    """
    config = load_config(folder / "config.cfg")
    length = max(pieces for _, pieces in config["training"]["lengths"])
    model = BigBirdForMaskedLM.from_pretrained(folder).eval()
    tokenizer = BigBirdTokenizer.from_pretrained(folder, map_whitespace=True)
    table = PieceTable.of(tokenizer)
    longest = model.config.max_position_embeddings - 2
    articles = masked_articles(corpus, "test", tokenizer, table, longest)
    frequency = piece_frequencies(corpus, tokenizer)
    right, bits, alone, alone_bits = (np.zeros((len(articles), 2)) for _ in range(4))
    quarters = np.zeros((len(articles), QUARTERS, 2))
    start, cpu_start = time.monotonic(), time.process_time()
    for number, article in enumerate(articles):
        cost, is_right = guess(model, article, table, length)
        labels = article.ids[article.places]
        characters = float(table.characters[labels].sum())
        right[number], bits[number] = (is_right.sum(), len(labels)), (cost.sum(), characters)
        alone[number] = ((labels == frequency.argmax()).sum(), len(labels))
        alone_bits[number] = (-np.log2(frequency[labels]).sum(), characters)
        places = article.places * QUARTERS // len(article.ids)
        np.add.at(quarters[number], places, np.stack([is_right, np.ones(len(labels))], axis=1))
    cpu, wall = time.process_time() - cpu_start, time.monotonic() - start
    pieces = sum(len(article.ids) for article in articles)
    return {
        "documents": len(articles),
        "sequence_length": length,
        "scores": {"masked_accuracy": interval(right, mean), "bits_per_character": interval(bits, mean)},
        "baselines": {
            "frequency of the pieces": {
                **interval(alone, mean),
                "counts": alone.tolist(),
                "bits_per_character": interval(alone_bits, mean),
            }
        },
        "by_length": by_length(right, [len(article.ids) for article in articles], mean),
        "by_position": by_position(quarters, mean),
        "counts": right.tolist(),
        "bits": bits.tolist(),
        "speed": speed(pieces, cpu, wall),
        "memory": {"peak_mb": peak_memory()},
    }


def piece_frequencies(corpus: Path, tokenizer: BigBirdTokenizer, documents: int = 400) -> Counts:
    """RETURNS (Counts): how frequent each piece is in texts to learn from; none is without a share."""
    rows = srsly.read_jsonl(corpus / "train.jsonl")
    counts = np.ones(tokenizer.vocab_size)
    for ids in tokenizer.text_ids([row["text"] for row, _ in zip(rows, range(documents), strict=False)], num_threads=1):
        np.add.at(counts, np.asarray(ids), 1)
    return counts / counts.sum()
