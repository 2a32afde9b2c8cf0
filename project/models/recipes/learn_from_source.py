"""Adapt the warm-started model "small" to its new vocabulary and to whole documents. It learns to predict masked pieces
and to produce, for each unmasked word, the vector that the source produces.

The source reads the text in windows of its own 512 pieces, the model in sequences of up to 4,096. It thereby learns to
do with a whole document what the source does with a paragraph. The output is a checkpoint with a log like that of
`pretrain`. A run that was stopped, or is given more steps, continues from its last saved state.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import srsly
import torch
from torch import Tensor, nn
from tqdm import tqdm
from transformers import AutoModel, AutoTokenizer

from spacy_bigbird.model import BigBirdForMaskedLM
from spacy_bigbird.pretraining.log import LOG_NAME, read_log
from spacy_bigbird.pretraining.masking import PieceTable, generator_of, mask_pieces
from spacy_bigbird.pretraining.settings import MaskingSettings
from spacy_bigbird.scoring.masked_lm import score_guesses
from spacy_bigbird.tokenizer import BigBirdTokenizer

from .arguments import require

BATCH_PIECES = 4096
# The pieces that the source reads of a short text at once; for longer texts, the context that it reads on either side
# of the pieces taken from a window, and the number of these pieces.
WHOLE, CONTEXT, TAKEN = 510, 63, 384
LOG_EVERY, SAVE_EVERY = 20, 20
STATE = "state.pt"


class Source:
    """The encoder to learn from.

    folder (Path): its checkpoint, in the format of transformers.
    device (str): the device to compute on.
    """

    def __init__(self, folder: Path, device: str = "cpu") -> None:
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = AutoModel.from_pretrained(folder, add_pooling_layer=False).eval().to(device)

    @torch.no_grad()
    def __call__(self, text: str) -> tuple[Tensor, np.ndarray]:
        """Encode a text.

        text (str): a text of any length.
        RETURNS (tuple[Tensor, ndarray]): the states of its pieces, and where each piece ends in the text, in
            characters. Shapes: (pieces, width) and (pieces,).
        """
        pieces = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        ids = pieces["input_ids"]
        taken_at_once = WHOLE if len(ids) <= WHOLE else TAKEN
        starts = range(0, len(ids), taken_at_once)
        windows = [
            [self.tokenizer.cls_token_id, *ids[max(0, start - CONTEXT) : start + taken_at_once + CONTEXT]]
            for start in starts
        ]
        windows = [torch.tensor([*window, self.tokenizer.sep_token_id]) for window in windows]
        padded = nn.utils.rnn.pad_sequence(windows, batch_first=True).to(self.model.device)
        mask = nn.utils.rnn.pad_sequence([torch.ones(len(window)) for window in windows], batch_first=True).to(padded)
        states = self.model(input_ids=padded, attention_mask=mask).last_hidden_state.float()
        taken = []
        for row, start in zip(states, starts, strict=True):
            first = 1 + min(start, CONTEXT)
            taken.append(row[first : first + min(taken_at_once, len(ids) - start)])
        return torch.cat(taken), np.array(pieces["offset_mapping"])[:, 1]


def words_of(ends: np.ndarray, text: str) -> np.ndarray:
    """Get the index of the word that each piece ends in. Words are separated by white space.

    ends (ndarray): where the pieces end in the text. Shape: (pieces,).
    text (str): the text.
    RETURNS (ndarray): the indices. Shape: (pieces,).
    """
    number = np.cumsum([character.isspace() for character in text])
    return number[ends - 1]


def means_of(states: Tensor, words: np.ndarray, count: int) -> tuple[Tensor, Tensor]:
    """Average the states of the pieces of each word.

    states (Tensor): states of the pieces. Shape: (pieces, width).
    words (ndarray): index of each piece's word, or -1 to leave out a piece. Shape: (pieces,).
    count (int): number of words.
    RETURNS (tuple[Tensor, Tensor]): mean state and number of pieces of each word. Shapes: (words, width) and (words,).
    """
    kept = torch.from_numpy(np.flatnonzero(words >= 0)).to(states.device)
    index = torch.from_numpy(words).to(states.device)[kept]
    sums = states.new_zeros(count, states.shape[1]).index_add(0, index, states[kept])
    pieces = torch.bincount(index, minlength=count)
    return sums / pieces.clamp(min=1)[:, None], pieces


def share_unexplained(states: Tensor, wanted: Tensor) -> Tensor:
    """Compute the squared distance between states, as a share of the variance of the wanted states.

    states, wanted (Tensor): the states. Shape: (words, width).
    RETURNS (Tensor): the share, which is 0 if the states are equal. Shape: ().
    """
    return (states - wanted).square().sum() / (wanted - wanted.mean(0)).square().sum()


class Lesson:
    """The sequences of a step.

    samples (Sequence[tuple[str, TextPieces]]): stretches of text with their pieces, whose offsets are relative to the
        stretch.
    table (PieceTable): the vocabulary.
    key (int): key of the step, which determines what is masked.
    """

    def __init__(self, samples: Sequence[tuple[str, Any]], table: PieceTable, key: int) -> None:
        self.texts = [text for text, _ in samples]
        self.lengths = [len(pieces) + 2 for _, pieces in samples]
        ids, places, labels, self.words = [], [], [], []
        first = 0
        for number, (text, pieces) in enumerate(samples):
            masked = mask_pieces(
                np.array([table.cls_id, *pieces.ids, table.sep_id]), table, MaskingSettings(), generator_of(key, number)
            )
            ids.append(masked.ids)
            places.append(first + masked.places)
            labels.append(masked.labels)
            words = np.full(len(masked.ids), -1)
            words[1:-1] = words_of(pieces.offsets[:, 1], text)
            # A word with a masked piece is not fully visible, so its vector is not compared.
            words[np.isin(words, words[masked.places])] = -1
            self.words.append(words)
            first += len(masked.ids)
        self.ids, self.places, self.labels = (torch.from_numpy(np.concatenate(part)) for part in (ids, places, labels))

    def losses(self, model: BigBirdForMaskedLM, source: Source) -> tuple[Tensor, Tensor, Tensor]:
        """RETURNS (tuple[Tensor, Tensor, Tensor]): the loss of the masked pieces (nats), the share of the source's
        variance that the model does not explain, and the share of masked pieces predicted correctly."""
        ids, places, labels = (part.to(source.model.device) for part in (self.ids, self.places, self.labels))
        states = model.bigbird.forward_packed(ids, self.lengths)
        nats, is_guessed = score_guesses(model.lm_head(states[places]), labels)
        ours, theirs = [], []
        for text, words, own in zip(self.texts, self.words, states.float().split(self.lengths), strict=True):
            wanted, ends = source(text)
            count = len(text)
            own_means, own_pieces = means_of(own, words, count)
            wanted_means, wanted_pieces = means_of(wanted, words_of(ends, text), count)
            both = (own_pieces > 0) & (wanted_pieces > 0)
            ours.append(own_means[both])
            theirs.append(wanted_means[both])
        return nats.mean(), share_unexplained(torch.cat(ours), torch.cat(theirs)), is_guessed.float().mean()


class Reader:
    """Reads stretches of text indefinitely: after the last text, the first one follows again.

    path (Path): a .jsonl file with `text`.
    tokenizer (BigBirdTokenizer): the new vocabulary.
    read (int): number of texts that were begun before.
    """

    def __init__(self, path: Path, tokenizer: BigBirdTokenizer, read: int) -> None:
        self.texts = [record["text"] for record in srsly.read_jsonl(path) if record["text"].strip()]
        if not self.texts:
            raise ValueError(f"{path} holds no text: expected a JSON object with `text` in each line")
        self.tokenizer = tokenizer
        self.read = read
        self.text, self.left = "", None

    def next(self, length: int) -> tuple[str, Any]:
        """Read on.

        length (int): maximum length of the sequence. Unit: pieces.
        RETURNS (tuple[str, TextPieces]): a stretch as in `Lesson`.
        """
        while self.left is None or not len(self.left):
            self.text = self.texts[self.read % len(self.texts)]
            self.read += 1
            (self.left,) = self.tokenizer.text_pieces([self.text])
        part, self.left = self.left[: length - 2], self.left[length - 2 :]
        first, end = int(part.offsets[0, 0]), int(part.offsets[-1, 1])
        return self.text[first:end], type(part)(part.ids, part.offsets - first)


def length_at(step: int, steps: int, lengths: Sequence[int]) -> int:
    """RETURNS (int): maximum length of a step's sequences. Two lengths halve the steps, more take turns."""
    return lengths[step % len(lengths) if len(lengths) > 2 else 2 * step >= steps]


