import json
from datetime import datetime

import numpy as np
import pytest
import torch
from benchmarks.learning import learning, training_figures
from benchmarks.lightly_swav import Cells, Network, views_like
from lightly.loss import SwaVLoss
from mmengine.config import Config
from mmpretrain.registry import MODELS
from PIL import Image
from sklearn.metrics import f1_score

from bm_plugins.errors import InputError
from bm_plugins.models import GlobalSwAVLoss
from bm_plugins.report.runs.run_folder import read_run
from bm_plugins.visualization.curves import read_curves

SMALL = ['train_dataloader.batch_size=8', 'train_dataloader.num_workers=0']
TINY = 'configs/swav_tiny_bm.py'


@pytest.mark.slow
def test_all_sides_train_and_are_tested(cells, tmp_path, monkeypatch, python):
    monkeypatch.setattr('sys.executable', str(python))
    # The prototypes are frozen for two epochs.
    found = learning(str(cells), 1, 3, SMALL, tmp_path)
    assert json.loads(json.dumps(found)) == found
    assert (found['epochs'], found['batch_size']) == (3, 16)
    rates, weights = [], []
    for name, side in found['sides'].items():
        trained = tmp_path / f'{name}_0/train'
        # 49 images that are not of the test: 3 steps of 16, thrice.
        assert side['images'] == 144
        curves = read_curves(trained)
        rates.append([*curves['lr'].values()])
        assert side['ln_k_share'] == curves['ln_k_share'][9]
        record = json.loads((trained / 'run_train.json').read_text())
        times = [
            datetime.fromisoformat(record[k]) for k in ('started', 'ended')
        ]
        seconds = (times[1] - times[0]).total_seconds()
        assert side['images_per_s'] == pytest.approx(144 / seconds)
        assert side['startup_s'] > 0
        run = read_run(tmp_path / f'{name}_0/test')
        score = f1_score(run.labels, run.predictions, average='macro')
        assert side['macro_f1'] == pytest.approx(score)
        state = torch.load(trained / 'epoch_3.pth')['state_dict']
        weights.append(state['backbone.conv1.weight'])
    # As much, as fast a schedule; each side by itself.
    assert rates[1] == rates[2] == pytest.approx(rates[0])
    assert not torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[1], weights[2])
    ours = found['sides']['ours']
    for name, against in found['ours_against'].items():
        side = found['sides'][name]
        gain = ours['macro_f1'] - side['macro_f1']
        assert against['macro_f1'] == pytest.approx(gain)
        assert against['low'] <= gain <= against['high']
        speed = ours['images_per_s'] / side['images_per_s']
        assert against['speed'] == pytest.approx(speed)
    assert '| lightly_own_head |' in (tmp_path / 'results.md').read_text()


def test_figures_of_a_training_by_hand(tmp_path):
    times = dict(
        started='2026-01-01T00:00:00.500+00:00',
        ended='2026-01-01T00:00:10.500+00:00',
    )
    (tmp_path / 'run_train.json').write_text(json.dumps(times))
    log = tmp_path / 'x/vis_data/scalars.json'
    log.parent.mkdir(parents=True)
    lines = [dict(ln_k_share=1.0, step=5), dict(ln_k_share=0.5, step=10)]
    log.write_text('\n'.join(map(json.dumps, lines)))
    assert training_figures(tmp_path, 64, 12.5) == dict(
        images=640, images_per_s=64, startup_s=2.5, ln_k_share=0.5
    )


def test_the_network_is_the_same_but_for_a_bias_a_prototype():
    model = Config.fromfile(TINY).model
    ours = MODELS.build(model)

    def size(module):
        return sum(p.numel() for p in module.parameters())

    assert size(Network(model, False, 0)) == size(ours) + 100
    # a linear layer of 128 x 128 without bias, and its batch normalisation
    assert size(Network(model, True, 0)) == size(ours) + 100 + 128**2 + 256


def test_the_loss_is_the_same():
    torch.manual_seed(0)
    ours = GlobalSwAVLoss(
        8,
        num_prototypes=5,
        num_crops=[2],
        crops_for_assign=[0, 1],
        sinkhorn_iterations=3,
        epsilon=0.05,
        temperature=0.1,
    )
    embeddings = torch.nn.functional.normalize(torch.randn(12, 8), dim=1)
    scores = (embeddings @ ours.prototypes.weight.T).chunk(2)
    theirs = SwaVLoss(0.1, 3, 0.05)(list(scores), [])
    assert ours(embeddings).item() == pytest.approx(theirs.item(), rel=1e-5)


def test_the_views_have_the_strengths_and_the_normalisation_of_ours(tmp_path):
    cfg = Config.fromfile(TINY)
    *_, crop = views_like(cfg.train_pipeline).transforms
    resized, view = crop.transforms
    assert tuple(resized.size) == (48, 48) and resized.scale == (0.3, 1)
    left, top, _, _, jitter, grey, _, _, _ = view.transform.transforms
    assert (left.p, top.p, jitter.p, grey.p) == (0.5, 0.5, 0.8, 0)
    (colours,) = jitter.transforms
    assert colours.hue == pytest.approx((-9 / 360, 9 / 360))
    assert colours.brightness == colours.saturation == (0.85, 1.15)
    assert colours.contrast is None

    colour = np.array([200, 100, 50])
    file = tmp_path / 'cell.png'
    Image.new('RGB', (60, 60), tuple(colour.tolist())).save(file)
    plain = dict(cfg.train_pipeline[1], hue=0, saturation=0, value=0)

    class One:
        def __len__(self):
            return 1

        def get_data_info(self, _):
            return dict(img_path=str(file))

    first, second = Cells(One(), views_like([plain]))[0]
    means, deviations = cfg.data_preprocessor.mean, cfg.data_preprocessor.std
    wanted = torch.from_numpy((colour - means) / deviations)[:, None, None]
    assert first.shape == second.shape == (3, 48, 48)
    torch.testing.assert_close(
        first.double(), wanted.expand(3, 48, 48), atol=0.02, rtol=0
    )


def test_without_lightly(cells, monkeypatch):
    monkeypatch.setattr('benchmarks.learning.find_spec', lambda _: None)
    with pytest.raises(InputError, match='--no-deps -r requirements/peers'):
        learning(str(cells))
