"""The collector of a process that serves."""

import subprocess
import sys

from server.cli.garbage import THRESHOLDS

# in a process of its own: freezing would keep what other tests have made
TUNED = """
import gc
from server.cli.garbage import tune_collector

class Node:
    pass

tune_collector()
for _ in range(200_000):
    node = Node()
    node.itself = node  # only the collector frees it
left = sum(isinstance(found, Node) for found in gc.get_objects())
print(*gc.get_threshold(), gc.get_freeze_count() > 1000, left <= gc.get_threshold()[0])
"""


def test_what_was_loaded_is_left_out_and_garbage_is_still_found() -> None:
    done = subprocess.run([sys.executable, "-c", TUNED], capture_output=True, check=True, text=True)
    assert done.stdout.split() == [*map(str, THRESHOLDS), "True", "True"]
