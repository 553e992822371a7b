"""The one grader: judges a transcript by a rubric, with verified quotes and a score that we compute."""

from server.engine.grading.grader import Grader
from server.engine.grading.task import Emit, GradingTask
from server.engine.grading.transcript import LARGE, SMALL, Budget

__all__ = ["LARGE", "SMALL", "Budget", "Emit", "Grader", "GradingTask"]
