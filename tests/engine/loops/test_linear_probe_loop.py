import json

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from bm_plugins.engine.features.features import extract_features
from bm_plugins.errors import InputError
from bm_plugins.report.runs.run_folder import read_run
from tests.engine.labelled_part import CLASSES
from tests.engine.probe_runner import build


@pytest.mark.parametrize('class_weight', ['balanced', None])
def test_same_predictions_as_scikit_learn(cells, tmp_path, class_weight):
    given = {} if class_weight else dict(class_weight=None)
    runner = build(cells, tmp_path, **given)
    runner.test()
    loop = runner.test_loop
    x, y = (
        t.numpy()
        for t in extract_features(
            loop.model, loop.train_dataloader, loop._features
        )
    )
    test_x, test_y = (
        t.numpy()
        for t in extract_features(loop.model, loop.dataloader, loop._features)
    )
    meta = torch.load(tmp_path / 'linear_probe.pth')['meta']
    l2 = meta['l2']
    assert meta['class_weight'] == class_weight
    mean, std = x.mean(0), x.std(0, ddof=1)
    std[std == 0] = 1
    theirs = LogisticRegression(
        C=1 / (l2 * len(x)),
        class_weight=class_weight,
        tol=1e-8,
        max_iter=10000,
    )
    theirs.fit((x - mean) / std, y)
    expected = theirs.predict_proba((test_x - mean) / std)
    head = runner.model.head.fc
    with torch.no_grad():
        logits = head(torch.from_numpy(test_x).float())
    np.testing.assert_allclose(logits.softmax(1), expected, atol=2e-3)
    lines = (tmp_path / 'predictions.csv').read_text().splitlines()
    pred = [CLASSES.index(line.split(',')[2]) for line in lines[1:]]
    assert f1_score(test_y, pred, average='macro') == pytest.approx(
        f1_score(test_y, expected.argmax(1), average='macro')
    )


def test_files_are_in_the_record_and_the_work_folder(cells, tmp_path):
    runner = build(cells, tmp_path)
    runner.test()
    for name in ('per_class.csv', 'confusion_matrix.csv', 'predictions.csv'):
        record = (tmp_path / runner.timestamp / name).read_text()
        assert (tmp_path / name).read_text() == record


@pytest.mark.slow
def test_untrained_baseline_depends_on_the_seed_alone(cells, tmp_path):
    values = [build(cells, tmp_path / name).test() for name in ('a', 'b')]
    assert values[0] == values[1]


@pytest.mark.slow
def test_fitted_classifier_is_tested_as_it_is(cells, tmp_path):
    first = build(cells, tmp_path / 'fit').test()
    saved = str(tmp_path / 'fit/linear_probe.pth')
    again = build(cells, tmp_path / 'again', load_from=saved, fit=False)
    assert again.test() == first
    assert not (tmp_path / 'again/linear_probe.pth').exists()


def run(cells, folder, **settings):
    runner = build(cells, folder, **settings)
    runner.register_hook(dict(type='RunManifestHook'))
    runner.test()


def found_in(cells, folder, **settings):
    run(cells, folder, **settings)
    return what_stands_in(folder)


def what_stands_in(folder):
    """How it was fitted, by the figures, the log and the run's manifest."""
    classifier = read_run(folder).classifier
    logs = ''.join(file.read_text() for file in folder.glob('*/*.log'))
    assert logs.count(f'\nclassifier: {classifier}\n') == 1
    facts = json.loads((folder / 'run_test.json').read_text())['classifier']
    assert facts.pop('text') == classifier
    return classifier, facts


@pytest.mark.slow
@pytest.mark.parametrize('class_weight', ['balanced', None])
def test_says_how_the_classifier_was_fitted(cells, tmp_path, class_weight):
    settings = dict(class_weight=class_weight, l2=[0.1, 1])
    found, facts = found_in(cells, tmp_path / 'fit', **settings)
    saved = tmp_path / 'fit/linear_probe.pth'
    meta = torch.load(saved)['meta']
    loss = 'class-balanced' if class_weight else 'unweighted'
    assert found.startswith(f'{loss} cross-entropy, L2 {meta["l2"]:g} by ')
    assert facts == dict(class_weight=class_weight, l2=meta['l2'])
    # Of a stored one by its checkpoint, not by the config.
    again = found_in(
        cells, tmp_path / 'again', load_from=str(saved), fit=False
    )
    assert again == (found, facts)


