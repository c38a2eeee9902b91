#!/usr/bin/env python3
"""Writes the vectors that the tests of src/stats compare with, from scipy and numpy.

    pip install scipy && python3 tests/data/scipy_stats.py

Limits are found by inverting scipy's own exact test wherever it has one (no ties, no zeros), so that they do not
rest on the formula under test. With ties, the rank is the one that the inversion gave for as many tie-free pairs.
"""

import json
import pathlib

import numpy as np
import scipy
from scipy.stats import wilcoxon

HERE = pathlib.Path(__file__).parent
CONFIDENCES = (0.90, 0.95, 0.99)


def at_most(n, t):
    """P(T <= t) for n pairs, by testing differences +-1..+-n whose positive ranks sum to t."""
    signs, left = [], t
    for rank in range(n, 0, -1):
        positive = rank <= left
        signs.append(rank if positive else -rank)
        left -= rank if positive else 0
    assert left == 0
    result = wilcoxon(signs, alternative="less", method="exact")
    return float(result.pvalue)


def law():
    """Every probability up to 8 pairs, beyond that a spread of them with the tails that limits are read from."""
    for n in range(1, 41):
        top = n * (n + 1) // 2
        ts = range(top + 1) if n <= 8 else sorted({*range(0, top, top // 9), top // 2, top})
        yield {"n": n, "at_most": [[t, at_most(n, t)] for t in ts]}


def accepted(d, theta, confidence):
    return wilcoxon(d - theta, method="exact").pvalue > 1 - confidence


def inverted_rank(n, confidence):
    """The k for which the k-th smallest Walsh average is the lowest centre that scipy's test does not reject."""
    d = np.random.default_rng([n, 7]).normal(size=n)
    walsh = averages(d)
    if not rejected_below(d, walsh, 0, confidence):
        return None
    low, high = 0, len(walsh) // 2  # rejected just below walsh[low], accepted just below walsh[high]
    while high - low > 1:
        middle = (low + high) // 2
        if rejected_below(d, walsh, middle, confidence):
            low = middle
        else:
            high = middle
    return low + 1


def rejected_below(d, walsh, index, confidence):
    """Whether the test rejects a centre between walsh[index - 1] and walsh[index]."""
    theta = walsh[0] - 1 if index == 0 else (walsh[index - 1] + walsh[index]) / 2
    return not accepted(d, theta, confidence)


def averages(d):
    return np.sort([(d[i] + d[j]) / 2 for i in range(len(d)) for j in range(i, len(d))])


def limits():
    for n in range(1, 41):
        yield {"n": n, "rank": [[c, inverted_rank(n, c)] for c in CONFIDENCES]}


def samples(n):
    rng = np.random.default_rng([n, 1])
    yield "normal", rng.normal(0.1, 1, n)
    yield "lognormal", rng.lognormal(0, 1, n)
    yield "heavy tails", rng.standard_t(1, n)
    yield "ties and zeros", rng.integers(-2, 3, n) / 2
    yield "equal", np.full(n, 0.25)


def centres():
    for n in range(1, 41):
        for name, d in samples(n):
            if n > 12 and n % 7:
                continue
            d = np.round(d, 6)
            walsh = averages(d)
            case = {"name": name, "d": d.tolist(), "value": float(np.median(walsh)), "intervals": []}
            for confidence in CONFIDENCES:
                k = inverted_rank(n, confidence)
                ends = [float(walsh[k - 1]), float(walsh[-k])] if k else None
                case["intervals"].append([confidence, ends])
            yield case


def write(name, rows):
    lines = ",\n".join("  " + json.dumps(row) for row in rows)
    text = f'{{"scipy": "{scipy.__version__}", "rows": [\n{lines}\n]}}\n'
    (HERE / name).write_text(text)


write("scipy_wilcoxon.json", law())
write("scipy_limits.json", limits())
write("scipy_hodges_lehmann.json", centres())
