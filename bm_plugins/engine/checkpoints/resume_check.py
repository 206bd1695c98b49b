"""Whether a run can go on from a checkpoint's place in the data."""

from torch.utils.data import DataLoader

from bm_plugins.errors import InputError


def progress_of(dataloader: DataLoader, world_size: int) -> dict[str, int]:
    """What a checkpoint notes for :func:`check_progress`.

    ``world_size``, ``batch_size`` (of a rank) and ``epoch_length`` (batches).
    """
    return dict(
        world_size=world_size,
        batch_size=dataloader.batch_sampler.batch_size,
        epoch_length=len(dataloader),
    )


def check_progress(
    saved: dict[str, int], now: dict[str, int], filename: str
) -> None:
    """Fail where a checkpoint's iterations are not those of this run.

    Another number of ranks is fine while the global batch is the same.

    Raises:
        InputError: Another global batch or number of batches an epoch.
    """
    anew = (
        f'or start anew from its weights: --cfg-options load_from={filename}'
        ', without --resume.'
    )
    before, after = (p['world_size'] * p['batch_size'] for p in (saved, now))
    if before != after:
        share, rest = divmod(before, now['world_size'])
        how = (
            f'Use a number of processes that divides {before},'
            if rest
            else f'Set train_dataloader.batch_size={share},'
        )
        raise InputError(
            f'checkpoint {filename} was trained with a global batch of '
            f'{before} ({saved["world_size"]} x {saved["batch_size"]}), this '
            f'run has {after} ({now["world_size"]} x {now["batch_size"]}), '
            f'which would change epochs and schedule. {how} {anew}'
        )
    if saved['epoch_length'] != now['epoch_length']:
        raise InputError(
            f'checkpoint {filename} was trained with {saved["epoch_length"]} '
            f'batches an epoch, this run has {now["epoch_length"]}: the '
            'training part has changed. Give the data it was trained on, '
            + anew
        )
