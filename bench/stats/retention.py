"""Performance retention ratio: how much of its teacher's score a student keeps, as such or above a random floor.

Axes: S seed. `student` [S], `teacher` [S'], `floor` a number that counts as exact, or [S''] a random policy's scores.

PRR = S / T is the papers' form. On negative returns it grows as the student gets worse. So it is undefined here for a
teacher whose mean is not above 0; use the floor-corrected form (S - R) / (T - R), and report which form was used. If
the teacher's mean is not above the floor, the ratio is undefined: estimate NaN, no interval, a reason. A student at or
below the floor has an estimate of 0 or less, and Fieller's interval.

All functions raise StatisticsError for NaN, infinity, empty input, or unequal paired sides.
"""

import math
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from bench.stats.decisions import Decision, Outcome, decide, explained, nothing_left, require_margin
from bench.stats.estimates import LEVEL, MINIMUM_SEEDS, Estimate, StatisticsError, finite, from_log, mean_estimate
from bench.stats.intervals import CONSTANT, TOO_FEW, UNBOUNDED, Interval, checked_level
from bench.stats.special import stdtrit

NEAR = 0.1
"""Fieller takes over if (t times the standard error / the teacher's mean above the floor)^2 exceeds this.

The g of Finney (1978, Statistical Method in Biological Assay), who drops Fieller's correction below .05 to .1.
"""


class _Sides:
    """Means of student and teacher above the floor, with their independent sides.

    Each side has a seed's spread, n, and weights in the student's and the teacher's mean: the floor's seeds lower both.
    """

    def __init__(self, student: ArrayLike, teacher: ArrayLike, floor: ArrayLike, paired: bool):
        floors = mean_estimate(np.atleast_1d(np.asarray(floor, dtype=np.float64)))
        self.exact_floor = np.ndim(floor) == 0
        pupil, master = mean_estimate(student), mean_estimate(teacher)
        self.above_student, self.above_teacher = pupil.value - floors.value, master.value - floors.value
        self.resolution = pupil.resolution + master.resolution + floors.resolution
        self.paired = paired
        self.counts = pupil.n + master.n + (() if self.exact_floor else floors.n)
        self.spreads = pupil.spreads + master.spreads + (() if self.exact_floor else floors.spreads)
        if paired:
            self.values = finite(student, "student"), finite(teacher, "teacher")
            if pupil.n != master.n:
                raise StatisticsError(f"paired values need the same seeds; got {pupil.n[0]} and {master.n[0]}")
            self.counts = self.counts[1:]

    @property
    def enough(self) -> bool:
        return min(self.counts) >= MINIMUM_SEEDS

    def contrast(self, of_student: float, of_teacher: float) -> Estimate:
        """of_student (S - R) + of_teacher (T - R), its spreads and seeds side by side."""
        value = of_student * self.above_student + of_teacher * self.above_teacher
        weights = (of_student, of_teacher, -of_student - of_teacher)
        if self.paired:
            student, teacher = self.values
            both = mean_estimate(of_student * student + of_teacher * teacher).spreads
            spreads = (*both, *(weights[2] * spread for spread in self.spreads[2:]))
        else:
            spreads = tuple(w * spread for w, spread in zip(weights, self.spreads, strict=False))
        return Estimate(value, tuple(map(abs, spreads)), self.counts, self.resolution, paired=self.paired)

    def log_ratio(self) -> Estimate:
        """log of the ratio by the delta method; both means must be above the floor."""
        value = math.log(self.above_student) - math.log(self.above_teacher)
        linear = self.contrast(1 / self.above_student, -1 / self.above_teacher)
        resolution = self.resolution * (1 / self.above_student + 1 / self.above_teacher)
        return replace(linear, value=value, resolution=resolution)

    def undefined(self) -> str:
        """Why there is no ratio; "" if there is one."""
        if self.above_teacher <= self.resolution:
            return f"ratio undefined: the teacher's mean is not above the floor ({self.above_teacher:.6g} above it)"
        return ""

    def near(self, level: float) -> bool:
        """Whether the teacher's mean is too near the floor for a logarithm's linear approximation."""
        teacher = self.contrast(0, 1)
        return teacher.error > 0 and _relative(teacher, level) ** 2 > NEAR


def _relative(estimate: Estimate, level: float) -> float:
    """Half width of the interval, divided by the value."""
    return float(stdtrit(estimate.df, (1 + level) / 2)) * estimate.error / abs(estimate.value)


