"""The devices that torch can use here."""

from __future__ import annotations

import torch

from bench.suite.explain import Problem


class DeviceMissing(Exception):
    """The device asked for is not here."""

    def __init__(self, device: str):
        got = f'"{device}", but torch {torch.__version__} finds no such device'
        mend = "omit --device, or install a CUDA build of torch on a machine with a GPU; then: bench doctor"
        self.problem = Problem("--device", got, ", ".join(f'"{d}"' for d in devices()), mend)
        super().__init__(str(self.problem))


def devices() -> list[str]:
    """Their names, the CPU first."""
    return ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]


def check_device(device: str) -> None:
    """Raises DeviceMissing when torch cannot use the device."""
    if device != "cpu" and (device if ":" in device else f"{device}:0") not in devices():
        raise DeviceMissing(device)


def name_of(device: str) -> str:
    """A GPU's name."""
    return torch.cuda.get_device_name(device)
