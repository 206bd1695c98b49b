"""What became of images that could not be read."""

from pathlib import Path

from mmengine.dist import all_reduce, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS

from bm_plugins.errors import listed
from bm_plugins.utils.csv_file import write_csv


@HOOKS.register_module()
class UnreadableHook(Hook):
    """Name and count the images that ``on_unreadable='skip'`` skipped.

    After each epoch, of all ranks, since the start of the process: a warning
    in the log, and ``unreadable.csv`` (``path,skipped``) in the work folder.
    """

    def after_train_epoch(self, runner: Runner) -> None:
        """Report, if there is anything new."""
        dataset = runner.train_dataloader.dataset
        if getattr(dataset, 'on_unreadable', 'stop') != 'skip':
            return
        counts = dataset.unreadable.clone()
        all_reduce(counts)
        total = int(counts.sum())
        if not is_main_process() or total == getattr(self, 'said', 0):
            return
        self.said = total
        rows = [
            (dataset.get_data_info(index)['path'], int(counts[index]))
            for index in counts.nonzero().flatten().tolist()
        ]
        file = Path(runner.work_dir, 'unreadable.csv')
        write_csv(file, ['path', 'skipped'], rows)
        named = listed(path for path, _ in rows)
        runner.logger.warning(
            f'{len(rows)} image(s) cannot be read: {named}. Skipped '
            f'{total} times so far, the next image in the place of each; '
            f'listed in {file}.'
        )
