"""The device that a network runs on, chosen once and named in words."""

import torch

from segmentation.errors import DeviceError


def choose_device(name: str) -> torch.device:
    """Return the device of this name.

    Args:
        name: `auto` for CUDA where there is one and the processor elsewhere, or a name that torch knows.

    Raises:
        DeviceError: if there is no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise DeviceError(f"{name} is no device that torch knows") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise DeviceError("CUDA is configured, and torch finds no CUDA device")
    return device


def describe_device(device: torch.device) -> str:
    """Return what the operator wants to know of a device: its name, its memory or its threads, and torch's version."""
    if device.type == "cuda":
        about = torch.cuda.get_device_properties(device)
        return f"{about.name}, {about.total_memory / 2**30:.0f} GiB, torch {torch.__version__}"
    return f"{device.type}, {torch.get_num_threads()} threads, torch {torch.__version__}"
