"""Which cells are chosen to be labelled."""

import numpy as np
import pytest

from bm_plugins.apis.bundle.bundle_file import save_bundle
from bm_plugins.apis.prediction.suggest import WAYS, choose, suggest
from bm_plugins.datasets.synthetic.collection import encode_cell
from bm_plugins.errors import InputError
from tests.apis.features.test_feature_evaluation import rows
from tests.apis.tiny_bundle import tiny_bundle


def kinds(counts, seed=0):
    """Cells of several far kinds, and which kind each is of."""
    rng = np.random.default_rng(seed)
    kind = np.repeat(np.arange(len(counts)), counts)
    centres = rng.normal(0, 10, (len(counts), 12))
    return centres[kind] + rng.normal(size=(len(kind), 12)), kind


def even(number, classes=4):
    return np.full((number, classes), 1 / classes)


def test_typical_cells_are_one_of_each_kind_the_largest_first():
    cells, kind = kinds([60, 5, 30, 10, 15])
    chosen = choose(cells, even(120), [], 5)
    assert kind[chosen].tolist() == [0, 2, 4, 3, 1]
    # Rather in the middle of its kind.
    own = cells[kind == 0]
    far = np.linalg.norm(own[:, None] - own[None], axis=2).mean(1)
    assert far[chosen[0]] < np.median(far)


def test_kinds_that_have_a_label_come_last():
    cells, kind = kinds([60, 5, 30, 10, 15])
    labelled = [*np.flatnonzero(kind == 0)[:2], np.flatnonzero(kind == 2)[0]]
    chosen = choose(cells, even(120), labelled, 3)
    # As many clusters as labels: the kinds are split, none left out.
    assert {1, 3, 4} <= {*kind[choose(cells, even(120), labelled, 6)]}
    assert not {*chosen} & {*labelled}


def test_uncertain_cells_are_between_classes_and_of_several_kinds():
    cells, kind = kinds([50, 50])
    scores = np.tile([0.9, 0.05, 0.05], (100, 1))
    doubtful = [3, 7, 11, 60, 71, 93]
    scores[doubtful] = [0.41, 0.4, 0.19]
    scores[7] = [0.4, 0.4, 0.2]
    chosen = choose(cells, scores, [], 2, 'uncertain')
    assert {*kind[chosen]} == {0, 1} and chosen[0] == 7
    assert {*chosen} <= {*doubtful}


@pytest.mark.parametrize('by', WAYS)
def test_the_same_image_is_chosen_once_and_never_when_labelled(by):
    cells, _ = kinds([8, 8])
    noise = np.random.default_rng(1).normal(0, 1e-6, (20, 12))
    cells = np.concatenate([cells, cells[:4], cells[:15] + 0])
    cells[16:20] += noise[:4]
    scores = np.random.default_rng(2).dirichlet(np.ones(3), len(cells))
    chosen = choose(cells, scores, [16], 15, by)
    # Rows 16 to 19 are 0 to 3, from 20 on 0 to 14; 0 has a label, as 16.
    originals = {i if i < 16 else i - 16 if i < 20 else i - 20 for i in chosen}
    assert originals == {*range(1, 16)} and len(chosen) == 15
    with pytest.raises(InputError, match='15 different cells have no label'):
        choose(cells, scores, [16], 16, by)


def test_random_cells_by_seed():
    cells, _ = kinds([30, 30])
    first, again, other = (
        choose(cells, even(60), [5], 10, 'random', seed) for seed in (0, 0, 1)
    )
    assert first == again != other and 5 not in first


