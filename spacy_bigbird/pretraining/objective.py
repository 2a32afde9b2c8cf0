"""The model, loss, optimizer and learning rate of a pre-training run."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..errors import Errors
from ..model.heads.lm_head import LanguageModel
from ..model.heads.masked_lm import BigBirdForMaskedLM
from ..model.heads.pretraining import BigBirdForPreTraining
from ..plan.config import BigBirdConfig
from ..scoring.masked_lm import score_guesses
from ..tokenizer import BigBirdTokenizer
from .batches import Batch
from .settings import OptimizerSettings, PretrainingSettings, TrainingSettings


def load_tokenizer(settings: PretrainingSettings) -> BigBirdTokenizer:
    """Load the tokenizer of a run.

    settings (PretrainingSettings): name a vocabulary or a checkpoint.
    RETURNS (BigBirdTokenizer): the tokenizer, which maps white space as in a spaCy pipeline.
    """
    if settings.paths.vocab is not None:
        return BigBirdTokenizer(settings.paths.vocab, map_whitespace=True)
    return BigBirdTokenizer.from_pretrained(
        str(settings.model.name), revision=settings.model.revision, map_whitespace=True
    )


def build_model(settings: PretrainingSettings, tokenizer: BigBirdTokenizer) -> LanguageModel:
    """Load the model to start from, or initialize one with random weights that depend on the seed.

    settings (PretrainingSettings): name a checkpoint, or the fields of a configuration.
    tokenizer (BigBirdTokenizer): the tokenizer, whose special ids the configuration adopts.
    RETURNS (LanguageModel): the model in training mode.
    RAISES ValueError: a field is unknown, or vocabulary, sequence lengths and model do not fit each other.
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
        # A given vocab_size may be wrong, which is checked below. The ids of special pieces are the vocabulary's.
        config = BigBirdConfig(**{**tokenizer.config_fields, **fields}).replace(**ids)
        _check(config, settings, tokenizer)
        model: LanguageModel = kind.build(config)
    else:
        model = kind.from_pretrained(settings.model.name, revision=settings.model.revision, **fields)
        model.config = model.bigbird.config = model.config.replace(**ids)
        _check(model.config, settings, tokenizer)
    model.gradient_checkpointing = settings.model.gradient_checkpointing
    model.attention_engine = settings.model.attention_engine
    if model.bigbird.pooler is not None:
        # Without next-sentence prediction the pooler is unused, and distributed training does not allow for trained
        # weights that receive no gradient.
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
    """How well a batch was predicted.

    losses (Tensor): negative log-likelihood of each masked piece. Shape: (masked,). Unit: nats.
    is_right (Tensor): whether the best prediction is the correct piece. Shape: (masked,).
    pair_losses (Tensor): negative log-likelihood of the next-sentence label of each sequence; empty without
        next-sentence prediction. Shape: (sequences,). Unit: nats.
    pair_is_right (Tensor): whether this label was predicted correctly; empty likewise. Shape: (sequences,).
    """

    losses: Tensor
    is_right: Tensor
    pair_losses: Tensor
    pair_is_right: Tensor

    def sums(self) -> Tensor:
        """Sum each of the four fields over the batch.

        RETURNS (Tensor): the sums, in the order of the fields. Shape: (4,).
        """
        parts = (self.losses, self.is_right, self.pair_losses, self.pair_is_right)
        return torch.stack([part.float().sum() for part in parts])


class PretrainingObjective(nn.Module):
    """Predicts masked pieces and, if the model has a head for it, next sentences.

    Only masked pieces are scored against the vocabulary.

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
        """Compute the summed losses and correct predictions of a batch.

        batch (Batch): the sequences.
        RETURNS (Tensor): the sums, as returned by `Guesses.sums`. Shape: (4,).
        """
        return self.guesses(batch).sums()

    def guesses(self, batch: Batch) -> Guesses:
        """Score the predictions for a batch.

        batch (Batch): the sequences.
        RETURNS (Guesses): how well each masked piece and each pair was predicted.
        """
        states = self.model.bigbird.forward_packed(batch.input_ids, batch.lengths, batch.token_type_ids)
        losses, is_right = score_guesses(self.model.lm_head(states[batch.places]), batch.labels)
        pair_losses, pair_is_right = losses[:0], is_right[:0]
        if isinstance(self.model, BigBirdForPreTraining):
            pooled = self.model.bigbird.pool(states[batch.first_rows])
            pair_losses, pair_is_right = score_guesses(self.model.next_sentence(pooled), batch.is_random_next)
        return Guesses(losses, is_right, pair_losses, pair_is_right)


def build_optimizer(module: nn.Module, settings: OptimizerSettings) -> torch.optim.AdamW:
    """Create the optimizer.

    module (Module): the module whose weights are trained.
    settings (OptimizerSettings): learning rate, betas, eps and weight decay. Biases and layer norms do not decay.
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
    """Compute the learning rate of a step, which depends on the step and the settings only.

    step (int): the step, counted from 0.
    training (TrainingSettings): settings of optimizer and schedule.
    RETURNS (float): the learning rate.
    """
    schedule, highest = training.schedule, training.optimizer.learning_rate
    if step < schedule.warmup_steps:
        return highest * (step + 1) / schedule.warmup_steps
    done = (step - schedule.warmup_steps) / max(1, training.max_steps - schedule.warmup_steps)
    left = 1 - done if schedule.kind == "linear" else (1 + math.cos(math.pi * done)) / 2
    return highest * (schedule.final_share + (1 - schedule.final_share) * left)
