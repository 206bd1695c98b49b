"""A report of a few cells, open in a browser."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from selenium import webdriver
from selenium.webdriver.common.by import By

from bm_plugins.report.cell_page.cell_report import (
    ReportCell,
    write_cell_report,
)
from bm_plugins.report.differential.differential import differential
from bm_plugins.report.differential.scheme import Scheme
from tests.report.slide import slide_of

EVIL = '<img src=x onerror=alert(1)>.jpg'
WORSE = '"\';</script><script>alert(2)</script><!--\u2028,é\n.jpg'
CLASSES = ('ART', 'BLA', 'EBO', 'LYT', 'NGB', 'NGS')
NAMES = (
    '</script><script>alert(3)</script>',
    'Blasts',
    'Erythroblasts',
    'Lymphocytes',
    'Band neutrophils',
    'Segmented neutrophils',
)
GROUPS = ('other', 'myeloid', 'erythroid', 'other', 'myeloid', 'myeloid')
SCHEME = Scheme(
    groups=dict(zip(CLASSES, GROUPS, strict=True)),
    counted={code: code != 'ART' for code in CLASSES},
)
# More cells than the page shows; 504 of them are counted.
COUNTS = [30, 63, 126, 64, 51, 200]
DOUBTFUL = [1, 3, 1, 2, 0, 0]


def cell(path, code, confidence, among=(), flag='', corrected=None):
    """One cell, with a picture of one colour."""
    colour = (40 * CLASSES.index(code), 90, 200)
    picture = cv2.imencode('.png', np.full((8, 8, 3), colour, np.uint8))[1]
    return ReportCell(
        path, code, confidence, among, flag, picture.tobytes(), corrected
    )


def gallery():
    """Cells in another order than the page's: a, b, c, ... there."""
    return [
        cell('h.jpg', 'LYT', 0.90),
        cell('g.jpg', 'BLA', 0.99),
        cell('f.jpg', 'BLA', 0.70),
        cell(EVIL, 'BLA', 0.50, ('BLA', 'LYT'), 'unsure'),
        cell(WORSE, 'BLA', 0.40, ('LYT', 'BLA', 'NGS'), 'unsure'),
        cell('=1+1.jpg', 'LYT', 0.45, (), 'unsure'),
        cell('d.jpg', 'EBO', 0.98, ('EBO',), 'unlike'),
        cell('e.jpg', 'ART', 0.60, ('ART',), 'unlike'),
        cell('i.jpg', 'NGS', 0.995),
        cell('j.jpg', 'NGS', 0.80, ('NGS', 'NGB'), 'unsure', 'NGB'),
        *(cell(f'k/{i:03}.jpg', 'NGS', 0.9975) for i in range(40)),
    ]


def expected(counts=COUNTS, doubtful=DOUBTFUL, decided=1, estimate=None):
    """The differential in Python, of the gallery: one is corrected in it."""
    return differential(
        *(counts, doubtful, SCHEME, CLASSES, NAMES),
        estimate=estimate,
        decided=decided,
    )


def estimated(file, **changes):
    """Write a report with an estimate: no person has decided on a cell.

    Returns:
        tuple: The file, its cells, and the differential.
    """
    estimate, _ = slide_of([30, 30, 156, 64, 31, 220], [50] * 5 + [3])
    made = expected(decided=0, estimate=estimate)
    cells = [replace(cell, corrected=None) for cell in gallery()]
    return write(file, cells, differential=made, **changes), cells, made


def write(file, cells=None, counts=COUNTS, doubtful=DOUBTFUL, **changes):
    """Write the report."""
    cells = gallery() if cells is None else cells
    decided = sum(cell.corrected is not None for cell in cells)
    arguments = dict(
        differential=expected(counts, doubtful, decided),
        scheme=SCHEME,
        classes=CLASSES,
        full_names=NAMES,
        counts=counts,
        facts={'Model': '<b>bold</b> & "quoted"', EVIL: WORSE},
    )
    write_cell_report(file, cells, **(arguments | changes))
    return file


def open_browser(downloads):
    """Chromium without a window, that tells of all requests."""
    paths = {}
    for what, names in (
        ('Chromium', ('chromium', 'chromium-browser', 'google-chrome')),
        ('chromedriver', ('chromedriver',)),
    ):
        paths[what] = next(filter(None, map(shutil.which, names)), None)
        assert paths[what], (
            f'{what} is not on the PATH: install Chromium and its driver '
            '(Debian: apt-get install chromium chromium-driver).'
        )
    options = webdriver.ChromeOptions()
    options.binary_location = paths['Chromium']
    for argument in (
        '--headless=new',
        '--no-sandbox',
        '--disable-dev-shm-usage',
        '--window-size=1400,1000',
    ):
        options.add_argument(argument)
    options.set_capability(
        'goog:loggingPrefs', {'browser': 'ALL', 'performance': 'ALL'}
    )
    options.add_experimental_option(
        'prefs', {'download.default_directory': str(downloads)}
    )
    service = webdriver.ChromeService(paths['chromedriver'])
    driver = webdriver.Chrome(options, service)
    driver.set_script_timeout(20)
    driver.set_page_load_timeout(20)
    return driver


class Page:
    """A report in the browser, fresh from the disk."""

    def __init__(self, driver, file, cells=None):
        self.driver, self.file = driver, Path(file)
        self.cells = gallery() if cells is None else cells
        self.js, self.url = driver.execute_script, self.file.as_uri()
        driver.get(self.url)
        self.js('localStorage.clear()')
        driver.get(self.url)

    def get(self, name):
        return self.driver.find_element(By.ID, name)

    def click(self, name):
        self.get(name).click()

    def text(self, name):
        script = 'return document.getElementById(arguments[0]).textContent'
        return self.js(script, name)

    def keys(self, *keys):
        """Each to the element that has the focus by then."""
        for key in keys:
            self.driver.switch_to.active_element.send_keys(key)

    def focus(self):
        """Path of the cell that has the focus."""
        number = self.js('return document.activeElement.dataset.cell')
        return None if number is None else self.cells[int(number)].path

    def selector(self, path):
        row = [cell.path for cell in self.cells].index(path)
        return f'[data-cell="{row}"]'

    def card(self, path):
        return self.driver.find_element(By.CSS_SELECTOR, self.selector(path))

    def start(self):
        self.click('start')
        return self

    def shown(self):
        """Paths of the cells that the filter shows, as on the page."""
        numbers = self.js(
            'return [...document.querySelectorAll("[data-cell]")]'
            '.map((card) => +card.dataset.cell)'
        )
        return [self.cells[number].path for number in numbers]

    def figures(self):
        """All figures of the table, as numbers in full precision."""
        return self.js(
            'return [...document.querySelectorAll("tr[data-class]")].map('
            '(row) => [+row.dataset.class, ...["count", "doubtful",'
            ' "percent", "interval"].map((f) => { const cell ='
            ' row.querySelector(`[data-field=${f}]`);'
            ' return cell.dataset.value ?? cell.textContent; })])'
        )

    def table(self):
        """All text of the table."""
        return self.js(
            'return document.querySelector("#differential").innerText'
        )

    def filter(self, value):
        self.js(
            'const s = document.getElementById("filter");'
            's.value = arguments[0]; s.dispatchEvent(new Event("change"))',
            str(value),
        )

    def requests(self):
        """Addresses that were asked for since the last call."""
        found = []
        for entry in self.driver.get_log('performance'):
            message = json.loads(entry['message'])['message']
            if message['method'] == 'Network.requestWillBeSent':
                found.append(message['params']['request']['url'])
        return found
