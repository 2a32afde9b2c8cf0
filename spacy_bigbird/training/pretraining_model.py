"""What a pre-training run changes: the model, the loss, the optimizer and its learning rate."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import Errors
from ..model.config import BigBirdConfig
from ..model.heads.lm_head import LanguageModel
from ..model.heads.masked_lm import BigBirdForMaskedLM
from ..model.heads.pretraining import BigBirdForPreTraining
from ..tokenizer import BigBirdTokenizer
from .batch_loader import Batch
from .pretraining_settings import OptimizerSettings, PretrainingSettings, TrainingSettings


def load_tokenizer(settings: PretrainingSettings) -> BigBirdTokenizer:
    """settings (PretrainingSettings): name a vocabulary or a checkpoint.
    RETURNS (BigBirdTokenizer): the tokenizer; white space is mapped as in a spaCy pipeline.
    """
    if settings.paths.vocab is not None:
        return BigBirdTokenizer(settings.paths.vocab, map_whitespace=True)
    return BigBirdTokenizer.from_pretrained(str(settings.model.name), map_whitespace=True)


def build_model(settings: PretrainingSettings, tokenizer: BigBirdTokenizer) -> LanguageModel:
    """Load the model to start from, or draw random weights, which the seed decides.

    settings (PretrainingSettings): name a checkpoint, or give the fields of a configuration.
    tokenizer (BigBirdTokenizer): the vocabulary, whose ids the configuration takes over.
    RETURNS (LanguageModel): the model in training mode.
    RAISES ValueError: vocabulary, sequences and model do not fit each other.
    """
    torch.manual_seed(settings.training.seed)
    kind = BigBirdForPreTraining if settings.training.next_sentence else BigBirdForMaskedLM
    fields = dict(settings.model.transformer_config)
    known = {field.name for field in dataclasses.fields(BigBirdConfig)} - {"extra"}
    unknown = sorted(set(fields) - known)
    if unknown:
        given = f"{', '.join(unknown)} in model.transformer_config"
        raise ValueError(
            Errors.BB352.format(given=given, expected=f"fields of BigBirdConfig: {', '.join(sorted(known))}")
        )
    ids = {name: index for name, index in tokenizer.config_fields.items() if name != "vocab_size"}
    if settings.model.name is None:
        # A vocab_size that is given may be wrong, which is said below; ids of special pieces are the vocabulary's.
        config = BigBirdConfig(**{**tokenizer.config_fields, **fields}).replace(**ids)
        _check(config, settings, tokenizer)
        model: LanguageModel = kind(config)
    else:
        model = kind.from_pretrained(settings.model.name, **fields)
        model.config = model.bigbird.config = model.config.replace(**ids)
        _check(model.config, settings, tokenizer)
    model.gradient_checkpointing = settings.model.gradient_checkpointing
    if model.bigbird.pooler is not None:
        # Without next sentences nothing reads [CLS], and a weight without gradient would block several processes.
        model.bigbird.pooler.requires_grad_(settings.training.next_sentence)
    return model.train()


def _check(config: BigBirdConfig, settings: PretrainingSettings, tokenizer: BigBirdTokenizer) -> None:
    longest = settings.training.longest
    if config.vocab_size != tokenizer.vocab_size:
        given = f"a model for {config.vocab_size} pieces and a vocabulary of {tokenizer.vocab_size}"
        raise ValueError(Errors.BB352.format(given=given, expected="the same number (paths.vocab, model.name)"))
    if longest > config.max_position_embeddings:
        given = (
            f"training.lengths up to {longest} pieces and max_position_embeddings = {config.max_position_embeddings}"
        )
        raise ValueError(Errors.BB352.format(given=given, expected="no sequence longer than the model's positions"))
    if config.is_decoder:
        raise ValueError(Errors.BB352.format(given="a decoder (is_decoder)", expected="an encoder"))


@dataclass(frozen=True, eq=False)
class Guesses:
    """How well a batch was guessed.

    losses (Tensor): negative log-likelihood of each masked piece. Shape: (masked,). Unit: nats.
    is_right (Tensor): whether the best guess was the piece. Shape: (masked,).
    pair_losses (Tensor): the same of each sequence's second half; empty without next sentences. Shape: (sequences,).
    pair_is_right (Tensor): whether it was told right. Shape: (sequences,).
    """

    losses: Tensor
    is_right: Tensor
    pair_losses: Tensor
    pair_is_right: Tensor

    def sums(self) -> Tensor:
        """RETURNS (Tensor): the four summed up. Shape: (4,)."""
        parts = (self.losses, self.is_right, self.pair_losses, self.pair_is_right)
        return torch.stack([part.float().sum() for part in parts])


class PretrainingObjective(nn.Module):
    """Masked pieces and, where the model can tell them, next sentences. Only masked pieces reach the vocabulary.

    model (LanguageModel): the model.
    """

    def __init__(self, model: LanguageModel) -> None:
        super().__init__()
        self.model = model

    @property
    def has_pairs(self) -> bool:
        """Whether next sentences are predicted."""
        return isinstance(self.model, BigBirdForPreTraining)

    def forward(self, batch: Batch) -> Tensor:
        """batch (Batch): sequences.
        RETURNS (Tensor): sums over the batch of losses and right guesses, as `Guesses.sums`. Shape: (4,).
        """
        return self.guesses(batch).sums()

    def guesses(self, batch: Batch) -> Guesses:
        """batch (Batch): sequences.
        RETURNS (Guesses): how well each masked piece and each pair was guessed.
        """
        states = self.model.bigbird.forward_packed(batch.input_ids, batch.lengths, batch.token_type_ids)
        losses, is_right = _scored(self.model.lm_head(states[batch.places]), batch.labels)
        pair_losses, pair_is_right = losses[:0], is_right[:0]
        if isinstance(self.model, BigBirdForPreTraining):
            pooled = self.model.bigbird.pool(states[batch.first_rows])
            pair_losses, pair_is_right = _scored(self.model.next_sentence(pooled), batch.is_random_next)
        return Guesses(losses, is_right, pair_losses, pair_is_right)


def _scored(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    # Finding the greatest of bfloat16 numbers is slow on CPUs.
    scores = logits.float()
    return F.cross_entropy(scores, labels, reduction="none"), scores.detach().argmax(-1) == labels


def build_optimizer(module: nn.Module, settings: OptimizerSettings) -> torch.optim.AdamW:
    """module (Module): the weights to change.
    settings (OptimizerSettings): rates and decay; biases and layer norms do not decay.
    RETURNS (AdamW): the optimizer.
    """
    weights = [weight for weight in module.parameters() if weight.requires_grad]
    groups = [
        {"params": [weight for weight in weights if weight.dim() > 1], "weight_decay": settings.weight_decay},
        {"params": [weight for weight in weights if weight.dim() <= 1], "weight_decay": 0.0},
    ]
    betas = (settings.beta1, settings.beta2)
    return torch.optim.AdamW(groups, lr=settings.learning_rate, betas=betas, eps=settings.eps, fused=True)


def learning_rate(step: int, training: TrainingSettings) -> float:
    """The learning rate of one step, a function of nothing but the settings.

    step (int): number of the step, from 0.
    training (TrainingSettings): optimizer and schedule.
    RETURNS (float): the rate.
    """
    schedule, highest = training.schedule, training.optimizer.learning_rate
    if step < schedule.warmup_steps:
        return highest * (step + 1) / schedule.warmup_steps
    done = (step - schedule.warmup_steps) / max(1, training.max_steps - schedule.warmup_steps)
    left = 1 - done if schedule.kind == "linear" else (1 + math.cos(math.pi * done)) / 2
    return highest * (schedule.final_share + (1 - schedule.final_share) * left)
