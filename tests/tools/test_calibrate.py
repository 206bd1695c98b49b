from tests.report.runs.test_calibration_report import overconfident


def test_prints_and_writes(tmp_path, tool):
    run = overconfident(tmp_path / 'test', 200, 0).folder
    val = overconfident(tmp_path / 'val', 200, 1, prefix='v').folder
    status, out, error = tool('calibrate', run, '--fit', val)
    assert status == 0, error
    first = 'Fitting on 200 images, then 1000 bootstrap draws of 200, twice.'
    assert out.splitlines()[0] == first
    assert 'calibration error' in out and 'Temperature' in out
    assert (run / 'calibration.csv').is_file()
    status, _, error = tool('calibrate', run, '--fit', run)
    assert status == 2 and 'in common' in error
    assert len(error.splitlines()) == 1
