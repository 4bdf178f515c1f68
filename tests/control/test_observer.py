"""The observer must never hand out a tick that mixes old data with new, and must say what a dropped tick lacked."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tenon.control.observer import Observer
from tenon.control.types import Pose

PERIOD_NS = 100_000_000


def pose(x: float = 0.0) -> Pose:
    return Pose(np.array((x, 0.0, 0.0)), np.array((0.0, 0.0, 0.0, 1.0)))


def picture(value: int = 0) -> np.ndarray:
    return np.full((4, 4, 3), value, np.uint8)


def feed(observer: Observer, stamp_ns: int, *, force: bool = True, image: bool = True) -> None:
    observer.on_pose(stamp_ns, pose(stamp_ns * 1e-9))
    if force:
        observer.on_force(stamp_ns, np.full(3, stamp_ns * 1e-9))
    observer.on_electrical(stamp_ns, False)
    if image:
        observer.on_image(stamp_ns, picture())


def test_one_tick_per_period_at_its_own_stamps() -> None:
    observer = Observer(period_ns=PERIOD_NS, image_tolerance_ns=None)
    stamps = []
    for stamp_ns in range(0, 10 * PERIOD_NS, PERIOD_NS // 10):
        feed(observer, stamp_ns, image=False)
        tick = observer.take()
        if tick is not None:
            assert tick.tcp_in_base.position_m[0] == tick.force_n[0] == tick.stamp_ns * 1e-9
            stamps.append(tick.stamp_ns)
    assert stamps == [k * PERIOD_NS for k in range(10)]
    assert not observer.missed


def test_a_tick_waits_for_its_wrench_whatever_the_order() -> None:
    observer = Observer(period_ns=PERIOD_NS, image_tolerance_ns=None)
    observer.on_force(0, np.zeros(3))
    observer.on_pose(0, pose())
    observer.on_electrical(0, True)
    assert observer.take() is None, "a wrench that came before the first pose belongs to no tick yet"
    observer.on_force(0, np.ones(3))
    tick = observer.take()
    assert tick is not None and tick.force_n[0] == 1.0 and tick.electrical
    assert observer.take() is None


def test_an_old_picture_is_not_used_and_the_camera_is_named() -> None:
    observer = Observer(period_ns=PERIOD_NS, image_tolerance_ns=PERIOD_NS // 2)
    feed(observer, 0)
    assert observer.take() is not None
    for k in (1, 2, 3):
        feed(observer, k * PERIOD_NS, image=False)
        assert observer.take() is None
    feed(observer, 4 * PERIOD_NS)
    assert observer.take() is not None
    assert observer.missed == {"camera/image_raw": 3}


def test_the_detector_must_have_spoken_since_the_tick() -> None:
    observer = Observer(period_ns=PERIOD_NS, image_tolerance_ns=None)
    feed(observer, 0, image=False)
    assert observer.take() is not None
    observer.on_pose(PERIOD_NS, pose())
    observer.on_force(PERIOD_NS, np.zeros(3))
    assert observer.take() is None
    observer.on_electrical(PERIOD_NS, True)
    tick = observer.take()
    assert tick is not None and tick.electrical


def test_without_a_detector_a_tick_waits_for_none_and_says_that_nothing_is_known() -> None:
    observer = Observer(period_ns=PERIOD_NS, image_tolerance_ns=None, detector=False)
    for k in range(3):
        observer.on_pose(k * PERIOD_NS, pose())
        observer.on_force(k * PERIOD_NS, np.zeros(3))
        tick = observer.take()
        assert tick is not None and tick.electrical is None
    assert not observer.missed
    observer.on_electrical(3 * PERIOD_NS, True)
    feed(observer, 3 * PERIOD_NS, image=False)
    tick = observer.take()
    assert tick is not None and tick.electrical is None, "a stray word of another stand's node does not count"


def test_the_peak_between_two_ticks_is_kept_and_the_tare_is_subtracted() -> None:
    observer = Observer(period_ns=PERIOD_NS, image_tolerance_ns=None)
    observer.bias_n = np.array((0.0, 0.0, 5.0))
    feed(observer, 0, image=False)
    observer.take()
    observer.on_force(PERIOD_NS // 2, np.array((0.0, 0.0, 12.0)))
    observer.on_pose(PERIOD_NS, pose())
    observer.on_electrical(PERIOD_NS, False)
    observer.on_force(PERIOD_NS, np.array((0.0, 0.0, 6.0)))
    tick = observer.take()
    assert tick is not None
    assert (tick.force_n[2], tick.peak_force_n) == (1.0, 7.0)


def test_time_set_back_starts_a_new_grid() -> None:
    observer = Observer(period_ns=PERIOD_NS, image_tolerance_ns=None)
    feed(observer, 50 * PERIOD_NS, image=False)
    assert observer.take() is not None
    feed(observer, 0, image=False)
    tick = observer.take()
    assert tick is not None and tick.stamp_ns == 0


@given(st.lists(st.tuples(st.sampled_from("pfie"), st.integers(0, 40)), max_size=200))
def test_no_tick_ever_holds_data_older_than_it_allows(samples: list[tuple[str, int]]) -> None:
    tolerance_ns = PERIOD_NS // 2
    observer = Observer(period_ns=PERIOD_NS, image_tolerance_ns=tolerance_ns)
    newest = {"f": -1, "i": -1, "e": -1}
    for kind, step in samples:
        stamp_ns = step * PERIOD_NS // 4
        if kind == "p":
            observer.on_pose(stamp_ns, pose())
        elif kind == "f":
            observer.on_force(stamp_ns, np.full(3, float(stamp_ns)))
            newest["f"] = stamp_ns
        elif kind == "e":
            observer.on_electrical(stamp_ns, True)
            newest["e"] = stamp_ns
        else:
            observer.on_image(stamp_ns, picture())
            newest["i"] = stamp_ns
        tick = observer.take()
        if tick is not None:
            assert tick.force_n[0] == newest["f"] >= tick.stamp_ns
            assert newest["e"] >= tick.stamp_ns
            assert tick.rgb is not None
            assert tick.rgb_stamp_ns == newest["i"]
            assert newest["i"] >= tick.stamp_ns - tolerance_ns