def rate_at(step: int, steps: int, warmup: int) -> float:
    """RETURNS (float): learning rate of a step as a share of the peak: rising for `warmup` steps, then falling."""
    return min((step + 1) / max(1, warmup), (steps - step) / max(1, steps - warmup))


def main(arguments: Sequence[str] | None = None) -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("source", type=Path, help="folder of the source encoder")
    options.add_argument("start", type=Path, help="the warm-started checkpoint")
    options.add_argument("texts", type=Path, help="a .jsonl file with `text`")
    options.add_argument("output", type=Path)
    options.add_argument("--steps", type=int, default=2000, help="of 4,096 pieces each (default: 2000)")
    lengths = "two: for the first and the second half (default: 512 4096); more: one a step, in turns"
    options.add_argument("--lengths", type=int, nargs="+", default=[512, 4096], help=lengths)
    precision = "of products (default: bf16); fp32 is faster on CPUs without instructions for bf16"
    options.add_argument("--precision", choices=["bf16", "fp32"], default="bf16", help=precision)
    options.add_argument("--skip", type=int, default=0, help="texts that an earlier run has read (default: 0)")
    options.add_argument("--rate", type=float, default=2e-4, help="highest learning rate of the layers")
    options.add_argument("--new-rate", type=float, default=1e-3, help="of the vectors of pieces and of the new head")
    options.add_argument("--weight", type=float, default=5.0, help="of the source's vectors in the loss")
    given = options.parse_args(arguments)
    require(options, given.source, given.start, given.texts)
    if given.skip < 0:
        options.error(f"--skip is {given.skip}, expected 0 or more")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = BigBirdForMaskedLM.from_pretrained(given.start).train().to(device)
    tokenizer = BigBirdTokenizer.from_pretrained(given.start, map_whitespace=True)
    new = {id(weight) for weight in (*model.lm_head.parameters(), model.bigbird.embeddings.word_embeddings.weight)}
    groups = [
        {"params": [weight for weight in model.parameters() if (id(weight) in new) == is_new], "highest": rate}
        for is_new, rate in ((False, given.rate), (True, given.new_rate))
    ]
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.98), weight_decay=0.01, fused=True)
    step, read = 0, given.skip
    if (given.output / STATE).exists():
        state = torch.load(given.output / STATE, weights_only=True, map_location=device)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        step, read = state["step"], state["read"]
    given.output.mkdir(parents=True, exist_ok=True)
    log = given.output / LOG_NAME
    # Steps that were logged after the last saved state are repeated.
    srsly.write_jsonl(log, [line for line in read_log(log) if line["step"] <= step])
    learn(model, tokenizer, Source(given.source, device), optimizer, given, step, read)
    model.eval().save_pretrained(given.output)
    tokenizer.save_pretrained(given.output)


