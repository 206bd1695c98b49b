"""The command: what it leaves, goes on with, and keeps apart."""

import json
import os
import runpy
import shutil
import signal
import sys
import time

import cv2
import h5py
import numpy as np
import pytest

from bm_plugins.apis.bundle.bundle_file import save_bundle
from bm_plugins.datasets import Matek
from tests.apis.cell_folder import OUTPUTS, make_cells, rows
from tests.apis.tiny_bundle import CODES, tiny_bundle


@pytest.fixture(scope='module')
def bundle(tmp_path_factory):
    file = tmp_path_factory.mktemp('bundle') / 'cells.bundle'
    save_bundle(tiny_bundle(), file)
    return file


@pytest.fixture
def cells(tmp_path):
    return make_cells(tmp_path / 'cells')


@pytest.fixture
def predict(tool, bundle):
    def run(cells, out, *args, model=None):
        return tool(
            'predict',
            *(model or bundle, cells, '--out', out),
            *('--workers', 0, '--device', 'cpu', *args),
        )

    return run


def test_classes_with_spaces_and_accents(predict, cells, tmp_path):
    """To the page, and back by corrections and a scheme."""
    codes, file = ('Small Lymph', 'Gö 2.5', '1'), tmp_path / 'own.bundle'
    save_bundle(tiny_bundle(classes=codes), file)
    out, scheme = tmp_path / 'out', tmp_path / 'scheme.csv'
    corrections = tmp_path / 'corrections.csv'
    lines = ['Code;Group;Counted', '1;other;YES', ';;']
    lines += ['Small Lymph ;other;yes', 'Go\u0308 2.5;myeloid;no']
    scheme.write_text('\n'.join(lines), encoding='utf-8')
    args = ['--scheme', scheme, '--corrections', corrections]
    lines = ['path;label', 's1\\0.jpg; Small Lymph ', ';']
    lines += ['cells/s1/1.jpg;Go\u0308 2.5']
    corrections.write_text('\n'.join(lines), encoding='utf-8')
    status, _, error = predict(cells, out, *args, model=file)
    assert status == 0, error
    found = rows(out / 'predictions.csv')
    assert {c for row in found for c in row['set'].split('|')} <= {*codes, ''}
    counts = {r['code']: r['count'] for r in rows(out / 'differential.csv')}
    said = [row['code'] for row in found]
    said[:2] = ['Small Lymph', 'Gö 2.5']
    assert [int(counts[c]) for c in codes] == [said.count(c) for c in codes]
    assert 'Gö 2.5' in (out / 'report.html').read_text('utf-8')


def test_tables_features_and_page(predict, cells, tmp_path):
    out, file = tmp_path / 'out', tmp_path / 'f.h5'
    (cells / 's1/2.jpg').write_bytes(b'')
    status, said, error = predict(cells, out, '--features', file)
    assert status == 0, error
    assert '11 cells, 1 skipped' in said
    assert 'warning: Only 11 nucleated cells' in said
    assert sorted(os.listdir(out)) == sorted([*OUTPUTS, 'run.json'])
    found = rows(out / 'predictions.csv')
    assert list(found[0]) == [
        *('path', 'code', 'confidence', *(f'p_{code}' for code in CODES)),
        *('set', 'distance', 'flag', 'field'),
    ]
    paths = [f'{s}/{i}.jpg' for s in ('s1', 's2') for i in range(6)]
    paths.remove('s1/2.jpg')
    assert [row['path'] for row in found] == paths
    assert rows(out / 'skipped.csv') == [
        dict(path='s1/2.jpg', reason='empty file')
    ]
    counts = {
        row['code']: int(row['count'])
        for row in rows(out / 'differential.csv')
        if row['kind'] == 'class'
    }
    codes = [row['code'] for row in found]
    assert counts == {code: codes.count(code) for code in CODES}
    for row in found:
        chances = {code: float(row[f'p_{code}']) for code in CODES}
        assert abs(sum(chances.values()) - 1) < 2e-6
        assert float(row['confidence']) == max(chances.values())
        assert row['flag'] == ('' if row['set'] in CODES else 'unsure')
    with h5py.File(file) as stored:
        assert stored['features'].shape == (11, 64)
        assert [*stored['paths'].asstr()] == paths
    of_slide = rows(out / 'slide_classes.csv')
    assert [row['path'] for row in of_slide] == paths
    assert {row['code'] for row in of_slide} <= {*CODES}
    assert 'Go by the intervals of the estimated percentages' in said
    assert 'slide_classes.csv differential.csv' in said
    page = (out / 'report.html').read_text()
    assert 's2/5.jpg' in page and 'cells.bundle' in page


