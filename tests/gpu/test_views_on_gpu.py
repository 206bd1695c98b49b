"""nvJPEG and the views of a batch beside those of the CPU."""

import pytest
import torch

from bm_plugins.models import GPUViews
from tests.models.preprocessors.test_gpu_views import (
    NORM,
    batches,
    part,
    stock,
)


@pytest.mark.parametrize('decode', ['device', 'workers'])
def test_the_views_of_the_cpu(cells, decode):
    ours, dataset = GPUViews(decode=decode, **NORM).cuda(), part(cells)
    ours.take_over(dataset)
    for expected, batch in zip(
        batches(part(cells)), batches(dataset, workers=1), strict=True
    ):
        expected, found = stock()(expected), ours(batch)
        for a, b in zip(expected['inputs'], found['inputs'], strict=True):
            assert b.device.type == 'cuda' and a.shape == b.shape
            # in standard deviations; a level of 255 is 0.02
            assert (a - b.cpu()).abs().mean() < 0.03
    assert not ours._said  # nvJPEG decoded all of them


def test_memory_that_is_used_again(cells):
    """The decoder's stream does not write what the step still reads."""
    ours, dataset = GPUViews(**NORM).cuda(), part(cells)
    ours.take_over(dataset)
    several = list(batches(dataset, workers=1))

    def views():
        return [v.clone() for batch in several for v in ours(batch)['inputs']]

    expected, found = views(), []
    torch.cuda.synchronize()
    busy = torch.randn(4096, 4096, device='cuda')
    for _ in range(10):  # the step is behind, and nothing waits for it
        busy = busy @ busy / 4096
        found.append(views())
    for turn in found:
        torch.testing.assert_close(turn, expected)
