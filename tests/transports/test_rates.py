"""Token buckets, by the clock of the test."""

import pytest

from server.errors import RateLimited
from server.transports.rates import Bucket, Buckets, Rate

RATE = Rate(per_second=20.0, burst=50)


def sent(bucket: Bucket, *, at: list[float]) -> list[bool]:
    """Return which of some events were let in."""
    return [bucket.take(now) == 0 for now in at]


def test_a_burst_is_let_in_and_one_more_is_not() -> None:
    bucket = Bucket(RATE, 100.0)
    assert sent(bucket, at=[100.0] * 51) == [True] * 50 + [False]


def test_who_waits_as_told_is_let_in() -> None:
    bucket = Bucket(RATE, 0.0)
    sent(bucket, at=[0.0] * 50)
    wait = bucket.take(0.01)
    assert 0 < wait <= 0.05
    assert bucket.take(0.01 + wait - 0.001) > 0
    assert bucket.take(0.01 + wait + 1e-9) == 0


def test_the_limit_itself_is_never_refused() -> None:
    bucket = Bucket(RATE, 0.0)
    assert all(sent(bucket, at=[n / 20 for n in range(5000)]))
    assert bucket.over_for == 0


def test_refusals_take_nothing() -> None:
    bucket = Bucket(RATE, 0.0)
    let_in = sum(sent(bucket, at=[n / 100 for n in range(1000)]))
    assert let_in == pytest.approx(50 + 10 * 20, abs=2)


def test_events_let_in_between_do_not_end_being_over() -> None:
    bucket = Bucket(RATE, 0.0)
    sent(bucket, at=[n / 100 for n in range(1000)])
    assert bucket.over_for == pytest.approx(10 - 50 / 80, abs=0.1)


def test_a_second_without_a_refusal_ends_being_over() -> None:
    bucket = Bucket(RATE, 0.0)
    sent(bucket, at=[0.0] * 60)
    sent(bucket, at=[0.9 + n / 1000 for n in range(30)])
    assert bucket.over_for == pytest.approx(0.929)
    sent(bucket, at=[2.0] * 60)
    assert bucket.over_for == 0


def test_a_full_bucket_is_forgotten_and_another_is_not() -> None:
    buckets = Buckets(RATE)
    for number in range(1000):
        buckets.take(f"client {number}", 0.0)
    assert len(buckets) == 1000
    for _ in range(40):
        buckets.take("client 999", 0.04)
    buckets.take("newcomer", 0.06)
    assert len(buckets) == 2


def test_of_too_many_the_one_used_longest_ago_is_forgotten() -> None:
    buckets = Buckets(Rate(per_second=0.001, burst=1), most=100)
    for number in range(150):
        buckets.take(f"client {number}", 0.0)
    assert len(buckets) == 100
    with pytest.raises(RateLimited):
        buckets.take("client 149", 0.0)
    buckets.take("client 0", 0.0)


def test_a_refusal_says_when_to_come_back() -> None:
    buckets = Buckets(Rate(per_second=0.5, burst=1))
    buckets.take("client", 0.0)
    with pytest.raises(RateLimited) as refused:
        buckets.take("client", 1.0)
    assert refused.value.retry_after == 1.0