@pytest.mark.slow
def test_same_command_again_and_other_options(predict, cells, tmp_path):
    out = tmp_path / 'out'
    assert predict(cells, out)[0] == 0
    before = {f.name: f.stat().st_mtime_ns for f in out.iterdir()}
    status, said, _ = predict(cells, out)
    assert status == 0 and 'Complete already' in said
    after = {f.name: f.stat().st_mtime_ns for f in out.iterdir()}
    assert after == before
    scheme = tmp_path / 'scheme.csv'
    scheme.write_text(
        'code,group,counted\nBLA,myeloid,no\nLYT,other,yes\nNGS,myeloid,yes\n'
    )
    assert predict(cells, out, '--scheme', scheme)[0] == 0
    left_out = rows(out / 'differential.csv')[0]
    assert left_out['code'] == 'BLA' and left_out['counted'] == 'no'
    # A page that was lost is made again, and with it the scheme is gone.
    (out / 'report.html').unlink()
    assert predict(cells, out)[0] == 0
    assert rows(out / 'differential.csv')[0]['counted'] == 'yes'
    assert sorted(os.listdir(out)) == sorted([*OUTPUTS, 'run.json'])


@pytest.mark.slow
def test_corrections(predict, tool, cells, tmp_path):
    out, file = tmp_path / 'out', tmp_path / 'corrections.csv'
    assert predict(cells, out)[0] == 0
    table = (out / 'predictions.csv').read_bytes()
    found = rows(out / 'predictions.csv')
    before = [row['code'] for row in found]
    chosen = [(row['path'], 'NGS', row['code']) for row in found[:8]]
    lines = [f'{path},{label},train,{was}' for path, label, was in chosen]
    file.write_text('path,label,split,predicted\n' + '\n'.join(lines))
    status, said, error = predict(cells, out, '--corrections', file)
    assert status == 0, error
    assert ' of the classes are those of a person' in said
    assert 'A person has decided on 8 of the cells' in said
    assert 'differential.csv differential_by_smear.csv report.html' in said
    assert (out / 'predictions.csv').read_bytes() == table
    expected = ['NGS'] * 8 + before[8:]
    open_ones = [row['flag'] != '' for row in found[8:]]
    for row in rows(out / 'differential.csv')[:3]:
        code = row['code']
        assert int(row['count']) == expected.count(code)
        assert int(row['doubtful']) == sum(
            flagged
            for flagged, own in zip(open_ones, before[8:], strict=True)
            if own == code
        )
    assert 'corrections.csv' in (out / 'report.html').read_text()
    # The same file as labels, with the images looked at once.
    args = (cells, '--check', '--output', file, '--workers', 1)
    status, said, error = tool('prepare_matek', *args)
    assert status == 0, error
    assert 'All 8 images are whole' in said
    data = Matek(str(cells), ann_file=str(file), pipeline=[])
    labels = [data.CLASSES[i] for i in data.get_gt_labels()]
    assert labels == ['NGS'] * 8
    assert data.get_data_info(7)['img_path'] == f'{cells}/s2/1.jpg'


@pytest.mark.slow
def test_another_bundle_folder_or_option_in_the_same_place(
    predict, cells, tmp_path
):
    out, other = tmp_path / 'out', tmp_path / 'other'
    assert predict(cells, out)[0] == 0
    kept = {file: file.read_bytes() for file in out.iterdir()}
    save_bundle(tiny_bundle(seed=1), other)
    for what, args, model in (
        ('another bundle', [], other),
        ('another --error-rate', ['--error-rate', 0.1], None),
        ('another --features', ['--features', tmp_path / 'f.h5'], None),
    ):
        status, _, error = predict(cells, out, *args, model=model)
        assert status == 2 and what in error and '--overwrite' in error
        assert len(error.splitlines()) == 1
    shutil.copy(cells / 's1/0.jpg', cells / 's1/9.jpg')
    status, _, error = predict(cells, out)
    assert status == 2 and 'another folder content' in error
    assert {file: file.read_bytes() for file in out.iterdir()} == kept
    status, said, error = predict(cells, out, '--overwrite')
    assert status == 0 and '13 cells' in said, error


