"""Functions of distributions. scipy.special takes a third of a second to load and few commands need it: loaded late."""

from __future__ import annotations

from typing import Any


def stdtr(df: Any, t: Any) -> Any:
    """The probability of at most `t`, with `df` degrees of freedom."""
    from scipy.special import stdtr

    return stdtr(df, t)


def stdtrit(df: Any, p: Any) -> Any:
    """The value that is not exceeded with probability `p`, with `df` degrees of freedom."""
    from scipy.special import stdtrit

    return stdtrit(df, p)


def nctdtr(df: Any, centre: Any, t: Any) -> Any:
    """The probability of at most `t` in the noncentral distribution around `centre`; NaN at some ordinary arguments."""
    from scipy.special import nctdtr

    return nctdtr(df, centre, t)


def ndtri(p: Any) -> Any:
    """The value that a standard normal number does not exceed with probability `p`."""
    from scipy.special import ndtri

    return ndtri(p)


def betaincinv(a: Any, b: Any, p: Any) -> Any:
    """The value that a Beta(a, b) number does not exceed with probability `p`."""
    from scipy.special import betaincinv

    return betaincinv(a, b, p)
