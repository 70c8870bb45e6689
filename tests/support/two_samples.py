"""Whether two samples are of one distribution: the test of Mann, Whitney and Wilcoxon, with the normal approximation and the
correction for ties; and the figures that go beside it."""

import math
import statistics


def ranks(values):
    """Mean rank of each value, and the sum over ties of t^3 - t."""
    order = sorted(range(len(values)), key=values.__getitem__)
    found, ties, at = [0.0] * len(values), 0, 0
    while at < len(order):
        end = at
        while end < len(order) and values[order[end]] == values[order[at]]:
            end += 1
        for index in order[at:end]:
            found[index] = (at + end + 1) / 2
        ties += (end - at) ** 3 - (end - at)
        at = end
    return found, ties


def mann_whitney(first, second):
    """(share, p): how often one of `first` is above one of `second`, 0.5 where they are alike, and how likely that is by chance."""
    n, m = len(first), len(second)
    found, ties = ranks([*first, *second])
    u = sum(found[:n]) - n * (n + 1) / 2
    total = n + m
    variance = n * m / 12 * (total + 1 - ties / (total * (total - 1)))
    if variance == 0:
        return 0.5, 1.0
    z = (u - n * m / 2) / math.sqrt(variance)
    return u / (n * m), math.erfc(abs(z) / math.sqrt(2))


def quartiles(values):
    return statistics.quantiles(values, n=4)
