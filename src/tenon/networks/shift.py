"""Random shifts of images, the augmentation of DrQ (Yarats et al., 2021)."""

from __future__ import annotations

import torch
from torch import Tensor


def random_shift(images: Tensor, limit_px: int, generator: torch.Generator) -> Tensor:
    """A copy of ``images``, each moved by its own whole number of pixels, uniform in [-limit, limit] on both axes.

    images: (batch, height, width, channels) of uint8. What moves in at an edge repeats the edge, as if the image were
    padded by replication and cropped at random.
    """
    size = (2, len(images))
    down, right = torch.randint(-limit_px, limit_px + 1, size, generator=generator, device=images.device)
    return shifted(images, down, right, limit_px)


def shifted(images: Tensor, down: Tensor, right: Tensor, limit_px: int) -> Tensor:
    """Images moved by ``down`` and ``right`` pixels, (batch,) of int64 each, within the limit; edges repeat.

    Each line of a moved image is one run of bytes in an image whose lines are longer by the limit on both sides. So
    one copy line by line moves both ways, without an index for every pixel.
    """
    batch, height, width, channels = images.shape
    left_edge = images[:, :, :1].expand(-1, -1, limit_px, -1)
    right_edge = images[:, :, -1:].expand(-1, -1, limit_px, -1)
    padded = torch.cat((left_edge, images, right_edge), dim=2)
    padded_width = width + 2 * limit_px
    # All runs of ``width`` pixels there are, by the pixel that they begin with: views that overlap.
    last_start = batch * height * padded_width - width
    runs = padded.view(-1).as_strided((last_start + 1, width * channels), (channels, 1))
    lines = torch.arange(height, device=images.device)
    source = (lines - down[:, None]).clamp_(0, height - 1)
    first_line = torch.arange(0, batch * height, height, device=images.device)
    starts = (source + first_line[:, None]) * padded_width + (limit_px - right[:, None])
    return runs.index_select(0, starts.flatten()).view(images.shape)
