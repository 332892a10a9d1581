"""Landlock: the Linux kernel lets this process, and all that it starts, write only to given folders.

Reading stays free. If the kernel's Landlock is new enough (`SIGNALS_ABI`), signals do not reach outside processes
either: a confined process cannot end its keeper or the harness. It can never reach the memory of an outside process.
Metadata (modes, times) is not covered. Numbers are from linux/landlock.h; those of system calls are the same on all
machines.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterable
from pathlib import Path

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
VERSION_ONLY = 1  # LANDLOCK_CREATE_RULESET_VERSION
PATH_BENEATH = 1  # LANDLOCK_RULE_PATH_BENEATH
NO_NEW_PRIVILEGES = 38  # PR_SET_NO_NEW_PRIVS, without which an unprivileged process may not confine itself
WRITE_FILE, TRUNCATE = 1 << 1, 1 << 14
# Removing directories and files; making devices, directories, files, sockets, pipes, block devices and links.
CHANGE_FOLDERS = sum(1 << bit for bit in range(4, 13))
REFER = 1 << 13  # moving and linking between folders
REFER_ABI, TRUNCATE_ABI, SIGNALS_ABI = 2, 3, 6  # versions of the kernel's interface that introduced them
ABSTRACT_SOCKETS, SIGNALS = 1 << 0, 1 << 1  # scopes

# Places that programs write to but that keep no files: streams, terminals, shared memory, accelerators.
DEVICES = ("null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts", "shm", "dri", "kfd")


class _Ruleset(ctypes.Structure):
    _fields_ = (("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


def version() -> int:
    """The version of the kernel's Landlock; 0 if it has none, or has it switched off."""
    if sys.platform != "linux":
        return 0
    return max(0, _call(CREATE_RULESET, None, 0, VERSION_ONLY))


def confine(folders: Iterable[Path]) -> bool:
    """From now on this process can write only below these folders and to `DEVICES`. False if there is no Landlock.

    Raises OSError if the kernel has Landlock but refuses.
    """
    if not (abi := version()):
        return False
    in_files = WRITE_FILE | (TRUNCATE if abi >= TRUNCATE_ABI else 0)
    everything = in_files | CHANGE_FOLDERS | (REFER if abi >= REFER_ABI else 0)
    scoped = ABSTRACT_SOCKETS | SIGNALS if abi >= SIGNALS_ABI else 0
    ruleset = _checked(CREATE_RULESET, ctypes.byref(_Ruleset(everything, 0, scoped)), ctypes.sizeof(_Ruleset), 0)
    try:
        for path in [*folders, *devices()]:
            opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
            try:
                rule = _Beneath(everything if path.is_dir() else in_files, opened)
                _checked(ADD_RULE, ruleset, PATH_BENEATH, ctypes.byref(rule), 0)
            finally:
                os.close(opened)
        ctypes.CDLL(None).prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)
        _checked(RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)
    return True


def devices() -> list[Path]:
    """The `DEVICES` that exist here, and NVIDIA's."""
    return [path for name in DEVICES if (path := Path("/dev") / name).exists()] + [*Path("/dev").glob("nvidia*")]


def _call(number: int, *arguments: object) -> int:
    wide = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
    return ctypes.CDLL(None, use_errno=True).syscall(ctypes.c_long(number), *wide)


def _checked(number: int, *arguments: object) -> int:
    if (found := _call(number, *arguments)) < 0:
        raise OSError(ctypes.get_errno(), f"Landlock: {os.strerror(ctypes.get_errno())}")
    return found
