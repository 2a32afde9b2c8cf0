"""Continue texts piece by piece."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...errors import Errors
from .cache import KeyValueCache

# Ids, mask, positions and a cache -> scores of the next piece, and the cache to continue from (None without caching).
NextLogits = Callable[[Tensor, Tensor, Tensor, KeyValueCache | None], tuple[Tensor, KeyValueCache | None]]


@dataclass
class Sampler:
    """Draw pieces at random according to their scores.

    temperature (float): divisor of the scores, above 0.
    top_k (int | None): draw only from this number of best pieces, at least 1, and those with the same score as the last
        of them.
    top_p (float | None): draw only from the smallest number of best pieces whose probabilities add up to this, above 0
        and up to 1 (nucleus sampling, Holtzman et al. 2020).
    generator (torch.Generator | None): source of random numbers; None for a new one with a nondeterministic seed.

    RAISES ValueError: a value is not allowed.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    generator: torch.Generator | None = None

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise _not_allowed("temperature", self.temperature, "a number above 0 (do_sample=False takes the best)")
        if self.top_k is not None and (not isinstance(self.top_k, int) or self.top_k < 1):
            raise _not_allowed("top_k", self.top_k, "a whole number of at least 1, or None")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise _not_allowed("top_p", self.top_p, "above 0 and up to 1, or None")

    def draw(self, logits: Tensor) -> Tensor:
        """Draw one piece for each row.

        logits (Tensor): scores. Shape: (batch, vocab_size).
        RETURNS (Tensor): ids of the pieces. Shape: (batch,).
        """
        if self.generator is None:
            self.generator = torch.Generator(logits.device)
            self.generator.seed()
        probabilities = self.probabilities(logits)
        # A CPU generator can be used with every device, and then draws the same on all of them.
        drawn = torch.multinomial(probabilities.to(self.generator.device), 1, generator=self.generator)
        return drawn.squeeze(1).to(logits.device)

    def probabilities(self, logits: Tensor) -> Tensor:
        """Compute the probability with which each piece is drawn.

        logits (Tensor): scores. Shape: (batch, vocab_size).
        RETURNS (Tensor): probabilities. Shape: (batch, vocab_size).
        """
        # With a best score of 0, no temperature can make a score overflow to infinity.
        logits = logits.float()
        logits = (logits - logits.amax(-1, keepdim=True)) / self.temperature
        if self.top_k is not None:
            lowest = logits.topk(min(self.top_k, logits.shape[-1])).values[:, -1:]
            logits = logits.masked_fill(logits < lowest, -torch.inf)
        if self.top_p is not None:
            ordered, pieces = logits.softmax(-1).sort(descending=True, stable=True)
            # A piece is kept if the better ones do not reach top_p together; the best one always is.
            superfluous = ordered.cumsum(-1) - ordered >= self.top_p
            superfluous[:, 0] = False
            logits = logits.masked_fill(superfluous.scatter(1, pieces, superfluous), -torch.inf)
        return logits.softmax(-1)


@torch.no_grad()
def generate(
    next_logits: NextLogits,
    input_ids: Tensor,
    attention_mask: Tensor | None,
    max_new_tokens: int,
    sampler: Sampler | None,
    eos_token_id: int | Sequence[int] | None,
    pad_token_id: int | None,
    max_positions: int,
) -> Tensor:
    """Continue prompts until each of them has ended, or has been given the maximum number of new pieces.

    next_logits (NextLogits): the model.
    input_ids (Tensor): ids of the prompts, padded on the left. Shape: (batch, prompt).
    attention_mask (Tensor | None): 1 for pieces, 0 for padding; None for no padding. Shape: (batch, prompt).
    max_new_tokens (int): maximum number of new pieces.
    sampler (Sampler | None): draws pieces; None to take the best ones.
    eos_token_id (int | Sequence[int] | None): id of the piece that ends a row, or several; None if no piece does.
    pad_token_id (int | None): id that fills up a row that has ended; None for 0.
    max_positions (int): longest sequence that the model supports. Unit: pieces.
    RETURNS (Tensor): ids of the prompts and their continuations. Shape: (batch, prompt + new).
    RAISES ValueError: a prompt is empty or padded on the right, or there would be more pieces than positions.
    """
    mask = _check_prompts(input_ids, attention_mask, max_new_tokens, max_positions)
    ids, new_ids = input_ids, input_ids
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    cache: KeyValueCache | None = None
    has_ended = torch.zeros(len(ids), dtype=torch.bool, device=ids.device)
    ends = None if eos_token_id is None else torch.tensor(eos_token_id, device=ids.device).reshape(-1)
    for _ in range(max_new_tokens):
        if cache is None:
            logits, cache = next_logits(ids, mask, positions, None)
        else:
            logits, cache = next_logits(new_ids, mask, positions[:, -1:], cache)
        best = logits.argmax(-1) if sampler is None else sampler.draw(logits)
        new_ids = best.masked_fill(has_ended, pad_token_id or 0)[:, None]
        ids = torch.cat([ids, new_ids], dim=1)
        if ends is not None:
            has_ended = has_ended | torch.isin(new_ids[:, 0], ends)
            if bool(has_ended.all()):
                break
        mask = torch.cat([mask, mask.new_ones(len(mask), 1)], dim=1)
        positions = torch.cat([positions, positions[:, -1:] + 1], dim=1)
    return ids


def _check_prompts(input_ids: Tensor, attention_mask: Tensor | None, max_new_tokens: int, max_positions: int) -> Tensor:
    """Check prompts and complete their mask.

    RETURNS (Tensor): 1 for pieces, 0 for padding. Shape: (batch, prompt).
    """
    if not isinstance(max_new_tokens, int) or max_new_tokens < 1:
        raise _not_allowed("max_new_tokens", max_new_tokens, "a whole number of at least 1")
    mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask.long()
    if input_ids.dim() != 2 or mask.shape != input_ids.shape:
        shapes = f"{tuple(input_ids.shape)} and {tuple(mask.shape)}"
        raise _not_allowed("input_ids and attention_mask", shapes, "the same shape (batch, prompt)")
    columns = input_ids.shape[1]
    if columns == 0 or not bool((mask[:, -1] == 1).all()):
        raise ValueError(Errors.BB106.format(columns=columns))
    if columns + max_new_tokens > max_positions:
        raise ValueError(Errors.BB107.format(prompt=columns, new=max_new_tokens, limit=max_positions))
    return mask


def _not_allowed(name: str, value: object, expected: str) -> ValueError:
    return ValueError(Errors.BB103.format(name=f"generate: {name}", given=value, expected=expected))
