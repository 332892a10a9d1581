"""Files from elsewhere: known by their hash, converted, kept where runs look, and refused if unknown.

Axes: E sample, I = 8 input entry, H hidden unit, A = 5 action entry.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
import tomli_w
import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from bench.envs import AssetMissing, Assets, make
from bench.envs.particle.epymarl import folded
from bench.envs.particle.opponents import OpponentWeights, Pretrained, load_opponent
from bench.envs.particle.params import SimpleAdversaryParams
from bench.suite import SuiteError
from bench.suite.assets import everywhere, known, own_folder
from bench.suite.shipped import opponents
from tests.conftest import ROOT, Bench
from tests.envs.goals import ADVERSARY, params_of

PRETRAINED: dict[str, Any] = {"controlled": "good", "opponent": "pretrained"}
EPYMARL = "4f8a3e9b940a08f70618f2089d0bf9819cd529357c7e8b5f66faa55def27ab26"  # its adversary, folded
TABLES = b"query,document,grade\n1,2,0\n"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def network() -> nn.Sequential:
    """Like EPyMARL's: batch normalisation with running statistics, then layers with ReLU between them."""
    torch.manual_seed(0)
    stack = nn.Sequential(nn.BatchNorm1d(8), *layers(8, 16), *layers(16, 12), nn.Linear(12, 5))
    norm = stack[0]
    assert isinstance(norm, nn.BatchNorm1d)
    with torch.no_grad():
        for tensor in (norm.weight, norm.bias, norm.running_mean):
            assert tensor is not None
            tensor.normal_()
        assert norm.running_var is not None
        norm.running_var.uniform_(0.1, 2)
        for layer in stack:
            if isinstance(layer, nn.Linear):
                layer.weight.normal_(std=0.3)
    return stack.eval()


def layers(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Linear(inputs, outputs), nn.ReLU()]


def policy(stack: nn.Sequential) -> dict[str, Tensor]:
    """By EPyMARL's names."""
    names = {"0": "in_fn", "1": "fc1", "3": "fc2", "5": "fc3"}
    return {f"{names[name.partition('.')[0]]}.{name.partition('.')[2]}": x for name, x in stack.state_dict().items()}


def saved(value: Any) -> bytes:
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()


def agents(own: Any) -> dict[str, Any]:
    return {"agent_params": [{"policy": own}]}


@pytest.fixture
def content() -> bytes:
    return saved(agents(policy(network())))


