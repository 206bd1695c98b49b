from functools import partial


def write(folder, predictions, labels='AABB'):
    folder.mkdir()
    rows = zip(labels, predictions, strict=True)
    lines = [f'{i}.jpg,{a},{b}' for i, (a, b) in enumerate(rows)]
    text = '\n'.join(['path,label,pred', *lines, ''])
    (folder / 'predictions.csv').write_text(text)
    return folder


def test_table_and_what_cannot_be_compared(tmp_path, tool):
    bad = write(tmp_path / 'bad', 'ABAB')
    good = write(tmp_path / 'good', 'AABB')
    compare = partial(tool, 'compare_runs')
    status, out, error = compare('--before', bad, bad, '--after', good, bad)
    assert status == 0, error
    rows = [line.split()[:4] for line in out.splitlines()[-3:]]
    assert rows == [
        ['1', '0.5000', '1.0000', '+0.5000'],
        ['2', '0.5000', '0.5000', '+0.0000'],
        ['mean', '0.5000', '0.7500', '+0.2500'],
    ]
    other = write(tmp_path / 'other', 'AABB', labels='ABBB')
    status, _, error = compare('--before', bad, '--after', other)
    assert status == 2
    assert error.startswith('error: ') and str(other) in error
    status, _, error = compare('--before', tmp_path / 'none', '--after', good)
    assert status == 2 and 'predictions.csv' in error
