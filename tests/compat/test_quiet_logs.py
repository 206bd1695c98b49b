import logging

from bm_plugins.compat.quiet_logs import quiet_screen


def test_listings_stay_in_the_file(tmp_path, capsys):
    file = tmp_path / 'run.log'
    logger = logging.Logger('run')
    logger.addHandler(logging.StreamHandler())
    logger.addHandler(logging.FileHandler(file))
    quiet_screen(logger)
    logger.info('Config:\nlr = 1')
    logger.info('Epoch(train) [1]')
    assert capsys.readouterr().err == 'Epoch(train) [1]\n'
    assert 'lr = 1' in file.read_text()