def learn(
    model: BigBirdForMaskedLM,
    tokenizer: BigBirdTokenizer,
    source: Source,
    optimizer: torch.optim.AdamW,
    given: argparse.Namespace,
    step: int,
    read: int,
) -> None:
    """Train from `step` to the last step, after `read` texts were begun before."""
    table = PieceTable.of(tokenizer)
    device = source.model.device.type
    progress = tqdm(total=given.steps, initial=step, desc="Learning from the source", unit="step", mininterval=5)
    window: list[tuple[float, ...]] = []
    reader = Reader(given.texts, tokenizer, read)
    started = time.perf_counter()
    while step < given.steps:
        length = length_at(step, given.steps, given.lengths)
        batch, pieces = [], 0
        while pieces <= BATCH_PIECES - length // 2:
            text, part = reader.next(length)
            batch.append((text, part))
            pieces += len(part) + 2
        with torch.autocast(device, dtype=torch.bfloat16, enabled=given.precision == "bf16"):
            loss, unexplained, guessed = Lesson(batch, table, step).losses(model, source)
        (loss + given.weight * unexplained).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for group in optimizer.param_groups:
            group["lr"] = group["highest"] * rate_at(step, given.steps, given.steps // 20)
        optimizer.step()
        optimizer.zero_grad()
        step += 1
        window.append((loss.item(), unexplained.item(), guessed.item(), pieces))
        progress.update()
        if step % LOG_EVERY == 0 or step == given.steps:
            seconds = time.perf_counter() - started
            started = time.perf_counter()
            means = np.mean(window, axis=0).tolist()
            line = {"kind": "train", "step": step, "loss": means[0], "source_missed": means[1], "length": length}
            line |= {"masked_accuracy": means[2], "seconds_per_step": seconds / len(window)}
            line |= {"pieces_per_second": means[3] * len(window) / seconds}
            window.clear()
            rounded = {name: round(value, 4) if isinstance(value, float) else value for name, value in line.items()}
            srsly.write_jsonl(given.output / LOG_NAME, [rounded], append=True, append_new_line=False)
        if step % SAVE_EVERY == 0 or step == given.steps:
            content = {
                "model": model.state_dict(),
                "optimizer": optimizer.state_dict(),
                "step": step,
                "read": reader.read,
            }
            torch.save(content, given.output / f"{STATE}.part")
            (given.output / f"{STATE}.part").replace(given.output / STATE)
    progress.close()


if __name__ == "__main__":
    main()
