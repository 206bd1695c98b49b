import pytest
from mlflow import MlflowClient
from mmengine.config import Config
from mmpretrain.registry import VISBACKENDS

from bm_plugins.compat.mlflow_backend import MLflowVisBackend
from bm_plugins.errors import InputError


def one_run(folder):
    backend = MLflowVisBackend(str(folder / 'vis_data'))
    backend.add_config(Config(dict(a=1, work_dir=str(folder.parent))))
    backend.add_scalars(dict(loss=0.5), step=7)
    (folder / 'run.json').write_text('{}')
    backend.close()


def test_it_stands_in_for_upstreams():
    assert VISBACKENDS.get('MLflowVisBackend') is MLflowVisBackend


def test_runs_of_one_store(tmp_path, monkeypatch):
    uri = f'file://{tmp_path}/work/store'
    monkeypatch.setenv('MLFLOW_TRACKING_URI', uri)
    for name in 'ab':
        one_run(tmp_path / 'work' / name)
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name('Default').experiment_id
    runs = client.search_runs([experiment])
    assert len(runs) == 2
    for run in runs:
        assert run.data.params['a'] == '1' and run.data.metrics['loss'] == 0.5
        files = [f.path for f in client.list_artifacts(run.info.run_id)]
        # Neither the store nor the other run, which are in work_dir too.
        assert sorted(files) == ['config.py', 'run.json']


def test_an_address_that_is_none(tmp_path, monkeypatch):
    monkeypatch.setenv('MLFLOW_TRACKING_URI', 'ftp://nowhere')
    backend = MLflowVisBackend(str(tmp_path))
    with pytest.raises(InputError, match='ftp://nowhere.*TRACKING_URI'):
        backend.add_scalars(dict(loss=0.5), step=1)
