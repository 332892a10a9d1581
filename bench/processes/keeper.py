"""Keeps a process: `launch.py bench.processes.keeper MODULE FD` runs MODULE, and ends it and everything it started.

Standard input is the lifeline. The harness holds its other end. It closes when the harness releases it or dies in any
way. Then, or when MODULE has ended, the keeper kills all descendants of MODULE, in any session. The keeper ends as
MODULE did: with its exit code, or by its signal. If the keeper dies, the system kills MODULE.

With a third argument FOLDER, MODULE runs in that folder. It is also its TMPDIR, and is removed at the end. With a
fourth argument `alone`, as for guests, MODULE may write only there, if the kernel can enforce it (landlock.py).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from bench.processes.landlock import confine
from bench.processes.starting import command

PARENT_DIES, SUBREAPER = 1, 36  # PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER of linux/prctl.h
BOUND, AMBIENT, CLEAR = 24, 47, 4  # PR_CAPBSET_DROP, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL
# CAP_SYS_PTRACE, CAP_SYS_ADMIN, CAP_PERFMON of linux/capability.h: with them root reads the variables of every process,
# in spite of Landlock.
LOOKING_IN = (19, 21, 38)
POLL_S = 0.05  # how often it checks whether MODULE has ended


def main() -> int:
    module, channel = sys.argv[1], int(sys.argv[2])
    control(SUBREAPER, 1)  # orphans of MODULE become our children
    us, scratch = os.getpid(), Path(sys.argv[3]) if sys.argv[3:] else None
    alone = sys.argv[4:] == ["alone"]

    def bound() -> None:
        """Runs in the child before anything else, so our death can never set it free."""
        control(PARENT_DIES, signal.SIGKILL)
        if os.getppid() != us:
            os._exit(1)
        if scratch is not None and alone:
            for capability in LOOKING_IN:  # drop them for the program that this process becomes
                control(BOUND, capability)
            control(AMBIENT, CLEAR)
            confine([scratch])  # before it has a second thread, which would not be confined

    guest = subprocess.Popen(  # this process has one thread, so bound is safe
        command(module, str(channel)),
        env=os.environ | (dict.fromkeys(("TMPDIR", "TMP", "TEMP"), str(scratch)) if scratch else {}),
        cwd=scratch,
        pass_fds=(channel,),
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=bound,
    )
    os.close(channel)
    while guest.poll() is None and not select.select([0], [], [], POLL_S)[0]:
        pass
    ended = guest.returncode
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(guest.pid, signal.SIGKILL)
    guest.wait()
    end_descendants()
    if scratch is not None:
        shutil.rmtree(scratch, ignore_errors=True)
    if ended is not None and ended < 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with contextlib.suppress(OSError):  # SIGKILL has no handler
            signal.signal(-ended, signal.SIG_DFL)
        os.kill(us, -ended)
    return ended or 0


def control(option: int, value: int) -> None:
    """prctl; does nothing if the system has none."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def end_descendants() -> None:
    """Kill all children of this process, also those that become its children meanwhile, until none is left."""
    while found := children():
        for pid in found:
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)


def children() -> set[int]:
    """The children of this process; none if the system does not list them (only Linux does)."""
    found: set[int] = set()
    for task in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found |= {int(pid) for pid in task.read_text().split()}
    return found


if __name__ == "__main__":
    sys.exit(main())
