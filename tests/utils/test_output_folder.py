"""Folders to write to."""

import pytest

from bm_plugins.errors import InputError
from bm_plugins.utils.output_folder import make_folder


def test_a_folder_is_made_and_kept(tmp_path):
    folder = make_folder(tmp_path / 'a/b')
    (folder / 'file').write_text('kept')
    assert (make_folder(str(folder)) / 'file').read_text() == 'kept'


def test_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / 'a').write_text('')
    for name in ('a', 'a/b'):
        with pytest.raises(InputError, match=f'folder .*/{name} cannot be'):
            make_folder(tmp_path / name)
