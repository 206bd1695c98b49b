"""Names that are imported when they are asked for."""

import importlib
import sys

import pytest


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Of two modules, each of which notes that it was imported."""
    folder = tmp_path / 'lazy_cells'
    folder.mkdir()
    (folder / '__init__.py').write_text(
        'from bm_plugins.utils.lazy import lazy_names\n'
        "places = dict(blast='.one', count='.two')\n"
        '__getattr__, __dir__ = lazy_names(__name__, places)\n'
    )
    (folder / 'one.py').write_text("blast = 'BLA'\nother = 1\n")
    (folder / 'two.py').write_text('count = 21\n')
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module('lazy_cells')
    for name in ('lazy_cells', 'lazy_cells.one', 'lazy_cells.two'):
        sys.modules.pop(name, None)


def test_a_name_imports_its_module_alone(package):
    assert 'lazy_cells.one' not in sys.modules
    assert package.blast == 'BLA'
    assert 'lazy_cells.one' in sys.modules
    assert 'lazy_cells.two' not in sys.modules
    from lazy_cells import count

    assert count == 21


def test_a_name_is_looked_up_once(package):
    assert 'blast' not in vars(package) and package.blast == 'BLA'
    package.one.blast = 'LYT'
    assert vars(package)['blast'] == package.blast == 'BLA'


def test_names_are_listed_before_they_are_imported(package):
    names = dir(package)
    assert {'blast', 'count', 'places'} <= {*names}
    assert names == sorted(names)
    assert 'lazy_cells.one' not in sys.modules


def test_another_name_is_no_attribute(package):
    message = "^module 'lazy_cells' has no attribute 'other'$"
    with pytest.raises(AttributeError, match=message):
        package.__getattr__('other')
    assert not hasattr(package, 'blasts')