def retention_interval(
    student: ArrayLike, teacher: ArrayLike, floor: ArrayLike = 0.0, paired: bool = False, level: float = 0.95
) -> Interval:
    """(S - R) / (T - R), by log-delta t, or by Fieller (1954) if the teacher is near the floor or the student at it.

    `method` names the form and which of the two was used. `paired`: seed k of the student learned from teacher k, so
    both vary together; unpaired intervals are then too wide, or too narrow if good teachers make worse students.
    Fieller's set may be unbounded, which is a legal answer: no interval, and a reason that starts with "unbounded".
    n < 3 on a side: no interval. Constant scores: zero width.

    Simulated coverage: docs/statistics.md.
    """
    sides = _Sides(student, teacher, floor, paired)
    form = "PRR" if sides.exact_floor and float(np.asarray(floor)) == 0 else "PRR above the floor"
    n, why = sides.counts, sides.undefined()
    if why:
        return Interval(math.nan, None, None, checked_level(level), n, form, why)
    ratio = sides.above_student / sides.above_teacher
    if not sides.enough:
        return Interval(ratio, None, None, checked_level(level), n, form, TOO_FEW)
    if max(sides.spreads) == 0:
        return Interval(ratio, ratio, ratio, checked_level(level), n, form, CONSTANT)
    if sides.above_student <= sides.resolution or sides.near(checked_level(level)):
        return _fieller(sides, ratio, level, f"{form}, Fieller")
    logarithm = sides.log_ratio()
    low, high = logarithm.bounds(level)
    reason = "" if logarithm.error > 0 else CONSTANT
    return Interval(ratio, from_log(low), from_log(high), level, n, f"{form}, log-delta t", reason)


def _fieller(sides: _Sides, ratio: float, level: float, method: str) -> Interval:
    """All r at which (S - R) - r (T - R) is not shown to differ from 0; its variance is a quadratic in r."""
    contrast = sides.contrast(1, -ratio)
    df = contrast.df if contrast.error > 0 else min(sides.counts) - 1
    squared = float(stdtrit(df, (1 + level) / 2)) ** 2
    var_student, var_teacher = sides.contrast(1, 0).error ** 2, sides.contrast(0, 1).error ** 2
    covariance = (var_student + var_teacher - sides.contrast(1, -1).error ** 2) / 2
    square = sides.above_teacher**2 - squared * var_teacher
    if square <= 0:
        reason = f"{UNBOUNDED}: the teacher's mean is not clear of the floor, the ratio is undefined here"
        return Interval(ratio, None, None, level, sides.counts, method, reason)
    middle = sides.above_student * sides.above_teacher - squared * covariance
    constant = sides.above_student**2 - squared * var_student
    half = math.sqrt(max(0.0, middle**2 - square * constant))
    return Interval(ratio, (middle - half) / square, (middle + half) / square, level, sides.counts, method)


def retention(
    student: ArrayLike,
    teacher: ArrayLike,
    printed: float,
    margin: float,
    floor: ArrayLike = 0.0,
    paired: bool = False,
) -> Decision:
    """Whether the retention is within printed +- margin: `decisions.ratio`, with a floor and for pairs.

    Two one-sided tests at 5% on the log scale, shown with the 90% interval; printed counts as exact. Undecided, with
    the reason, if `retention_interval` at this level is undefined, unbounded, or Fieller's. One case is a no instead: a
    student at the floor or below, whose teacher is clear of it, is shown to retain less than printed - margin.
    StatisticsError unless printed and margin are above 0.

    Without a floor, decisions are those of `decisions.ratio`, so its simulated errors (docs/statistics.md) are upper
    bounds here. Verdicts above a floor are not simulated; the intervals above a measured floor are.
    """
    require_margin(margin, positive=True)
    if not (printed > 0 and math.isfinite(printed)):
        raise StatisticsError(f"printed: got {printed}; a ratio above 0 is needed")
    interval = retention_interval(student, teacher, floor, paired, LEVEL)
    sides = _Sides(student, teacher, floor, paired)
    words: dict[Outcome, str] = {
        "yes": f"retention within {printed:g} +- {margin:g}",
        "no": f"retention outside {printed:g} +- {margin:g}",
        "undecided": f"retention neither inside nor outside {printed:g} +- {margin:g}",
    }
    if sides.above_student <= sides.resolution:
        least = max(0.0, printed - margin)
        below = decide(sides.contrast(1, -least), 0, math.inf)
        if refuted := nothing_left(below, decide(sides.contrast(0, 1), 0, math.inf), interval):
            return explained(replace(refuted, margin=margin), words)
    judged = "log-delta" in interval.method or (interval.reason == CONSTANT and interval.estimate > 0)
    if not judged:
        estimate = None if math.isnan(interval.estimate) else interval.estimate
        reason = interval.reason or "too near the floor: no ratio is judged there"
        return Decision("undecided", estimate, interval.low, interval.high, LEVEL, None, interval.n, reason, None)
    low = math.log(printed - margin) if printed > margin else -math.inf
    decision = decide(sides.log_ratio(), low, math.log(printed + margin))
    found = replace(decision, estimate=interval.estimate, low=interval.low, high=interval.high, margin=margin)
    return explained(found, words)
