from bm_plugins.doctor.disk_space import GIB, check, check_disk, check_shared


def test_this_machine():
    assert [f.name for f in check()] == ['disk', 'shared memory']


def test_disk():
    assert check_disk(20 * GIB, True).level == 'ok'
    assert check_disk(2 * GIB, True).level == 'warning'
    full = check_disk(GIB // 2, True)
    assert full.level == 'problem' and full.text.startswith('0.5 GiB free')
    assert '--work-dir' in check_disk(20 * GIB, False).text


def test_shared_memory_as_a_container_has_it():
    assert check_shared(8 * GIB).level == 'ok'
    small = check_shared(64 * 2**20)  # Docker's default
    assert small.level == 'warning' and '--shm-size=8g' in small.text
    assert check_shared(None).level == 'warning'
