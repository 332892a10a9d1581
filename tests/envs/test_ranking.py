"""Ranking: NDCG against scikit-learn, the environment, the data set with a planted ranker, MSLR's file."""

import io

import numpy as np
import pytest
import torch
from torch.nn.functional import one_hot

from bench.envs import checked
from bench.envs.assets import NO_ASSETS, Assets
from bench.envs.one import EnvironmentFailed
from bench.envs.ranking import mslr, scripts
from bench.envs.ranking.environment import RankingEnvironment, ranking_environment
from bench.envs.ranking.ndcg import ndcg
from bench.envs.ranking.params import PlantedParams
from bench.envs.ranking.planted import grades, planted_set
from bench.store.assets import rows, taken
from bench.suite import SuiteError

PLANTED = {
    "name": "planted",
    "documents": 10,
    "queries": 400,
    "train_share": 0.7,
    "split": "test",
    "scores": 10,
    "ndcg_at": 10,
    "planted_features": 6,
    "set_seed": 0,
}


def environment(**changes: object) -> RankingEnvironment:
    return ranking_environment(checked("ranking", PLANTED | changes), "cpu", NO_ASSETS)  # type: ignore[arg-type]


def generators(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def test_ndcg_is_the_formula() -> None:
    """By hand: gains 7, 0, 1 in the list's order; the best order is 7, 1, 0."""
    scores, relevance = torch.tensor([3.0, 2.0, 1.0]), torch.tensor([3, 0, 1])
    best = 7 + 1 / np.log2(3)
    assert ndcg(scores, relevance, 3).item() == pytest.approx((7 + 1 / 2) / best, abs=1e-15)
    assert ndcg(scores, relevance, 2).item() == pytest.approx(7 / best, abs=1e-15)
    assert ndcg(scores, torch.zeros(3, dtype=torch.int64), 3) == 0  # nothing to find


@pytest.mark.parametrize("places", [1, 5, 10])
def test_ndcg_agrees_with_scikit_learn(places: int) -> None:
    """scikit-learn has the same discount and takes the gains it is given."""
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed: pip install -e .[test]")
    stream = np.random.default_rng(0)
    scores, relevance = stream.random((300, 10)), stream.integers(0, 5, (300, 10))
    relevance[0] = 0
    ours = ndcg(torch.from_numpy(scores), torch.from_numpy(relevance), places).numpy()
    theirs = [metrics.ndcg_score(2.0 ** r[None] - 1, s[None], k=places) for r, s in zip(relevance, scores, strict=True)]
    np.testing.assert_allclose(ours, theirs, atol=1e-12)


def test_the_lists_score_is_everyones_reward() -> None:
    env = environment()
    obs = env.reset(generators(1), 50)
    step = env.step(scripts.good(env, obs, torch.zeros(1, 50, 10, 10)))
    assert torch.equal(step.outcome["ndcg"], torch.ones(1, 50, dtype=torch.float64))  # the planted ranker is exact
    assert torch.equal(step.rewards, torch.ones(1, 50, 10, dtype=torch.float64))
    assert bool(step.terminated.all())
    assert not bool(step.truncated.any())


def test_equal_scores_are_ordered_at_random() -> None:
    """One score for all: the mean is scikit-learn's average over orders; no order is favoured."""
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed: pip install -e .[test]")
    found = scripts.measure(environment(), scripts.blind, range(2), 4000)
    gains = np.tile(2.0 ** grades(10) - 1, (2000, 1))
    expected = metrics.ndcg_score(gains, np.random.default_rng(0).permuted(np.tile(np.arange(10.0), (2000, 1)), axis=1))
    assert found.mean().item() == pytest.approx(expected, abs=0.01)


def test_a_seeds_episodes_are_its_own() -> None:
    """To the last bit in any company; restarted copies draw, others do not; resumed ones go on."""
    alone, company = environment(), environment()
    first, both = alone.reset(generators(8), 5), company.reset(generators(3, 8), 5)
    assert torch.equal(first[0], both[1])
    scores = one_hot(torch.randint(10, (1, 5, 10), generator=generators(0)[0]), 10).double()
    rewards, more = alone.step(scores).rewards, company.step(scores.expand(2, -1, -1, -1)).rewards
    assert torch.equal(rewards[0], more[1])
    over = torch.tensor([[True, False, False, False, False]])
    again = alone.restart(over)
    assert not torch.equal(again[0, 0], first[0, 0])
    assert torch.equal(again[0, 1:], first[0, 1:])
    other = environment()
    assert torch.equal(other.resume(generators(9), [alone.state(0)]), again)
    with pytest.raises(EnvironmentFailed, match="one step"):
        other.step(scores)  # four of the five are over


def test_parts_share_no_query() -> None:
    params = checked("ranking", PLANTED)
    assert isinstance(params, PlantedParams)
    assert params.training_queries == 280
    features = planted_set(params).features
    for split, part in (("train", features[:280]), ("test", features[280:])):
        seen = environment(split=split).reset(generators(0), 400)[0].float().numpy()
        assert {query.tobytes() for query in seen} <= {query.tobytes() for query in part}, split


def test_one_document_does_not_tell_its_place() -> None:
    """Global information has a value: on one document the planted ranker is worse, but better than none."""
    env = environment(queries=2000)
    good, alone, blind = (
        scripts.measure(env, script, range(2), 1500).mean().item()
        for script in (scripts.good, scripts.alone, scripts.blind)
    )
    assert good == 1
    assert 0.85 < alone < 0.96
    assert 0.6 < blind < 0.65


def test_what_does_not_fit_is_refused() -> None:
    env = environment()
    env.reset(generators(0), 2)
    with pytest.raises(ValueError, match="one-hot"):
        env.step(torch.full((1, 2, 10, 10), 0.1))
    with pytest.raises(ValueError, match="ndcg_at"):
        environment(documents=5)
    with pytest.raises(ValueError, match="some in each part"):
        environment(train_share=0.001)


def mslr_lines(queries: int, documents: int) -> list[bytes]:
    stream = np.random.default_rng(5)
    return [
        b"%d qid:%d %s\n" % (d % 5, q, b" ".join(b"%d:%.4f" % (f, q + stream.random()) for f in range(1, 137)))
        for q in range(queries)
        for d in range(documents + q % 2 - 1)
    ]


def test_mslrs_file_is_made_and_read() -> None:
    """Every second query has one document too few; features are standardised by the training queries alone."""
    lines = mslr_lines(queries=40, documents=4)
    content, _ = mslr.made(lines, queries=20, documents=4)
    assert mslr.made(lines, queries=20, documents=4)[0] == content
    params = {n: v for n, v in PLANTED.items() if n not in ("planted_features", "set_seed")}
    params |= {"name": "mslr_web30k", "queries": 20, "documents": 4, "ndcg_at": 4, "data_sha256": "0" * 64}
    chosen = checked("ranking", params)
    found = mslr.judged(io.BytesIO(content), chosen)  # type: ignore[arg-type]
    assert found.features.shape == (20, 4, 136)
    assert sorted({*found.relevance.ravel()}) == [0, 1, 2, 3]
    known = found.features[:14].reshape(-1, 136)
    np.testing.assert_allclose([known.mean(0), known.std(0)], [np.zeros(136), np.ones(136)], atol=1e-5)
    with pytest.raises(ValueError, match="got 20 queries of 4 documents or more; allowed: 30"):
        mslr.made(lines, queries=30, documents=4)
    with pytest.raises(ValueError, match="line 2: got grade 7"):
        mslr.made([lines[0], b"7 " + lines[0].split(b" ", 1)[1]], queries=1, documents=2)


def test_a_users_copy_is_taken_in(tmp_path, monkeypatch) -> None:
    """`bench asset add FOLDER`; without the file it names the missing one."""
    with pytest.raises(SuiteError, match="Fold1"):
        taken(tmp_path)
    (tmp_path / "Fold1").mkdir()
    (tmp_path / "Fold1" / "train.txt").write_bytes(b"".join(mslr_lines(queries=40, documents=10)))
    whole = mslr.made
    monkeypatch.setattr(mslr, "made", lambda lines: whole(lines, 20, 10))
    found, kept = taken(tmp_path), Assets(tmp_path / "kept")
    assert [(row["id"], row["here"]) for row in rows(kept)][-1] == ("mslr_web30k", None)
    path = found.write(tmp_path / "kept")
    assert [(row["id"], row["here"]) for row in rows(kept)][-1] == ("mslr_web30k", str(path))
    params = {n: v for n, v in PLANTED.items() if n not in ("planted_features", "set_seed")}
    params |= {"name": "mslr_web30k", "queries": 20, "data_sha256": found.sha256}
    env = ranking_environment(checked("ranking", params), "cpu", kept)  # type: ignore[arg-type]
    assert env.reset(generators(0), 3).shape == (1, 3, 10, 136)


def test_a_copy_that_is_not_whole_is_refused_with_its_remedy(tmp_path) -> None:
    """A file in place of its folder; too few queries; other lines."""
    fold = tmp_path / "Fold1"
    fold.mkdir()
    file = fold / "train.txt"
    file.write_bytes(b"".join(mslr_lines(queries=4, documents=10)))
    for given, got, mend in (
        (file, "a file with queries and documents", "name the folder of MSLR-WEB30K"),
        (tmp_path, "2 queries of 10 documents or more", "unpack MSLR-WEB30K again"),
    ):
        with pytest.raises(SuiteError) as caught:
            taken(given)
        (problem,) = caught.value.problems
        assert problem.got == got
        assert problem.mend.startswith(mend)
    file.write_bytes(b"something else\n")
    with pytest.raises(SuiteError, match="unpack MSLR-WEB30K again"):
        taken(tmp_path)
