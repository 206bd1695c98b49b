"""One browser for all tests of the page."""

import pytest

from tests.report.cell_page.browser import Page, open_browser, write


@pytest.fixture(scope='session')
def folder(tmp_path_factory):
    """Where the reports are written and the browser's files go."""
    return tmp_path_factory.mktemp('cell_report')


@pytest.fixture(scope='session')
def driver(folder):
    """The browser."""
    browser = open_browser(folder)
    yield browser
    browser.quit()


@pytest.fixture
def page(driver, folder):
    """A report, just opened; afterwards the browser has no complaint."""
    opened = Page(driver, write(folder / 'report.html'))
    yield opened
    assert [entry['message'] for entry in driver.get_log('browser')] == []
