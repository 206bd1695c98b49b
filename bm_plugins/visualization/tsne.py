"""t-SNE of frozen features: the paper's Fig. 2."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from mmengine.config import Config
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from bm_plugins.engine.features.features import backbone_features
from bm_plugins.engine.features.frozen_features import (
    Features,
    features_of,
    labelled,
    pretrained_model,
)
from bm_plugins.errors import InputError
from bm_plugins.utils.csv_file import write_csv
from bm_plugins.utils.files import make_folder

from .canvas import mark, new_figure, note, save, title


def tsne(
    features: np.ndarray, seed: int = 0, perplexity: float = 30
) -> np.ndarray:
    """Two coordinates (N, 2) for each image of features (N, D).

    scikit-learn's t-SNE (van der Maaten and Hinton 2008) of the first 50
    principal components, started from the first two; of ``perplexity``
    neighbours, at most (N - 1) / 3.

    Raises:
        InputError: Fewer than 5 images.
    """
    if len(features) < 5:
        raise InputError(
            f'{len(features)} images are too few for t-SNE; raise --per-class '
            'or name other parts by --split.'
        )
    size = min(50, *features.shape)
    reduced = PCA(size, random_state=seed).fit_transform(features)
    return TSNE(
        perplexity=min(perplexity, (len(features) - 1) / 3),
        init='pca',
        random_state=seed,
    ).fit_transform(reduced)


def write_tsne(
    cfg: Config,
    checkpoint: str | None,
    out: Path,
    split: Sequence[str] = ('test',),
    per_class: int = 100,
    seed: int = 0,
    perplexity: float = 30,
) -> list[Path]:
    """Take the features, lay them out and write picture and CSV.

    Args:
        cfg (Config): A linear evaluation or supervised config.
        checkpoint (str, optional): Any checkpoint with its backbone; None
            for untrained features.
        out (Path): Gets ``tsne.png`` and ``tsne.csv`` (``path,code,x,y``).
        split (Sequence[str]): Parts to draw from.
        per_class (int): Images of a class at most, so that rare ones show.
        seed (int): Of the draw and of t-SNE.
        perplexity (float): As for :func:`tsne`.

    Raises:
        InputError: The config has no test part, or the checkpoint does not
            fit.
    """
    model = pretrained_model(cfg, checkpoint)
    found = features_of(
        model,
        labelled(cfg.test_dataloader.dataset, split),
        partial(backbone_features, model.backbone),
        per_class,
        seed,
    )
    weights = Path(checkpoint).name if checkpoint else 'untrained'
    said = chosen(per_class, split, f'features of {weights}')
    return draw_tsne(found, out, said, seed, perplexity)


def chosen(per_class: int, split: Sequence[str], features: str) -> str:
    """Which images a picture shows, and by which features, in words."""
    return f'at most {per_class} a class of {"/".join(split)}; {features}'


def draw_tsne(
    found: Features,
    out: Path,
    said: str,
    seed: int = 0,
    perplexity: float = 30,
) -> list[Path]:
    """Lay features out and write picture and CSV.

    Arguments as for :func:`write_tsne`; ``said`` is which images and
    features they are.
    """
    places = tsne(found.values.numpy(), seed, perplexity)
    make_folder(out)
    codes = [found.codes[label] for label in found.labels]
    rows = [
        (path, code, f'{x:.5f}', f'{y:.5f}')
        for path, code, (x, y) in zip(found.paths, codes, places, strict=True)
    ]
    write_csv(out / 'tsne.csv', ['path', 'code', 'x', 'y'], rows)
    said = (
        f't-SNE of {len(rows)} images, {said}; seed {seed}, perplexity '
        f'{perplexity:g}.'
    )
    save(tsne_picture(found, places, said), out / 'tsne.png')
    return [out / 'tsne.png', out / 'tsne.csv']


def tsne_picture(found: Features, places: np.ndarray, said: str) -> Figure:
    """A point (N, 2) an image; each class has its colour, shape and code.

    ``said`` is what the picture rests on.
    """
    figure = new_figure(13, 9)
    axes = figure.add_subplot()
    labels = found.labels.numpy()
    counts = np.bincount(labels, minlength=len(found.codes))
    middles = {}
    # The rare ones last, on top of the others.
    for label in np.argsort(-counts, kind='stable'):
        if not counts[label]:
            continue
        x, y = places[labels == label].T
        colour, shape = mark(label)
        axes.scatter(
            x,
            y,
            s=26,
            color=colour,
            marker=shape,
            alpha=0.75,
            edgecolors='white',
            linewidths=0.3,
            label=f'{title(found.codes[label], found.names[label])}, '
            f'{counts[label]}',
        )
        middles[found.codes[label]] = np.median(x), np.median(y), colour
    size = np.ptp(places, axis=0)
    for code, (x, y) in apart(middles, size).items():
        axes.annotate(
            code,
            (x, y),
            (0, 9),  # above the cells rather than on them
            textcoords='offset points',
            color=middles[code][2],
            fontsize=9,
            weight='bold',
            ha='center',
            va='center',
            zorder=5,
            path_effects=[withStroke(linewidth=2.5, foreground='white')],
        )
    axes.set_xticks([])
    axes.set_yticks([])
    handles, names = axes.get_legend_handles_labels()
    order = np.argsort(names)
    figure.legend(
        [handles[i] for i in order],
        [names[i] for i in order],
        loc='outside right upper',
        fontsize=9,
        title='class, images',
    )
    note(figure, said)
    return figure


def apart(
    middles: dict[str, tuple], size: np.ndarray
) -> dict[str, tuple[float, float]]:
    """Where the codes stand so that none covers another: some move down.

    Args:
        middles (dict[str, tuple]): Of each code, x and y first.
        size (np.ndarray): Width and height of the whole (2,).
    """
    wide, high = 0.045 * size[0], 0.024 * size[1]
    found: dict[str, tuple[float, float]] = {}
    for code in sorted(middles, key=lambda code: -middles[code][1]):
        x, y = middles[code][:2]
        near = [b for a, b in found.values() if abs(a - x) < wide]
        for other in sorted(near, reverse=True):
            if abs(other - y) < high:
                y = other - high
        found[code] = x, y
    return found
