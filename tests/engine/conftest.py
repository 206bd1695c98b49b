import pytest

from tests.engine.resumable_runs import states


@pytest.fixture(scope='session')
def whole_run(cells, tmp_path_factory):
    """What an unstopped run ends with: whole_run(classifier, hooks)."""
    found = {}

    def train(build, hooks):
        key = build, repr(hooks)
        if key not in found:
            folder = tmp_path_factory.mktemp('whole')
            build(cells, folder, default_hooks=hooks).train()
            found[key] = states(folder)
        return found[key]

    return train
