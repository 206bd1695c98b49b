"""Corrections outlive the page: in the browser, and as a file."""

import csv
import time
from base64 import b64encode

import pytest
from selenium.webdriver.common.keys import Keys

from bm_plugins.datasets.manifest import read_manifest
from tests.report.cell_page.browser import (
    EVIL,
    WORSE,
    Page,
    cell,
    expected,
    gallery,
    write,
)
from tests.report.cell_page.figures import assert_figures, changed


@pytest.mark.slow
def test_reload_keeps_and_reset_takes_back(page):
    page.start().keys('2', Keys.ENTER)
    wanted = changed((), {'BLA': -2})
    assert_figures(page, wanted)
    page.driver.get(page.url)
    assert_figures(page, wanted)
    assert page.text('progress-text').startswith('3 of 6 doubtful cells')
    page.click('reset')
    page.driver.switch_to.alert.dismiss()
    assert_figures(page, wanted)
    page.click('reset')
    page.driver.switch_to.alert.accept()
    assert_figures(page, expected())
    page.driver.get(page.url)
    assert_figures(page, expected())


def exported(page, folder, name='corrections.csv'):
    """Rows of the file that the page writes, and the file."""
    file = folder / name
    file.unlink(missing_ok=True)
    page.click('export')
    end = time.monotonic() + 10
    while not file.exists() and time.monotonic() < end:
        time.sleep(0.02)
    with open(file, newline='', encoding='utf-8') as stream:
        return list(csv.reader(stream)), file


def imported(page, file):
    """What the page says of the file."""
    page.js('document.getElementById("status").textContent = ""')
    page.get('file').send_keys(str(file))
    end = time.monotonic() + 5
    while not page.text('status') and time.monotonic() < end:
        time.sleep(0.02)
    return page.text('status')


@pytest.mark.slow
def test_export_is_read_back(page, folder, tmp_path):
    page.start().keys('3', '2', Keys.ENTER)
    rows, file = exported(page, folder)
    assert rows[0] == ['path', 'label', 'split', 'predicted']
    assert sorted(rows[1:]) == sorted(
        [
            ['=1+1.jpg', 'LYT', 'train', 'LYT'],
            [EVIL, 'LYT', 'train', 'BLA'],
            [WORSE, 'NGS', 'train', 'BLA'],
            ['j.jpg', 'NGB', 'train', 'NGS'],
        ]
    )
    paths, labels, splits, _ = read_manifest(file)
    assert dict(zip(paths, labels, strict=True))[WORSE] == 'NGS'
    assert set(splits) == {'train'}
    # As a spreadsheet may save it, with rows that the page cannot use.
    other = tmp_path / 'other.csv'
    rows += [['gone.jpg', 'LYT', 'train', 'LYT'], ['h.jpg', 'XX', 'train', '']]
    with open(other, 'w', newline='', encoding='utf-8-sig') as stream:
        csv.writer(stream).writerows(rows)
    wanted = page.table()
    fresh = Page(page.driver, page.file)
    assert fresh.table() != wanted
    assert imported(fresh, other) == (
        '4 cells read from other.csv; 1 not on this page; '
        '1 of a class that the model lacks.'
    )
    assert fresh.table() == wanted
    fresh.keys(Keys.CONTROL + 'z')
    assert_figures(fresh, expected())


@pytest.mark.slow
def test_full_storage_is_said_and_export_works(page, folder):
    page.js(
        'for (let n = 4 << 20, key = 0; n; key++) {'
        ' try { localStorage.setItem(key, "x".repeat(n)); }'
        ' catch { n >>= 1; } }'
    )
    page.start().keys('2')
    assert page.get('trouble').text.startswith(
        'This browser cannot keep the corrections (QuotaExceededError).'
    )
    assert_figures(page, changed((), {'BLA': -1}))
    assert len(exported(page, folder)[0]) == 3
    page.js('localStorage.clear()')
    page.start().keys(Keys.ENTER)
    assert not page.get('trouble').is_displayed()


def test_without_storage(driver, folder):
    text = write(folder / 'report.html').read_bytes()
    # A page from such an address may keep nothing.
    driver.get('data:text/html;base64,' + b64encode(text).decode())
    trouble = driver.find_element('id', 'trouble')
    assert '(SecurityError)' in trouble.text
    driver.find_element('id', 'start').click()
    driver.switch_to.active_element.send_keys(Keys.ENTER)
    progress = driver.find_element('id', 'progress-text').text
    assert progress.startswith('2 of 6 doubtful cells')
    driver.get('about:blank')


def test_corrections_of_another_report_are_refused(page, tmp_path):
    file = tmp_path / 'other.csv'
    file.write_text(
        'path,label,split,predicted\nh.jpg,BLA,train,LYT\n'
        'g.jpg,LYT,train,NGS\nf.jpg,LYT,train,ZZZ\ngone,LYT,train,NGS\n'
    )
    assert imported(page, file) == (
        'other.csv: 2 of 4 rows have another predicted class than this '
        'report, so the file is most likely of another one. Nothing was read.'
    )
    assert_figures(page, expected())


def test_semicolons_are_read_and_a_wrong_header_is_named(page, tmp_path):
    file = tmp_path / 'excel.csv'
    file.write_text(
        '\ufeffpath;label;split;predicted\r\nh.jpg;BLA;train;LYT\r\n'
    )
    assert imported(page, file) == '1 cell read from excel.csv.'
    assert_figures(page, changed({'BLA': 1, 'LYT': -1}))
    file.write_text(
        'sep=\t\r\nPath\tLABEL\t\r\n\t\t\r\n \t\t\r\n h.jpg \tLYT \t\r\n'
    )
    assert imported(page, file) == '1 cell read from excel.csv.'
    file.write_text('file;class\nh.jpg;BLA\n')
    assert imported(page, file) == (
        'excel.csv: expected the columns path,label,split,predicted, found '
        'file,class. Nothing was read.'
    )


def test_the_export_has_the_name_of_the_folder(driver, folder):
    title = 'Bone-marrow differential: ../patient 7: <b>"é"'
    page = Page(driver, write(folder / 'named.html', title=title))
    name = 'corrections_patient_7_b_é.csv'
    assert len(exported(page, folder, name)[0]) == 2
    assert page.text('status') == f'1 cell written to {name}.'


def test_nothing_to_export(driver, folder):
    cells = [cell('h.jpg', 'LYT', 0.90), cell('g.jpg', 'BLA', 0.99)]
    page = Page(driver, write(folder / 'untouched.html', cells))
    kept = set(folder.iterdir())
    page.click('export')
    assert page.text('status').startswith('Nothing to export')
    time.sleep(0.3)
    assert set(folder.iterdir()) == kept


@pytest.mark.slow
def test_a_newer_file_beats_what_the_browser_kept(driver, folder):
    page = Page(driver, write(folder / 'kept.html'))
    for path in ('f.jpg', 'g.jpg', 'h.jpg'):
        page.card(path).click()
        page.keys('n', 'g', 's')
    cells = gallery()
    cells[0] = cell('h.jpg', 'LYT', 0.90, corrected='BLA')
    cells[1] = cell('g.jpg', 'BLA', 0.99, corrected='BLA')
    counts = [30, 64, 126, 63, 51, 200]
    write(folder / 'kept.html', cells, counts)
    driver.get(page.url)
    names = [page.card(f'{x}.jpg').text.split('\n')[0] for x in 'fgh']
    assert names == ['NGS', 'BLA', 'BLA']
    assert page.text('total') == '504'
    assert_figures(page, expected([30, 63, 126, 63, 51, 201]))
