"""How much memory is free."""

import os


def available_memory() -> float | None:
    """Get the free memory of Thinc's device. RETURNS (float | None): None if it is unknown. Unit: bytes."""
    import torch
    from thinc.api import get_torch_default_device

    device = get_torch_default_device()
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    try:
        return float(os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (ValueError, OSError, AttributeError):
        return None
