"""Networks here are small: one thread is fastest, most of all where tests run side by side."""

from __future__ import annotations

import torch

torch.set_num_threads(1)