def fit_and_test_again(cells, folder):
    run(cells, folder / 'fit')
    saved = str(folder / 'fit/linear_probe.pth')
    run(cells, folder / 'again', load_from=saved, fit=False)


@pytest.mark.slow
def test_two_processes_say_it_once(cells, tmp_path, run_ranks):
    run_ranks(fit_and_test_again, 2, cells, tmp_path)
    found = [what_stands_in(tmp_path / name) for name in ('fit', 'again')]
    assert found[0] == found[1] == found_in(cells, tmp_path / 'alone')


@pytest.mark.slow
def test_a_classifier_of_an_older_version(cells, tmp_path):
    build(cells, tmp_path / 'fit').test()
    saved = tmp_path / 'fit/linear_probe.pth'
    state = torch.load(saved)
    for key in ('class_weight', 'classifier'):
        del state['meta'][key]
    state['meta']['l2'] = 0.01
    torch.save(state, saved)
    stored = dict(load_from=str(saved), fit=False)
    text = 'the checkpoint does not say how it was fitted'
    expected = f'{text} but for L2 0.01', dict(l2=0.01)
    assert found_in(cells, tmp_path / 'a', **stored) == expected
    del state['meta']['l2']  # of others' training
    torch.save(state, saved)
    build(cells, tmp_path / 'b', **stored).test()
    assert read_run(tmp_path / 'b').classifier == text


def test_another_weighting_is_refused_at_once(cells, tmp_path):
    runner = build(cells, tmp_path, class_weight='none')
    with pytest.raises(InputError, match="class_weight='none': expected"):
        runner.build_test_loop(runner._test_loop)


def test_features_come_from_the_checkpoint(cells, tmp_path):
    torch.manual_seed(5)
    backbone = build(cells, tmp_path / 'other').model.backbone
    backbone.init_weights()
    weights = {f'backbone.{k}': v for k, v in backbone.state_dict().items()}
    file = tmp_path / 'epoch_1.pth'
    torch.save(dict(state_dict=weights), file)
    runner = build(cells, tmp_path / 'run', load_from=str(file))
    runner.test()
    for key, value in runner.model.backbone.state_dict().items():
        torch.testing.assert_close(value, weights[f'backbone.{key}'])


def test_head_and_data_set_must_agree(cells, tmp_path):
    with pytest.raises(InputError, match='num_classes is 7.*3 classes'):
        build(cells, tmp_path, num_classes=7).test()


def test_checkpoint_of_other_classes(cells, tmp_path):
    weights = build(cells, tmp_path / 'a', num_classes=21).model.state_dict()
    file = tmp_path / 'other.pth'
    torch.save(dict(state_dict=weights), file)
    for fit in (True, False):
        runner = build(
            cells, tmp_path / str(fit), load_from=str(file), fit=fit
        )
        with pytest.raises(InputError, match='other.pth.*21 classes.*of 3'):
            runner.test()


def test_train_and_test_part_must_have_the_same_classes(cells, tmp_path):
    runner = build(cells, tmp_path)
    other = runner._test_loop['train_dataloader']['dataset']
    other['metainfo'] = dict(classes=CLASSES[::-1])
    with pytest.raises(InputError, match='LYT BLA ABE, the test part ABE'):
        runner.test()


def test_fitted_classifier_must_be_of_the_same_classes(cells, tmp_path):
    build(cells, tmp_path / 'fit').test()
    saved = tmp_path / 'fit/linear_probe.pth'
    state = torch.load(saved)
    state['meta']['dataset_meta']['classes'] = CLASSES[::-1]
    torch.save(state, saved)
    runner = build(cells, tmp_path / 'b', load_from=str(saved), fit=False)
    with pytest.raises(InputError, match='linear_probe.pth.*LYT BLA ABE'):
        runner.test()
