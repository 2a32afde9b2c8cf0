"""The only place that asks for the kind of a device."""

from torch import Tensor


def on_cpu(*tensors: Tensor) -> bool:
    """Check whether what is written for a CPU applies.

    tensors (Tensor): the operands.
    RETURNS (bool): whether all of them are on the CPU.
    """
    return all(tensor.device.type == "cpu" for tensor in tensors)
