"""From host to device without waiting for what the device is doing."""

import torch
from torch import Tensor


def on_device(tensor: Tensor, device: torch.device) -> Tensor:
    """Return a host tensor's values on the device.

    A copy to a GPU from ordinary memory waits until everything before it has run, and the GPU then idles while the next
    pass is prepared. From pinned memory it takes its place in the queue.
    """
    if device.type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)
