"""What the page says of its making."""

from dataclasses import replace

from bm_plugins.apis.prediction.facts import name_of, prediction_facts
from bm_plugins.apis.prediction.record import PredictionRecord
from tests.apis.tiny_bundle import tiny_bundle


def test_rows(tmp_path):
    identity = dict(
        cells='', bundle='', error_rate=0.1, chunk=1, features=None
    )
    record = PredictionRecord(tmp_path, identity)
    record.finish(predicted=1234, skipped=2, time='now', version='9')
    bundle = tiny_bundle()
    held = bundle.validation
    facts = prediction_facts(
        'x/a.bundle', bundle, 'cells\n', record, 'd/c.csv'
    )
    right = sum(
        row.index(max(row)) == label
        for row, label in zip(
            held.logits.tolist(), held.labels.tolist(), strict=True
        )
    )
    accuracy = facts['Accuracy on calibration images']
    assert accuracy.startswith(f'{100 * right / 30:.1f} % [')
    assert accuracy.endswith('] of 30')
    assert facts['Images'] == (
        r'cells\n: 1,234 predicted, 2 skipped (listed in skipped.csv)'
    )
    assert facts['Model'] == 'a.bundle' and facts['Corrections'] == 'c.csv'
    # 10 calibration images a class.
    unsure = facts['Flag "unsure"']
    assert '10 % of the cells of each class' in unsure and 'few' not in unsure
    identity['error_rate'] = 0.08
    some = replace(held, labels=held.labels.clip(max=1))
    facts = prediction_facts(
        'a', replace(bundle, validation=some), 'cells', record, None
    )
    assert facts['Flag "unsure"'].endswith('; too few of these for BLA, NGS')
    assert 'than 99 %' in facts['Flag "unlike"']


def test_names_of_what_was_predicted(tmp_path):
    (tmp_path / 'patient_7').mkdir()
    (tmp_path / 'list.csv').write_text('path')
    assert name_of(tmp_path / 'patient_7') == 'patient_7'
    assert name_of(tmp_path / 'list.csv') == 'list'
    assert name_of('slides/*.png') == 'slides/*.png'
