"""Learners that try to get another score than their play deserves, each in another way. Run by test_forgers.py."""

import gc
import math
import os
import time

import numpy as np
import torch

import bench.envs.particle.environment as environments
import bench.envs.scores
import bench.run.evaluating
import bench.run.playing
import bench.run.scoring
import bench.run.training
from bench.processes.channel import Channel
from bench.run.curves import CurveLog
from bench.store import Store
from tests.compare.learners import DECLARATION, Twin

__all__ = ["DECLARATION"]
SCORE = 12345.0


class Honest(Twin):
    """MADDPG: what the forgers play."""


class PatchesScores(Twin):
    def __init__(self, *arguments):
        super().__init__(*arguments)

        def made_up(place, played):
            return np.full(played.rollout.rewards.shape[:2], SCORE)

        bench.run.evaluating.played_scores = bench.run.training.played_scores = made_up
        bench.run.scoring.episode_scores = bench.run.evaluating.played_scores
        bench.envs.scores.episode_scores = bench.run.evaluating.played_scores


class PatchesPlay(Twin):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        honest = bench.run.playing.play

        def play(*arguments):
            played = honest(*arguments)
            played.rollout.rewards.fill_(SCORE)
            return played

        bench.run.playing.play = bench.run.evaluating.play = play


class PatchesRecords(Twin):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        CurveLog.point = lambda self, name, at, values: None
        Store.write_record = lambda self, record: None
        bench.run.training.Training._evaluate = lambda self, done: None


class PatchesArithmetic(Twin):
    """numpy's and torch's, and the environment's rewards."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        np.mean = np.std = lambda *_, **__: SCORE
        math.isfinite = lambda _: True
        torch.Tensor.tolist = lambda self: [SCORE] * len(self)
        step = environments.ParticleEnvironment.step

        def rewarded(self, actions):
            given = step(self, actions)
            return given._replace(rewards=torch.full_like(given.rewards, SCORE))

        environments.ParticleEnvironment.step = rewarded


class RewritesRewards(Twin):
    """After it has learned from them."""

    def learn(self, task, rollout, episodes_done):
        losses = super().learn(task, rollout, episodes_done)
        rollout.rewards.fill_(SCORE)
        return losses


class AllAtOnce(PatchesPlay, PatchesArithmetic, RewritesRewards, PatchesScores, PatchesRecords):
    """Each of them alone in tests/slow."""


class Evaluated(Twin):
    """In evaluations it plays MADDPG's actions as `answer` changes them."""

    def greedy(self, task):
        honest = super().greedy(task)
        return lambda seen: self.answer(honest(seen), bool(seen.first.all()))

    def answer(self, actions, begins):
        raise NotImplementedError


class LargeActions(Evaluated):
    def answer(self, actions, begins):
        return actions * 1000


class SoftActions(Evaluated):
    def answer(self, actions, begins):
        return torch.full_like(actions, 0.2)


class Crashes(Evaluated):
    """In the second evaluation."""

    evaluations = 0

    def answer(self, actions, begins):
        self.evaluations += begins
        if self.evaluations == 2:
            os.abort()
        return actions


class RaisesAtTheEnd(Evaluated):
    """In the final evaluation, of four episodes."""

    def answer(self, actions, begins):
        if actions.shape[1] == 4:
            raise RuntimeError("no more")
        return actions


class LargeSteps(Twin):
    """In training, whose play is a curve of the record."""

    def exploring(self, task, episodes_done):
        honest = super().exploring(task, episodes_done)
        return lambda seen: honest(seen) * 2


class SpeaksForItself(Twin):
    """Straight to the harness, past the process's own loop."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        channels = (found for found in gc.get_objects() if isinstance(found, Channel))
        next(channels).send({"do": "finished", "final": SCORE})
        time.sleep(1000)
