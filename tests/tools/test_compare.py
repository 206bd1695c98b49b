from tests.report.written_run import draw, write_run


def test_two_runs_and_what_cannot_be_compared(tmp_path, tool):
    labels, scores = draw(60, 0.4, seed=0)
    _, better = draw(60, 0.9, seed=1, labels=labels)
    a = write_run(tmp_path / 'a', labels, scores)
    b = write_run(tmp_path / 'b', labels, better)
    status, out, error = tool('compare', a, b)
    assert status == 0, error
    assert 'B is higher' in out and '60 test images' in out
    status, out, error = tool('compare', a, a, b, b)
    assert status == 0 and 'macro F1             mean' in out

    def refused(*runs):
        status, _, error = tool('compare', *runs)
        assert status == 2 and error.startswith('error: ')
        assert len(error.splitlines()) == 1
        return error

    other = write_run(tmp_path / 'other', labels[1:], better[1:])
    assert f'{other}: its test images' in refused(a, other)
    assert 'predictions.csv does not exist' in refused(a, tmp_path)
    assert '1 runs to compare with 2' in refused(a, b, b)
