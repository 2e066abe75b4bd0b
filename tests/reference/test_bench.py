"""The benchmarks' own judgement: when a soak fails, what a client's figures are."""

import sys
import unittest
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts" / "bench"))
import load  # noqa: E402
import network  # noqa: E402
import vitals  # noqa: E402

IDLE = vitals.Vitals(at_s=0, rss_mib=300, descriptors=20, threads=10, children=2, children_rss_mib=50,
                     spool_files=0, spool_bytes=0)
PRINTED = """
Complete requests:      128
Failed requests:        3
   (Connect: 0, Receive: 0, Length: 0, Exceptions: 3)
Non-2xx responses:      2
Requests per second:    1.25 [#/sec] (mean)

Percentage of the requests served within a certain time (ms)
  50%   6400
  99%   9100
 100%   9500 (longest request)
"""


def samples(memory):
    """A look every 5 s, with so much memory each."""
    return [replace(IDLE, at_s=5 * number, rss_mib=mib, children=4, spool_files=3)
            for number, mib in enumerate(memory)]


class Verdict(unittest.TestCase):
    def test_a_sound_server_has_no_fault(self):
        # It grows while it warms up, and goes up and down afterwards.
        memory = [*range(200, 300), *(300 + 40 * (number % 3 == 0) for number in range(100))]
        self.assertEqual(vitals.faults(IDLE, samples(memory), IDLE), [])

    def test_steady_growth_in_the_second_half_is_a_fault(self):
        memory = [300] * 100 + [300 + 0.4 * number for number in range(100)]
        (fault,) = vitals.faults(IDLE, samples(memory), IDLE)
        self.assertIn("memory grew by 39.6 MiB", fault)

    def test_a_single_peak_is_not_growth(self):
        memory = [300] * 199 + [900]
        self.assertEqual(vitals.faults(IDLE, samples(memory), IDLE), [])

    def test_each_thing_left_behind_is_named(self):
        after = replace(IDLE, descriptors=21, threads=12, children=3, spool_files=1, spool_bytes=7)
        found = vitals.faults(IDLE, samples([300] * 9), after)
        self.assertEqual(found, [
            "21 descriptors at the end, 20 at the start", "12 threads at the end, 10 at the start",
            "3 children at the end, 2 at the start", "1 files of 7 bytes left in the spool",
        ])

    def test_too_few_samples_are_no_verdict(self):
        with self.assertRaises(ValueError):
            vitals.faults(IDLE, samples([300]), IDLE)


class Clients(unittest.TestCase):
    def test_what_ab_prints_is_read(self):
        self.assertEqual(load.read(PRINTED), load.Load(1.25, 6400, 9100, refused=2, broken=3))


class Networks(unittest.TestCase):
    def test_the_residual_network_takes_any_batch(self):
        model = network.resnet_18()
        self.assertEqual(sum(node.op_type == "Conv" for node in model.graph.node), 20)
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        pixels = np.random.default_rng(1).normal(size=(2, 3, 224, 224)).astype(np.float32)
        (both,) = session.run(None, {"pixels": pixels})
        (first,) = session.run(None, {"pixels": pixels[:1]})
        self.assertTrue(np.isfinite(both).all())
        np.testing.assert_allclose(both[:1], first, rtol=1e-4, atol=1e-4)


if __name__ == "__main__":
    unittest.main()