@pytest.fixture
def many(cells, tmp_path):
    """3,000 names of 12 images."""
    folder = tmp_path / 'many'
    files = sorted(cells.rglob('*.jpg'))
    for i in range(3000):
        place = folder / f's{i % 2}' / f'{i:05}.jpg'
        place.parent.mkdir(parents=True, exist_ok=True)
        os.link(files[i % 12], place)
    return folder


def start(bundle, many, out, log):
    """The command in a forked process, which starts at once."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    # A shell's background jobs ignore it, and so would their children.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
        sys.stderr = os.fdopen(2, 'w')
        command = ['tools/predict.py', bundle, many, '--out', out]
        command += ['--device', 'cpu']
        options = ['--chunk', 100, '--workers', 1, '--report-cells', 50]
        sys.argv = [*map(str, [*command, *options])]
        runpy.run_path('tools/predict.py', run_name='__main__')
    except SystemExit as end:
        status = end.code
    finally:
        sys.stderr.flush()
        os._exit(status)


def wait_for(out, number):
    end = time.monotonic() + 100
    while len(list(out.glob('parts/*.npz'))) < number:
        assert time.monotonic() < end
        time.sleep(0.005)


def stop(pid, how):
    os.kill(pid, how)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.slow
def test_killed_in_the_middle_and_resumed_with_no_cell_twice(
    bundle, many, tmp_path, predict
):
    out, log = tmp_path / 'out', tmp_path / 'log'
    pid = start(bundle, many, out, log)
    wait_for(out, 5)
    assert stop(pid, signal.SIGKILL) == -signal.SIGKILL
    kept = {f: f.stat().st_mtime_ns for f in out.glob('parts/*.npz')}
    assert 5 <= len(kept) < 30
    pid = start(bundle, many, out, log)
    wait_for(out, len(kept) + 3)
    assert {f: f.stat().st_mtime_ns for f in kept} == kept
    assert stop(pid, signal.SIGINT) == 130
    error = log.read_text()
    assert error.splitlines()[-1] == 'stopped; the same command goes on'
    assert 'Traceback' not in error
    options = ['--chunk', 100, '--report-cells', 50]
    status, said, error = predict(many, out, *options)
    assert status == 0 and '3000 cells, 0 skipped' in said, error
    found = rows(out / 'predictions.csv')
    paths = [row.pop('path') for row in found]
    assert paths == sorted({f's{i % 2}/{i:05}.jpg' for i in range(3000)})
    # What is said of an image is the same under all its names.
    said_of = {}
    for path, row in zip(paths, found, strict=True):
        image = int(path[3:8]) % 12
        assert said_of.setdefault(image, row) == row
    assert '50 of 3,000' in (out / 'report.html').read_text()


def test_help_has_an_example(tool):
    status, said, _ = tool('predict', '--help')
    assert status == 0 and 'example: tools/predict.py' in said


def test_processes_that_share_a_gpu(predict, cells, tmp_path, monkeypatch):
    """mmengine's log looks for the GPU of the process, on the CPU too."""
    monkeypatch.setattr('torch.cuda.is_available', lambda: True)
    monkeypatch.setattr('torch.cuda.device_count', lambda: 1)
    monkeypatch.setattr('bm_plugins.utils.run_manifest.machine', dict)
    monkeypatch.setenv('LOCAL_RANK', '1')
    status, said, error = predict(cells, tmp_path / 'out')
    assert status == 0 and '12 cells' in said, error


def of_scale(file, um_per_px):
    """A bundle that was trained on images of 60 x 60 px."""
    scale = dict(width=60, height=60, um_per_px=um_per_px, share=1.0)
    save_bundle(tiny_bundle(info=dict(scale=scale)), file)
    return file


