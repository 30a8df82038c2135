"""Rows shared out to threads."""

import pytest
import torch

from sharp_xr.model.kernels import over_rows


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("rows", [1, 2, 7])
def test_every_row_is_worked_on_once(rows: int, threads: int) -> None:
    before = torch.get_num_threads()
    done = [0] * rows
    try:
        torch.set_num_threads(threads)
        over_rows(rows, lambda first, end: done.__setitem__(slice(first, end), [1] * (end - first)))
    finally:
        torch.set_num_threads(before)
    assert done == [1] * rows


def test_an_error_in_a_band_is_heard() -> None:
    def fail(first: int, end: int) -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        over_rows(8, fail)
