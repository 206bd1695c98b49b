"""docs/extend.md: each section's blocks run as they stand."""

import csv
import os
import re
import shlex
import shutil
import sys
import traceback
from pathlib import Path

import pytest
import torch
from sklearn.metrics import cohen_kappa_score

from bm_plugins import cli
from bm_plugins.apis.bundle.bundle_file import save_bundle
from bm_plugins.apis.bundle.bundle_model import build_model
from tests.apis.tiny_bundle import tiny_bundle

ROOT = Path(__file__).resolve().parents[1]
INTRO, *SECTIONS = re.split(
    r'^## ', (ROOT / 'docs/extend.md').read_text(), flags=re.M
)
BLOCK = re.compile(r'^```(\w+)\n(.*?)^```$', re.M | re.S)


@pytest.fixture
def bm(tmp_path):
    """Run ``bm ...`` in tmp_path in a forked process: its output.

    A fork starts at once, where a new process would import for seconds.
    """

    def run(args, env, status=0):
        log = tmp_path / 'output.log'
        pid = os.fork()
        if pid == 0:
            ended = 1
            try:
                os.chdir(tmp_path)
                os.environ.update(env)
                sys.path[:0] = env['PYTHONPATH'].split(':')
                file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
                os.dup2(file, 1)
                os.dup2(file, 2)
                sys.stdout, sys.stderr = os.fdopen(1, 'w'), os.fdopen(2, 'w')
                cli.main(args)
                ended = 0
            except SystemExit as end:
                ended = end.code or 0
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(ended)
        ended = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        assert ended == status, log.read_text()
        return log.read_text()

    return run


@pytest.fixture
def follow(tmp_path, cells, bm):
    """Do what a section says: its output and environment."""
    (tmp_path / 'configs').symlink_to(ROOT / 'configs')

    def run(title):
        (section,) = (s for s in SECTIONS if s.startswith(title))
        env = dict(BM_DATA_ROOT=str(cells), PWD=str(tmp_path))
        said = ''
        for language, text in BLOCK.findall(INTRO + section):
            if language == 'python':
                file = tmp_path / text.splitlines()[0].removeprefix('# ')
                file.parent.mkdir(exist_ok=True)
                file.write_text(text)
                continue
            for line in text.splitlines():
                word, *args = shlex.split(line.replace('$PWD', env['PWD']))
                if word == 'export':
                    env.update(arg.split('=', 1) for arg in args)
                else:
                    assert word == 'bm', line
                    said += bm(args, env)
        return said, env

    return run


def rows_of(file):
    with open(file, newline='') as stream:
        return list(csv.DictReader(stream))


def test_each_section_is_here():
    titles = [section.splitlines()[0] for section in SECTIONS]
    assert titles == [
        'A self-supervised method',
        'A class set',
        'A score',
        'An export format',
    ]


@pytest.mark.slow
def test_a_method(follow, bm, tmp_path):
    said, env = follow('A self-supervised method')
    file = tmp_path / 'work_dirs/byol_tiny/epoch_2.pth'
    state = torch.load(file, weights_only=False)['state_dict']
    own, target = (
        state[f'{name}conv1.weight']
        for name in ('backbone.', 'target_net.module.0.')
    )
    assert own.shape == target.shape == (16, 3, 3, 3)
    assert not torch.equal(own, target)
    assert (
        f'Loaded the backbone of checkpoint {file.relative_to(tmp_path)}'
        in said
    )
    assert 'per_class/macro_f1: ' in said
    figures = rows_of(tmp_path / 'work_dirs/linear_tiny_bm/figures.csv')
    value = {f['score']: f['value'] for f in figures if f['of'] == 'all'}
    assert 0 < float(value['macro_f1']) <= 1
    twice = ['--cfg-options', 'optim_wrapper.accumulative_counts=2']
    error = bm(['train', 'mine/byol_tiny.py', *twice], env, status=2)
    assert 'the method: BYOL moves its target network in each step.' in error


@pytest.mark.slow
def test_a_class_set(follow, cells, tmp_path):
    codes = dict(BLA='BLAST', LYT='LYMPH', ABE='EO')
    for code, own in codes.items():
        source = cells / 'BM_cytomorphology_data' / code
        folder = tmp_path / 'data/lab' / own
        folder.mkdir(parents=True)
        for number, file in enumerate(sorted(source.glob('*.jpg'))):
            shutil.copy(file, folder / f'{number}.jpg')
    follow('A class set')
    rows = rows_of(tmp_path / 'work_dirs/linear_lab/per_class.csv')
    found = [(row['code'], row['name'], int(row['support'])) for row in rows]
    assert found == [
        ('BLAST', 'Blasts', 6),
        ('LYMPH', 'Lymphocytes', 5),
        ('EO', 'Eosinophils', 2),
    ]


@pytest.mark.slow
def test_a_score(follow, tmp_path):
    said, _ = follow('A score')
    for name in 'ab':
        folder = tmp_path / 'work_dirs' / name
        rows = rows_of(folder / 'predictions.csv')
        columns = ([row[key] for row in rows] for key in ('label', 'pred'))
        expected = cohen_kappa_score(*columns)
        (figure,) = (
            row
            for row in rows_of(folder / 'figures.csv')
            if row['score'] == 'kappa'
        )
        assert float(figure['value']) == pytest.approx(expected)
        assert figure['interval'] == 'bootstrap'
        assert float(figure['low']) <= expected <= float(figure['high'])
        assert f'per_class/kappa: {expected:.4f}' in said
        assert f"\nCohen's kappa                   {expected:.3f} [" in said
    assert re.search(r"^Cohen's kappa        1 ", said, re.M)
    report = (tmp_path / 'work_dirs/report/report.md').read_text()
    assert re.search(r"^\| Cohen's kappa \| .*\[.* \| .*\[", report, re.M)


def test_an_export_format(follow, tmp_path):
    bundle = tiny_bundle()
    (tmp_path / 'work_dirs').mkdir()
    save_bundle(bundle, tmp_path / 'work_dirs/cells.bundle')
    said, _ = follow('An export format')
    assert 'frozen: exported/model.frozen, largest difference' in said
    extra = dict(temperature='')
    frozen = torch.jit.load(tmp_path / 'exported/model.frozen', None, extra)
    assert not [*frozen.parameters()] and extra['temperature'] == b'1.5'
    images = torch.randint(256, (3, 3, 48, 48)).float()
    with torch.no_grad():
        features, logits = build_model(bundle)(images)
        found = frozen(images)
    torch.testing.assert_close(found[1], logits)
    torch.testing.assert_close(found[2], features)