@pytest.fixture
def listed(content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two known assets: an opponent to convert and a data set. The user's folder, still empty."""
    common = {"repository": "https://example.org/theirs", "licence": "MIT"}
    adversary = {"id": "theirs", "kind": "opponent", "says": "a made-up one", "path": "deep/adv.pt", "commit": "abc123"}
    adversary |= {"size": len(content), "sha256": sha256(content), "convert": "epymarl_ddpg", "suffix": "safetensors"}
    adversary |= {"becomes": sha256(folded(content)), "plays": "the greatest output", **common}
    tables = {"id": "tables", "kind": "data set", "says": "made-up grades", "path": "tables.csv", **common}
    tables |= {"size": len(TABLES), "sha256": sha256(TABLES), "suffix": "csv"}
    path = tmp_path / "listing" / f"{sha256(content)[:8]}.toml"
    path.parent.mkdir()
    path.write_text(tomli_w.dumps({"schema": 1, "asset": [adversary, tables]}))
    monkeypatch.setattr("bench.suite.assets.listing", lambda: path)
    monkeypatch.setenv("BENCH_ASSETS", str(tmp_path / "own"))
    return tmp_path / "own"


def test_a_known_opponent_is_folded_and_plays_what_the_original_plays(
    listed: Path, content: bytes, bench_here: Bench, tmp_path: Path
) -> None:
    (tmp_path / "renamed.bin").write_bytes(content)
    done = bench_here("asset", "add", "renamed.bin", "--as", "theirs")
    assert done.returncode == 0, done.stderr
    kept = known()[0].kept
    path = listed / f"{kept}.safetensors"
    assert done.stdout.splitlines() == [
        f"{path}: opponent theirs",
        "it plays the greatest output",
        f'in a scenario: opponent = "pretrained", opponent_sha256 = "{kept}"',
    ]
    params = params_of(ADVERSARY, **PRETRAINED, opponent_sha256=kept)
    assert isinstance(params, SimpleAdversaryParams)
    assert make("particle", params, assets=everywhere()).agents == 2
    obs = torch.randn(2000, 8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        original = network()(obs)
    tensors = load_opponent(everywhere(), path.name).tensors
    player = Pretrained(OpponentWeights(tensors, kept), params, torch.device("cpu"))
    torch.testing.assert_close(player._logits(obs.double()).float(), original, rtol=0, atol=1e-5)
    played = player(obs.double().view(1, -1, 1, 8)).argmax(-1).flatten()
    assert torch.equal(played, original.argmax(-1))
    assert len(played.unique()) == 5
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float32}
    origin = json.loads(path.with_suffix(".json").read_text())
    assert origin["source"] == {
        "repository": "https://example.org/theirs",
        "commit": "abc123",
        "path": "deep/adv.pt",
        "licence": "MIT",
        "sha256": sha256(content),
    }


def test_the_norm_is_in_the_file_and_not_forgotten(content: bytes) -> None:
    """Without it the first layer would be the original's."""
    assert not torch.equal(load(folded(content))["weight_0"], policy(network())["fc1.weight"])
    assert torch.equal(load(folded(content))["weight_2"], policy(network())["fc3.weight"])


def test_ls_says_what_is_here_and_where_to_get_the_rest(listed: Path, bench_here: Bench, tmp_path: Path) -> None:
    (tmp_path / "tables.csv").write_bytes(TABLES)
    done = bench_here("asset", "add", "tables.csv", "--json")
    kept = listed / f"{sha256(TABLES)}.csv"
    assert json.loads(done.stdout) == {"path": str(kept), "id": "tables", "kind": "data set", "file": kept.name}
    assert kept.read_bytes() == TABLES
    rows = {row["id"]: row for row in json.loads(bench_here("asset", "ls", "--json").stdout)}
    assert (rows["tables"]["here"], rows["theirs"]["here"]) == (str(kept), None)
    assert rows["theirs"]["get"].startswith("deep/adv.pt of https://example.org/theirs at commit abc123 (MIT, ")
    ours = [row for row in rows.values() if row["kind"] == "opponent" and row["id"] != "theirs"]
    assert {Path(row["here"]) for row in ours} == {*opponents().glob("*.safetensors")}
    assert all(row["says"].startswith("adversary_0 of run ") for row in ours)
    kept.write_bytes(b"another")
    rows = {row["id"]: row for row in json.loads(bench_here("asset", "ls", "--json").stdout)}
    assert rows["tables"]["here"] is None
    assert f"got SHA-256 {sha256(b'another')}" in rows["tables"]["problem"]
    text = " ".join(bench_here("asset", "ls").stdout.split())  # stacked: no path of a problem is broken
    assert "id theirs kind opponent here no where" in text
    assert "id tables kind data set here no: " in text


def test_a_missing_one_is_said_with_where_to_get_it_and_the_command(
    listed: Path, bench_here: Bench, tmp_path: Path
) -> None:
    text = (ROOT / "suites/mkt_marl.toml").read_text()
    assert text.count(EPYMARL) == 1  # the primary reading's
    (tmp_path / "own.toml").write_text(text.replace(EPYMARL, known()[0].kept))
    options = ("--only", "teachers", "--profile", "smoke", "--results", "runs")
    for command in (("run", "own.toml", *options), ("anchors", "own.toml", "--seeds", "3", "--episodes", "1")):
        done = bench_here(*command)
        assert done.returncode == 2
        for words in (
            f"{known()[0].file}: No such file, nor in {listed}",
            "get deep/adv.pt of https://example.org/theirs at commit abc123",
            "then `bench asset add adv.pt`",
        ):
            assert words in done.stderr
        assert "1 problem(s)" in done.stderr
    assert not [*(tmp_path / "runs").rglob("*.json")]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nothing",), "got      No such file"),
        (("folder",), "got      a folder"),
        (("pipe",), "got      not a regular file"),
        (("cut/adv.pt",), "of theirs: cut off), SHA-256"),
        (("other.pt",), f"SHA-256 {sha256(b'other')}"),
        (("other.pt",), "mend     get deep/adv.pt of https://example.org/theirs at commit abc123 (MIT, "),
        (("tables.csv", "--as", "theirs"), "allowed  theirs, SHA-256 "),
        (("tables.csv", "--as", "their"), 'did you mean "theirs"'),
        (("wide.safetensors",), "an opponent's network as safetensors"),
        (("infinite.safetensors",), "an opponent's network as safetensors"),
        (("tables.csv", "--assets", "other.pt/deep"), "name a writable folder with --assets DIR"),
    ],
)
def test_what_is_not_known_is_refused(
    listed: Path, content: bytes, bench_here: Bench, tmp_path: Path, arguments: tuple[str, ...], says: str
) -> None:
    for folder in ("folder", "cut"):
        (tmp_path / folder).mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "cut/adv.pt").write_bytes(content[:-100])
    (tmp_path / "other.pt").write_bytes(b"other")
    (tmp_path / "tables.csv").write_bytes(TABLES)
    (tmp_path / "wide.safetensors").write_bytes(save({"weight_0": torch.zeros(6, 8), "bias_0": torch.zeros(6)}))
    nan = {"weight_0": torch.full((5, 8), float("nan")), "bias_0": torch.zeros(5)}
    (tmp_path / "infinite.safetensors").write_bytes(save(nan))
    done = bench_here("asset", "add", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
    assert not listed.exists()


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (b"no pickle", "got no file of tensors"),
        (saved(Path("/")), "got no file of tensors"),  # an object, which weights_only refuses
        (saved({"agent_params": []}), "got no such tensors"),
        (saved(agents(policy(network()) | {"fc2.bias": 3})), "got no such tensors"),
        (saved(agents(policy(network()) | {"fc2.bias": torch.zeros(7)})), "got the shapes"),
        (saved(agents(policy(network()) | {"in_fn.weight": torch.full((8,), torch.inf)})), "not finite"),
    ],
)
def test_what_is_no_network_of_theirs_is_not_folded(value: bytes, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        folded(value)


def test_opponents_of_our_own_are_taken_as_they_are(listed: Path, bench_here: Bench, tmp_path: Path) -> None:
    """With the file on their origin, if it is beside them."""
    ours = min(opponents().glob("*.safetensors"))
    (tmp_path / "mine.safetensors").write_bytes(ours.read_bytes())
    done = bench_here("asset", "add", "mine.safetensors", "--assets", "elsewhere")
    assert f"for runs to look there, set BENCH_ASSETS={tmp_path / 'elsewhere'}" in done.stdout
    kept = tmp_path / "elsewhere" / ours.name
    assert kept.read_bytes() == ours.read_bytes()
    assert json.loads(kept.with_suffix(".json").read_text())["from"] == "mine.safetensors"
    assert bench_here("asset", "add", ours, "--assets", "elsewhere").returncode == 0
    assert json.loads(kept.with_suffix(".json").read_text()) == json.loads(ours.with_suffix(".json").read_text())
    assert not listed.exists()


def test_the_list_that_comes_with_the_project() -> None:
    """EPyMARL's file and its converted form, as measured."""
    (adversary,) = [asset for asset in known() if asset.id == "epymarl_adversary"]
    assert adversary.sha256 == "d62a0107fa2cc2df0a4679b2c3cd3ea32a244e42e2d6d42a20db8f68270fd6f5"
    assert adversary.file == f"{EPYMARL}.safetensors"
    assert adversary.name == "adv_params.pt"


def test_where_a_users_files_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in (("BENCH_ASSETS", ""), ("XDG_DATA_HOME", "relative"), ("HOME", str(tmp_path))):
        monkeypatch.setenv(name, value)
    assert own_folder() == tmp_path / ".local/share/marl-distill-bench/assets"
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert own_folder() == tmp_path / "data/marl-distill-bench/assets"
    monkeypatch.setenv("BENCH_ASSETS", str(tmp_path / "own"))
    assert everywhere().folders == (opponents(), tmp_path / "own")
    monkeypatch.setenv("BENCH_ASSETS", "own")
    with pytest.raises(SuiteError, match=r'BENCH_ASSETS\n +got +"own"\n +allowed +a folder\'s absolute path'):
        own_folder()


def test_the_first_folder_with_that_content_is_read(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    name = f"{sha256(TABLES)}.csv"
    for folder in (first, second):
        folder.mkdir()
    (second / name).write_bytes(TABLES)
    assert Assets(first, second).read(name) == TABLES
    (first / name).write_bytes(b"another")
    assert Assets(first, second).found(name) == (second / name, TABLES)
    (second / name).unlink()
    with pytest.raises(AssetMissing, match=f"first/{name}: got SHA-256 {sha256(b'another')}"):
        Assets(first, second).read(name)
