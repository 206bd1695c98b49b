from benchmarks.text import lines


def test_values_groups_and_rows():
    result = dict(
        ratio=8.4712,
        sides=dict(
            ours=dict(median_s=0.5, runs_s=[0.4, 0.5, 0.6]),
            stock=dict(median_s=1234.5, runs_s=[1.0]),
        ),
        rows=[dict(gpus=4, efficiency=0.975)],
        gpu=None,
    )
    assert list(lines(result)) == [
        'ratio  8.47',
        'sides',
        '  ours   median_s 0.5',
        '  stock  median_s 1,234',
        'rows: gpus 4, efficiency 0.975',
        'gpu    None',
    ]
