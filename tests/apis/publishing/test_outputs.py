"""Outputs of many files against one image at a time."""

import pytest
import torch

from bm_plugins.apis.bundle.bundle_model import build_model
from bm_plugins.apis.bundle.read_cell import CellReader
from bm_plugins.apis.publishing.outputs import network_outputs
from bm_plugins.errors import UnreadableImage
from tests.apis.tiny_bundle import tiny_bundle


def test_order_and_values(cells):
    bundle = tiny_bundle()
    model, reader = build_model(bundle), CellReader(bundle)
    files = sorted(map(str, cells.rglob('*.jpg')))[::-5]
    found = network_outputs(model, files, reader, 4, 1)
    with torch.no_grad():
        alone = [model(torch.from_numpy(reader(f))[None]) for f in files]
    for table, parts in zip(found, zip(*alone, strict=True), strict=True):
        torch.testing.assert_close(table, torch.cat(parts))


def test_unreadable_image_is_named(cells):
    bundle = tiny_bundle()
    files = [str(cells / 'none.jpg')]
    with pytest.raises(UnreadableImage, match='none.jpg'):
        network_outputs(build_model(bundle), files, CellReader(bundle))