@pytest.mark.slow
def test_from_a_folder_to_a_page_and_on_with_labels(tool, tmp_path):
    bundle, cells = tmp_path / 'a.bundle', tmp_path / 'cells'
    save_bundle(tiny_bundle(), bundle)
    for code in ('NGS', 'LYT', 'BLA'):
        folder = cells / code.lower()
        folder.mkdir(parents=True)
        for n in range(1, 11):
            (folder / f'{n}.jpg').write_bytes(encode_cell(0, code, n))
    (cells / 'copy.jpg').write_bytes((cells / 'bla/1.jpg').read_bytes())
    out = tmp_path / 'out'
    args = ('suggest', bundle, cells, '--number', '6', '--out', out)
    status, said, error = tool(*args)
    assert status == 0 and '6 cells' in said, error
    listed = rows(out / 'suggestions.csv')
    files = [(out / row['path']).resolve() for row in listed]
    assert len({*files}) == 6 and all(f.is_file() for f in files)
    predicted = {
        (cells / row['path']).resolve(): row['code']
        for row in rows(out / 'all/predictions.csv')
    }
    assert len(predicted) == 31
    assert [predicted[f] for f in files] == [row['code'] for row in listed]
    page = (out / 'page/report.html').read_text()
    assert all(f.name in page for f in files)
    # The next ones are others.
    known = tmp_path / 'labels.csv'
    lines = [f'{f.relative_to(cells.resolve())},BLA' for f in files]
    known.write_text('\n'.join(['path,label', *lines]) + '\n')
    more = tmp_path / 'more'
    status, _, error = tool(*args[:-1], more, '--labelled', known)
    assert status == 0, error
    others = {
        (more / r['path']).resolve() for r in rows(more / 'suggestions.csv')
    }
    assert len(others) == 6 and not others & {*files}
    status, _, error = tool(*args[:3], '--number', '31', '--out', more)
    assert status == 2 and '30 different cells have no label' in error


@pytest.mark.slow
def test_suggestions_of_a_list(tmp_path):
    """Whole paths and a link, scales, and any order of the rows."""
    bundle, work = tmp_path / 'a.bundle', tmp_path / 'far/off'
    save_bundle(tiny_bundle(), bundle)
    work.mkdir(parents=True)
    (tmp_path / 'link').symlink_to(work)
    files = [tmp_path / f'cells/{n}.jpg' for n in range(12)]
    files[0].parent.mkdir()
    for n, file in enumerate(files):
        file.write_bytes(encode_cell(0, 'NGS', n))
    named = [*files[:6], *(f'cells/{file.name}' for file in files[6:])]
    chosen = {}
    for name, order in (('one', 1), ('two', -1)):
        listed, out = tmp_path / f'{name}.csv', tmp_path / 'link' / name
        lines = [f'{path},same' for path in named[::order]]
        listed.write_text('\n'.join(['path,um_per_px', *lines]) + '\n')
        suggest(bundle, listed, out, 8, device='cpu')
        found = rows(out / 'suggestions.csv')
        assert {row['um_per_px'] for row in found} == {'same'}
        chosen[name] = [(out / row['path']).resolve() for row in found]
    assert chosen['one'] == chosen['two'] and {*chosen['one']} < {*files}
    # Other suggestions are refused before anything is written.
    before = (out / 'suggestions.csv').read_text()
    with pytest.raises(InputError, match='two holds other suggestions'):
        suggest(bundle, listed, out, 5, device='cpu')
    assert (out / 'suggestions.csv').read_text() == before
    done = suggest(bundle, listed, out, 5, device='cpu', overwrite=True)
    assert done.predicted == 5
    # Within the folder of the cells, too, their names lead back to them.
    cells, known = files[0].parent, files[0].parent / 'label/suggestions.csv'
    suggest(bundle, cells, known.parent, 8, device='cpu')
    suggest(bundle, cells, tmp_path / 'more', 4, known, device='cpu')
    first = {(known.parent / r['path']).resolve() for r in rows(known)}
    more = rows(tmp_path / 'more/suggestions.csv')
    rest = {(tmp_path / 'more' / row['path']).resolve() for row in more}
    assert first | rest == {*files}
    for seed in (-1, 2**32):
        with pytest.raises(InputError, match=f'--seed {seed}: expected 0 to'):
            suggest(bundle, cells, tmp_path / 'x', 4, seed=seed)
