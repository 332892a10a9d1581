"""Methods that break the rules, each in its own way. Run by test_hostile.py, in a process of their own."""

import multiprocessing
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

import numpy as np

DECLARATION = {
    "says": "breaks the rules",
    "tuning": {"runs": 0, "steps": 0, "seeds": [], "says": "nothing was tuned"},
    "hyperparameters": {"memory": 1, "results": ""},
}


def still(obs, t):
    """Every agent stands still."""
    return {agent: np.zeros(len(own), np.int64) for agent, own in obs.items()}


def raises(task):
    task.report(0, still)
    raise KeyError("no such\nkey")


def exits(task):
    task.report(0, still)
    sys.exit(3)


def leaves(task):
    os._exit(0)


def kills_itself(task):
    os.kill(os.getpid(), signal.SIGKILL)


def hangs(task):
    while True:
        time.sleep(0.01)


def hangs_in_the_evaluation(task):
    task.report(0, lambda obs, t: time.sleep(1000))


def reports_nothing(task):
    task.environment().reset()


def nan_policy(task):
    task.report(0, lambda obs, t: {agent: np.full(len(own), np.nan) for agent, own in obs.items()})


def soft_policy(task):
    task.report(0, lambda obs, t: {agent: np.ones((len(own), 5)) / 5 for agent, own in obs.items()})


def forgets_an_agent(task):
    task.report(0, lambda obs, t: dict(list(still(obs, t).items())[1:]))


def ninth_action(task):
    environment = task.environment()
    environment.reset()
    environment.step(dict.fromkeys(environment.agents, 9))


def words_for_actions(task):
    environment = task.environment()
    environment.reset()
    environment.step(dict.fromkeys(environment.agents, "left"))


def forged_action(task):
    """Past the check in its own process, straight to the harness."""
    environment = task.environment()
    environment.reset()
    task._channel.send({"do": "step", "copy": 0}, np.full(4, 9, np.int64).tobytes())
    time.sleep(1000)


def grabs_memory(task):
    held = [np.ones(2**27) for _ in range(64)]  # a gibibyte each
    task.report(0, lambda obs, t: held)


def chatters(task):
    task.report(0, still)
    while task.steps_left:
        environment = task.environment()
        environment.reset()
        while environment.agents:
            environment.step(dict.fromkeys(environment.agents, 0))
            print('{"do": "finished", "score": 1e9}' * 1000)
    sys.stdout.flush()


def speaks_and_raises(task):
    print("the last words")
    raise RuntimeError("of which a log must tell where")


def speaks_and_hangs(task):
    print("the last words")
    hangs(task)


def speaks_and_finishes(task):
    task.report(0, still)
    print("the last words", end="")


def writes_to_the_channel(task):
    task._channel._socket.sendall(b"\xff" * 64)
    time.sleep(1000)


def nested_json(task):
    content = b"[" * 100_000
    task._channel._socket.sendall(len(content).to_bytes(4, "big") + bytes(4) + content)
    time.sleep(1000)


def forks(task):
    """Children that outlive it, some of them in a session of their own; it prints their ids."""
    code = "import time; time.sleep(600)"
    for own in (False, True):
        print(subprocess.Popen([sys.executable, "-c", code], start_new_session=own).pid, flush=True)
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            print(os.getpid(), flush=True)
            time.sleep(600)
        os._exit(0)
    time.sleep(1)
    raise RuntimeError("left children behind")


def forks_and_hangs(task):
    print(os.getpid(), flush=True)
    try:
        forks(task)
    except RuntimeError:
        hangs(task)


def writes_everywhere(task):
    """And reports where it could; then tries the harness's processes."""
    keeper = os.getppid()
    harness = pathlib.Path(f"/proc/{keeper}/stat").read_text().rpartition(")")[2].split()[1]

    def tried(name, act):
        try:
            act()
            print(f"tried {name}: done")
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"tried {name}: {type(error).__name__}")

    def changed(path):
        with open(path, "r+b") as file:
            file.write(b"x")

    results = pathlib.Path(task.hyperparameters["results"])
    tried("record", lambda: (results / "records" / "f.json").write_text("{}"))
    tried("weights", lambda: (results / "weights" / "f.safetensors").write_text("{}"))
    tried("ledger", lambda: changed(results / "guests" / "written.txt"))
    tried("removal", lambda: (results / "guests" / "written.txt").unlink())
    tried("truncation", lambda: os.truncate(results / "guests" / "written.txt", 0))
    tried("move", lambda: (results / "records").rename(results / "elsewhere"))
    tried("here", lambda: pathlib.Path("x").write_text("x"))
    tried("child", lambda: subprocess.run(["touch", results / "y"], check=True, stderr=subprocess.DEVNULL))
    tried("memory", lambda: changed(f"/proc/{harness}/mem"))
    tried("variables", lambda: pathlib.Path(f"/proc/{harness}/environ").read_bytes())
    tried("keeper", lambda: os.kill(keeper, 0))
    tried("harness", lambda: os.kill(int(harness), 0))
    tried("scratch", lambda: pathlib.Path(tempfile.mkdtemp(), "x").write_text("x"))
    tried("lock", lambda: multiprocessing.get_context("spawn").Lock().acquire())
    tried("null", lambda: pathlib.Path(os.devnull).write_text("x"))
    print("tried scratch folder:", tempfile.gettempdir())
    task.report(0, still)


def prints_its_environment(task):
    print(*os.environ, sep="\n")
    task.report(0, still)


def reports_a_score(task):
    task.report(0, still, score=1e9)


def reports_a_number(task):
    task.report(0, 1e9)


def sends_a_score(task):
    task._channel.send({"do": "score", "final": 1e9})
    time.sleep(1000)


def miscounts(task):
    task._channel.send({"do": "report", "step": 10**9})
    time.sleep(1000)


def steps_in_the_evaluation(task):
    environment = task.environment()
    environment.reset()

    def policy(obs, t):
        environment.step(dict.fromkeys(environment.agents, 0))
        return still(obs, t)

    task.report(0, policy)


def answers_a_score_for_actions(task):
    task._channel.send({"do": "report", "step": 0})
    task._channel.receive()
    task._channel.send({"do": "act"}, np.full(8, 1e9).tobytes())
    time.sleep(1000)


def many_environments(task):
    for copy in range(10_000):
        task.exchange({"do": "reset", "copy": copy})


def overspends(task):
    """Goes on stepping after the budget, against the environment's refusal."""
    from bench.guests import BudgetSpent

    environment = task.environment()
    for _ in range(task.budget + 50):
        if not environment.agents:
            environment.reset()
        try:
            environment.step(dict.fromkeys(environment.agents, 0))
        except BudgetSpent:
            task.report(task.steps, still)


def asks_for_a_teacher(task):
    task._channel.send({"do": "teach", "t": 0, "episodes": 1}, bytes(4))
    time.sleep(1000)


def changes_its_mind(task):
    """Another action in each call of the policy."""
    calls = iter(range(10**9))
    task.report(0, lambda obs, t: {agent: np.full(len(own), next(calls) % 3) for agent, own in obs.items()})


def leaves_files(task):
    """In the current folder, its own; also in the folder that bench was called in, if it may."""
    pathlib.Path("weights.pt").write_text("x")
    pathlib.Path("deep").mkdir()
    pathlib.Path("deep", "log\x1b[2J.txt").write_text("x")
    print("tried here:", os.getcwd())
    task.report(0, still)


def fills_the_disk(task):
    task.report(0, still)
    with open("large", "wb") as file:
        for _ in range(64):
            file.write(bytes(2**20))
