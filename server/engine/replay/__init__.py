"""Tests: recorded runs replayed against agents, judged, counted and reported."""
