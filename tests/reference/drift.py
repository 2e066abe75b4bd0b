"""Population stability index and Kolmogorov-Smirnov of histograms, by numpy and scipy.

Reads a JSON list of pairs of histograms on standard input; writes a list of [psi, ks, critical].
"""

import json
import sys

import numpy as np
from scipy import stats


def measures(live, reference):
    live, reference = np.array(live), np.array(reference)
    # Half a score in each bin, so that an empty one has a logarithm.
    p, q = ((counts + 0.5) / (counts + 0.5).sum() for counts in (live, reference))
    psi = stats.entropy(p, q) + stats.entropy(q, p)
    centres = (np.arange(live.size) + 0.5) / live.size
    samples = [np.repeat(centres, counts) for counts in (live, reference)]
    ks = stats.ks_2samp(*samples, method="asymp").statistic
    n, m = live.sum(), reference.sum()
    critical = stats.kstwobign.ppf(0.99) * np.sqrt((n + m) / (n * m))
    return [psi, ks, critical]


def main():
    json.dump([measures(live, reference) for live, reference in json.load(sys.stdin)], sys.stdout)


if __name__ == "__main__":
    main()