@pytest.mark.slow
def test_cells_of_another_field(predict, tmp_path):
    """Of 12 cells 5 as in training, 4 smaller, 3 of half the height."""
    model, out = of_scale(tmp_path / 'known.bundle', 0.1), tmp_path / 'out'
    folder = tmp_path / 'cells'
    folder.mkdir()
    sizes = [(60, 60)] * 5 + [(40, 40)] * 4 + [(60, 30)] * 3
    for i, (width, height) in enumerate(sizes):
        image = np.full((height, width, 3), 20 * i, np.uint8)
        cv2.imwrite(str(folder / f'{i:02}.png'), image)
    warned = (
        '4 of 12 cells (33.3 %) are of another size than the training images '
        '(60 x 60 px)',
        '3 of 12 cells (25.0 %) are of another shape than the training images '
        '(60 x 60 px)',
    )
    status, said, error = predict(folder, out, model=model)
    assert status == 0, error
    found = rows(out / 'predictions.csv')
    fields = [row['field'] for row in found]
    assert fields == [''] * 5 + ['size'] * 4 + ['shape'] * 3
    page = (out / 'report.html').read_text()
    texts = [
        row['text']
        for row in rows(out / 'differential.csv')
        if row['kind'] == 'warning'
    ]
    for text in warned:
        assert said.count(f'warning: {text}') == page.count(text) == 1
        assert sum(text in row for row in texts) == 1
    assert '60 x 60 px, 0.1 µm per pixel' in page
    # All at 0.1 µm per pixel: less is shown.
    given = ('--um-per-px', 0.1)
    status, _, error = predict(folder, out, *given, model=model)
    assert status == 2 and 'another --um-per-px' in error
    given += ('--overwrite',)
    status, said, _ = predict(folder, out, *given, model=model)
    assert status == 0 and '7 of 12 cells (58.3 %) show less around' in said
    fields = [row['field'] for row in rows(out / 'predictions.csv')]
    assert fields == [''] * 5 + ['narrow'] * 7
    record = json.loads((out / 'prediction.json').read_text())
    assert record['identity']['um_per_px'] == 0.1
    run = json.loads((out / 'run.json').read_text())
    assert run['cells']['um_per_px'] == '0.1'
    assert '--um-per-px 0.1' in (out / 'report.html').read_text()
    # A list says that the small ones have larger pixels.
    listed = tmp_path / 'list.csv'
    lines = ['path;um_per_px', *(f'cells/{i:02}.png;' for i in range(5))]
    lines += [f'cells/{i:02}.png;0,15' for i in range(5, 9)]
    lines += ['cells/09.png;0,05', 'cells/10.png;same', 'cells/11.png;']
    listed.write_text('\n'.join(lines))
    assert predict(listed, tmp_path / 'list', model=model)[0] == 0
    found = rows(tmp_path / 'list/predictions.csv')
    fields = [row['field'] for row in found]
    # 60 x 30 at half the pixel: 120 x 120 are wanted
    assert fields == [''] * 9 + ['narrow', 'shape', 'shape']


@pytest.mark.slow
def test_a_scale_needs_that_of_the_training_images(predict, cells, tmp_path):
    out, listed = tmp_path / 'out', cells / 'list.csv'
    listed.write_text('path,um_per_px\ns1/0.jpg,0.1\ns1/1.jpg,same\n')
    unknown = of_scale(tmp_path / 'unknown.bundle', None)
    for model in (unknown, None):
        for source, options in ((cells, ['--um-per-px', 0.1]), (listed, [])):
            status, _, error = predict(source, out, *options, model=model)
            assert status == 2 and error.count('\n') == 1
            assert 'um_per_px' in error or '--um-per-px 0.1' in error
            assert 'tools/publish.py --um-per-px' in error
            assert not out.exists()
    status, said, _ = predict(cells, out, '--um-per-px', 'same', model=unknown)
    assert status == 0 and 'training images' not in said
    # A bundle of an earlier version says nothing, which is said once.
    status, said, _ = predict(cells, tmp_path / 'old')
    text = 'The bundle does not say the scale of its training images'
    assert status == 0 and said.count(text) == 1
    assert (tmp_path / 'old/report.html').read_text().count(text) == 1


def test_a_finished_prediction_of_an_earlier_version(predict, cells, tmp_path):
    """It is complete, takes corrections, and says what it does not know."""
    model, out = of_scale(tmp_path / 'known.bundle', 0.1), tmp_path / 'out'
    assert predict(cells, out, model=model)[0] == 0
    table, record = out / 'predictions.csv', out / 'prediction.json'
    lines = table.read_text().splitlines()
    table.write_text(''.join(f'{line.rpartition(",")[0]}\n' for line in lines))
    said = json.loads(record.read_text())
    del said['identity']['um_per_px']
    record.write_text(json.dumps(said))
    assert 'Complete already' in predict(cells, out, model=model)[1]
    corrections = tmp_path / 'corrections.csv'
    corrections.write_text('path,label\ns1/0.jpg,NGS\n')
    options = ('--corrections', corrections)
    status, said, error = predict(cells, out, *options, model=model)
    assert status == 0, error
    assert 'An earlier version made these predictions' in said
