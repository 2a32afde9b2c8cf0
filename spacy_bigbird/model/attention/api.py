"""The door to all attention engines: what is asked for is checked, and computed by the engine that was asked."""

from torch import Tensor

from ...errors import Errors
from ...plan.attention import AttentionPlan
from ..cpu.device import on_cpu
from .engines import ENGINES
from .engines.reference import attend_with_probabilities

AUTO = "auto"
ENGINE_NAMES = (AUTO, *ENGINES)


def check_engine(name: str) -> None:
    """Check the name of an engine.

    name (str): the name.
    RAISES ValueError: there is no such engine.
    """
    if name not in ENGINE_NAMES:
        raise ValueError(Errors.BB700.format(given=name, known=" or ".join(map(repr, ENGINE_NAMES))))


def attend(query_key_value: Tensor, plan: AttentionPlan, engine: str = AUTO, dropout: float = 0.0) -> Tensor:
    """Let the pieces of packed sequences attend to pieces of their own sequence.

    query_key_value (Tensor): concatenated projections. Shape: (rows, 3 * hidden_size).
    plan (AttentionPlan): what attends to what. Padding is never attended to, and its output is meaningless.
    engine (str): name of an engine, or "auto" for the fastest on the device: `cpu` on a CPU, elsewhere `torch`.
    dropout (float): dropout of dense attention's probabilities. Sparse attention has none.
    RETURNS (Tensor): the concatenated outputs of the heads. Shape: (rows, hidden_size).
    RAISES ValueError: there is no such engine, or it cannot do this.
    """
    check_engine(engine)
    name = ("cpu" if on_cpu(query_key_value) else "torch") if engine == AUTO else engine
    reason = ENGINES[name].refusal(query_key_value, plan, dropout)
    if reason is not None:
        advice = "Choose another engine, or 'auto'."
        raise ValueError(Errors.BB701.format(engine=name, reason=reason, advice=advice))
    return ENGINES[name].attend(query_key_value, plan, dropout)


def attend_and_show(
    query_key_value: Tensor, plan: AttentionPlan, engine: str = AUTO, dropout: float = 0.0
) -> tuple[Tensor, list[Tensor]]:
    """Attend as `attend` does, and return the attention probabilities, which take quadratic memory.

    query_key_value, plan, engine, dropout: as in `attend`; "auto" is `reference`, the only engine with probabilities.
    RETURNS (tuple[Tensor, list[Tensor]]): the output, shape (rows, hidden_size), and for each sequence the
        probabilities, shape (heads, length, length).
    RAISES ValueError: there is no such engine, or it returns no probabilities.
    """
    check_engine(engine)
    if engine not in (AUTO, "reference"):
        reason = "it returns no attention probabilities, which output_attentions asks for"
        advice = "Choose 'reference' or 'auto', or leave output_attentions out."
        raise ValueError(Errors.BB701.format(engine=engine, reason=reason, advice=advice))
    return attend_with_probabilities(query_key_value, plan, dropout)
