"""A data loader over a labelled part of the small collection."""

CLASSES = ('ABE', 'BLA', 'LYT')


def loader(cells, split, size=32, batch_size=16, classes=CLASSES):
    return dict(
        batch_size=batch_size,
        num_workers=0,
        collate_fn=dict(type='default_collate'),
        dataset=dict(
            type='Matek',
            data_root=str(cells),
            split=split,
            metainfo=dict(classes=classes),
            pipeline=[
                dict(type='LoadCellImage'),
                dict(type='Resize', scale=(size, size)),
                dict(
                    type='PackInputs',
                    meta_keys=('path', 'img_path', 'sample_idx'),
                ),
            ],
        ),
        sampler=dict(type='DefaultSampler', shuffle=False),
    )
