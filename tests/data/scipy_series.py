#!/usr/bin/env python3
"""Writes the vectors for quantile intervals, batch means, trends, the sign test and the residual scale.

    pip install scipy pymannkendall && python3 tests/data/scipy_series.py

Ranks come from scipy's binomial law by trying them all, means and t from scipy.stats, trends from pymannkendall
(Hussain and Mahmud, JOSS 2019), which is built on numpy and scipy and shares nothing with the code under test.
"""

import json
import pathlib

import numpy as np
import pymannkendall
import scipy
from scipy import stats

HERE = pathlib.Path(__file__).parent
CONFIDENCES = (0.90, 0.95, 0.99)


def write(name, rows):
    lines = ",\n".join("  " + json.dumps(row) for row in rows)
    (HERE / name).write_text(f'{{"scipy": "{scipy.__version__}", "rows": [\n{lines}\n]}}\n')


def quantile_ranks():
    """The narrowest order statistics, counted from 1, that miss the quantile on their side with at most half the rest."""
    for n in (1, 2, 5, 6, 7, 10, 35, 100, 459, 1_000, 20_000):
        for q in (0.5, 0.9, 0.99, 0.999):
            for confidence in CONFIDENCES:
                tail = (1 - confidence) / 2
                at_most = stats.binom.cdf(np.arange(n + 1), n, q)
                low = int(np.sum(at_most <= tail)) or None  # P(X_(low) > quantile) = P(Bin <= low - 1)
                beyond = stats.binom.sf(np.arange(n) , n, q)  # P(X_(high) < quantile) = P(Bin >= high)
                fit = np.flatnonzero(beyond <= tail)
                high = int(fit[0]) + 1 if len(fit) else None
                yield {"n": n, "q": q, "confidence": confidence, "low": low, "high": high}


def batch_means():
    rng = np.random.default_rng(11)
    for n, batches in ((10, 2), (40, 10), (203, 20), (1_000, 30)):
        x = np.round(np.cumsum(rng.normal(size=n)) * 0.1 + rng.normal(5, 1, n), 6)
        size = n // batches
        means = x[n - size * batches :].reshape(batches, size).mean(axis=1)
        for confidence in CONFIDENCES:
            low, high = stats.t.interval(confidence, batches - 1, means.mean(), stats.sem(means))
            yield {"x": x.tolist(), "batches": batches, "confidence": confidence,
                   "value": float(means.mean()), "low": float(low), "high": float(high)}


def series(n, rng):
    yield "white", rng.normal(size=n)
    yield "trend", rng.normal(size=n) + 0.1 * np.arange(n)
    red = rng.normal(size=n)
    for i in range(1, n):
        red[i] += 0.7 * red[i - 1]
    yield "red", red
    yield "falling red", red - 0.2 * np.arange(n)
    yield "ties", rng.integers(0, 4, n).astype(float)


def trends():
    for n in (4, 5, 8, 20, 30, 61, 120):
        for name, x in series(n, np.random.default_rng([n, 3])):
            x = np.round(x, 6)
            with np.errstate(all="ignore"):
                found = pymannkendall.hamed_rao_modification_test(x)
                plain = pymannkendall.original_test(x)
            if not found.var_s > 0:  # no variance is left: the correction is refused
                found = plain
            slope = stats.theilslopes(x)[0]
            yield {"name": name, "x": x.tolist(), "s": float(found.s), "z": float(found.z), "p": float(found.p),
                   "corrected": bool(found.var_s != plain.var_s), "slope_sign": int(np.sign(slope))}


def sign_tests():
    for above in range(0, 41, 3):
        for below in range(0, 41, 5):
            if above + below:
                p = stats.binomtest(above, above + below, alternative="greater").pvalue
                yield {"above": above, "below": below, "p": float(p)}


def residuals():
    for n in (1, 2, 5, 12, 40):
        d = np.round(np.random.default_rng([n, 5]).standard_t(3, n), 6)
        centre = np.median([(d[i] + d[j]) / 2 for i in range(n) for j in range(i, n)])
        yield {"d": d.tolist(), "s": float(1.4826 * stats.median_abs_deviation(d, center=lambda x, axis: centre))}


write("scipy_quantile_ranks.json", quantile_ranks())
write("scipy_batch_means.json", batch_means())
write("scipy_mann_kendall.json", trends())
write("scipy_sign_test.json", sign_tests())
write("scipy_residuals.json", residuals())
