"""A free plug learnt from pictures drawn so that the answer is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from drawn_sockets import draw_domains

from tenon.configuration import ConfigurationError
from tenon.data.domains import LabelledImages
from tenon.rewards.daib.free_plug import (
    EPISODES,
    FREE_STEPS,
    FreePlugs,
    free_plug_of,
    free_rows,
    learn_free_plug,
    plug_maps,
)


def _moving(count: int = 6, *, noise: int = 0) -> np.ndarray:
    """A plug, columns 4 to 7 and rows 0 to 8, before stripes that move on by two pixels from picture to picture."""
    rng = np.random.default_rng(0)
    pictures = np.zeros((count, 12, 12, 3), np.uint8)
    for number, picture in enumerate(pictures):
        picture[:] = np.where((np.arange(12) + 2 * number) % 6 < 3, 40, 200)[:, None, None]
        picture[:9, 4:8] = (120, 90, 60)
        picture += rng.integers(0, noise + 1, picture.shape, dtype=np.uint8)
    return pictures


@pytest.mark.parametrize("noise", [0, 3])
def test_plug_is_what_stays_the_same(noise: int) -> None:
    plug = learn_free_plug(_moving(noise=noise))
    expected = np.zeros((12, 12), np.uint8)
    expected[:9, 4:8] = 255
    np.testing.assert_array_equal(plug.still, expected)
    np.testing.assert_allclose(plug.picture[:9, 4:8], np.broadcast_to((120, 90, 60), (9, 4, 3)), atol=noise)


def test_one_picture_alone_tells_nothing_of_what_is_behind() -> None:
    assert (learn_free_plug(_moving(count=1)).still == 255).all()


def test_hidden_part_of_the_plug_is_shown_and_nothing_else() -> None:
    pictures = _moving()
    plug, seated = learn_free_plug(pictures), pictures[2].copy()
    seated[6:] = (10, 200, 10)
    still, hidden = np.moveaxis(plug.maps(np.stack([pictures[3], seated])), -1, 0)
    assert (still == plug.still).all()
    assert not hidden[0].any()
    expected = np.zeros((12, 12), np.uint8)
    expected[6:9, 4:8] = 255
    np.testing.assert_array_equal(hidden[1], expected)


def test_colours_do_not_matter() -> None:
    """All colours turned round: the maps are the same."""
    pictures = _moving()
    seated = pictures[2].copy()
    seated[6:] = 250
    first = learn_free_plug(pictures).maps(seated[None])
    second = learn_free_plug(255 - pictures[..., ::-1]).maps(255 - seated[None, ..., ::-1])
    np.testing.assert_array_equal(first, second)


def test_each_picture_may_have_a_plug_of_its_own() -> None:
    pictures = _moving()
    plugs = [learn_free_plug(pictures[:k]) for k in (1, 6)]
    free, still = np.stack([plug.picture for plug in plugs]), np.stack([plug.still for plug in plugs])
    together = plug_maps(pictures[:2], free, still)
    for number, plug in enumerate(plugs):
        np.testing.assert_array_equal(together[number], plug.maps(pictures[number : number + 1])[0])


@pytest.fixture(scope="module")
def data() -> LabelledImages:
    """Episode 0 begins with the plug in the socket, episode 1 nearly so, episode 2 goes down within its first steps."""
    drawn = draw_domains(2, 8, seed=0)
    label, offset_m = drawn.label.copy(), drawn.offset_m.copy()
    offset_m[:, 2] = 0.02
    label[0], offset_m[10, 2], offset_m[21, 2] = True, 0.005, 0.004
    return replace(drawn, label=label, offset_m=offset_m)


def test_free_pictures_are_the_first_ones_of_episodes_that_begin_free(data: LabelledImages) -> None:
    found = [rows.tolist() for rows in free_rows(data, data.names[0])]
    assert found[0] == [20, 22]
    assert found[1:] == [[10 * e + k for k in range(FREE_STEPS) if not data.label[10 * e + k]] for e in range(3, 8)]


def test_recordings_that_do_not_tell_the_height_are_trusted(data: LabelledImages) -> None:
    unknown = replace(data, offset_m=np.full_like(data.offset_m, np.nan))
    assert free_rows(unknown, data.names[0])[0].tolist() == [10, 11, 12]


def test_domain_whose_episodes_all_begin_in_the_socket_is_refused(data: LabelledImages) -> None:
    low = replace(data, offset_m=np.zeros_like(data.offset_m))
    with pytest.raises(ConfigurationError, match="train-00: none of its episodes begins with the plug free, 12 mm"):
        free_plug_of(low, "train-00")


def test_a_session_learns_the_plug_from_the_first_free_episodes(data: LabelledImages) -> None:
    rows = np.concatenate(free_rows(data, data.names[1])[:EPISODES])
    expected = learn_free_plug(data.image[rows])
    found = free_plug_of(data, data.names[1])
    np.testing.assert_array_equal(found.still, expected.still)
    np.testing.assert_array_equal(found.picture, expected.picture)


def test_training_draws_plugs_of_the_pictures_own_domain(data: LabelledImages) -> None:
    plugs = FreePlugs(data, data.names[1:], np.random.default_rng(0), each=3)
    picture, domain = data.image[100:101], data.domain[100:101]
    seen = {plugs.maps(picture, domain).tobytes() for _ in range(40)}
    assert 1 < len(seen) <= 3
