from bm_plugins.doctor.finding import OK, Finding


def test_columns():
    assert str(Finding(OK, 'disk', 'much')) == 'ok      disk           much'
