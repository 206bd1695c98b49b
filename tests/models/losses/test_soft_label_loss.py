"""Soft labels by the cost of a confusion, and the table of costs."""

import numpy as np
import pytest
import torch

from bm_plugins.datasets.matek_classes import CLASSES
from bm_plugins.errors import InputError
from bm_plugins.models.losses.soft_label_loss import (
    COSTS,
    SoftLabelLoss,
    read_costs,
)


@pytest.fixture
def table(tmp_path):
    def write(*lines):
        file = tmp_path / 'costs.csv'
        file.write_text('\n'.join(['code,other,cost', *lines]) + '\n')
        return file

    return write


def test_shipped_costs_are_steps_of_maturation():
    costs = read_costs(COSTS, CLASSES)
    assert (costs == costs.T).all() and not costs.diagonal().any()
    chain = [
        CLASSES.index(c) for c in ['BLA', 'PMO', 'MYB', 'MMZ', 'NGB', 'NGS']
    ]
    steps = abs(np.subtract.outer(range(6), range(6)))
    np.testing.assert_allclose(
        costs[np.ix_(chain, chain)], steps / 6, atol=1e-3
    )

    def cost(a, b):
        return costs[CLASSES.index(a), CLASSES.index(b)]

    assert cost('EBO', 'PEB') == cost('LYT', 'LYI') == cost('BLA', 'PMO')
    assert cost('LYT', 'PLM') == cost('BLA', 'MYB')
    # Another lineage is farther than any stage.
    assert cost('EBO', 'MYB') == cost('LYT', 'BLA') == cost('ART', 'NGS') == 1
    assert (costs < 1).sum() == 21 + 2 * (15 + 1 + 6)


def test_loss_by_hand(table):
    loss = SoftLabelLoss(beta=2.0, costs=table('B,A,0.5'))
    said = loss.set_classes('ABC', [1, 1, 1])
    near, far = np.exp(-1), np.exp(-2)
    a = np.array([1, near, far]) / (1 + near + far)
    b = np.array([near, 1, far]) / (1 + near + far)
    c = np.array([far, far, 1]) / (1 + 2 * far)
    assert said.endswith(f'A {a[0]:.3f} B {b[1]:.3f} C {c[2]:.3f}')
    logits = torch.tensor([[1.0, -2.0, 0.5], [0.0, 3.0, 1.0]])
    log_p = logits.double().log_softmax(1).numpy()
    for label, soft in (
        ([2, 0], [c, a]),
        ([[0.0, 0.7, 0.3], [1, 0, 0]], [0.7 * b + 0.3 * c, a]),  # mixup
    ):
        found = loss(logits, torch.tensor(label), avg_factor=2)
        expected = -(np.array(soft) * log_p).sum(1).mean()
        assert found.item() == pytest.approx(expected, rel=1e-6)
    assert not loss.state_dict()


def test_a_near_error_costs_less_than_a_far_one():
    loss = SoftLabelLoss()
    loss.set_classes(CLASSES, [1] * 21)
    true = torch.tensor([CLASSES.index('MYB')])
    found = []
    for code in ('MYB', 'MMZ', 'NGB', 'EBO'):
        logits = torch.zeros(1, 21)
        logits[0, CLASSES.index(code)] = 5
        found.append(loss(logits, true).item())
    assert found == sorted(found) and len({*found}) == 4


@pytest.mark.parametrize(
    ('lines', 'message'),
    [
        (['A,B,0.5', 'A,Bb,0.5'], r'line 3, A Bb: there is no class Bb \(did'),
        (['A,B,0.5', 'B,A,0.4'], 'line 3, B A: the cost is 0.4, and 0.5 in'),
        (['A,A,0.5'], 'line 2, A A: a class costs nothing as itself'),
        (['A,B,-1'], "line 2, A B: the cost is '-1'; expected a number above"),
        (['A,B,2'], "the cost is '2'"),
        (['A,B,far'], "the cost is 'far'"),
        (['A,B,nan'], "the cost is 'nan'"),
        (['BLA,PMO,0.2'], 'has no pair of the classes A B C.*costs=FILE'),
    ],
)
def test_tables_that_cannot_be(table, lines, message):
    with pytest.raises(InputError, match=message):
        read_costs(table(*lines), 'ABC')


def test_what_a_table_may_say(table, tmp_path):
    file = table('A,B,0.25', 'B,A,0.25', 'BLA,A,0.5', 'C,A,1')
    expected = [[0, 0.25, 1], [0.25, 0, 1], [1, 1, 0]]
    assert read_costs(file, 'ABC').tolist() == expected
    with pytest.raises(InputError, match='none.csv'):
        read_costs(tmp_path / 'none.csv', 'ABC')
    for beta in (0, '9'):
        with pytest.raises(InputError, match='beta=.*expected a number'):
            SoftLabelLoss(beta=beta)
