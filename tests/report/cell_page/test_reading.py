"""What is on the page, on a screen, a small one and on paper."""

from dataclasses import replace

from selenium.webdriver.common.keys import Keys

from bm_plugins.report.cell_page.cell_report import fixed
from bm_plugins.report.differential.differential import differential
from bm_plugins.report.differential.scheme import Scheme
from tests.report.cell_page.browser import (
    CLASSES,
    COUNTS,
    DOUBTFUL,
    EVIL,
    NAMES,
    WORSE,
    Page,
    cell,
    estimated,
    expected,
    write,
)
from tests.report.cell_page.figures import assert_figures

ORDER = [WORSE, EVIL, '=1+1.jpg', 'j.jpg', 'e.jpg', 'd.jpg', 'f.jpg', 'g.jpg']


def test_opens_with_the_figures_of_python(page):
    assert_figures(page, expected())
    assert page.shown()[:8] == ORDER
    assert page.text('progress-text').startswith('1 of 6 doubtful cells on')
    assert page.text('corrected') == '1'
    assert 'This page shows 50 of 534 cells' in page.text('cells')
    assert page.text('about').count(WORSE) == 1
    titles = page.js(
        'return [...document.querySelectorAll("h3")].map('
        '(title) => title.textContent)'
    )
    assert titles == [
        'Doubtful: unsure between classes, 4 of all 8 doubtful cells',
        'Doubtful: unlike the known cells, 2 of all 8 doubtful cells',
        'BLA Blasts, 2 of 60 shown',
        'LYT Lymphocytes, 1 of 62 shown',
        'NGS Segmented neutrophils, 41 of 200 shown',
    ]
    urls = page.requests()
    assert page.url in urls
    assert [u for u in urls if not u.startswith(('file:', 'data:'))] == []


def test_written_table_is_that_of_the_browser(page):
    live = page.table()
    page.driver.execute_cdp_cmd(
        'Emulation.setScriptExecutionDisabled', {'value': True}
    )
    page.driver.get(page.url)
    written = page.get('differential').text
    page.driver.execute_cdp_cmd(
        'Emulation.setScriptExecutionDisabled', {'value': False}
    )
    assert 'by JavaScript' in page.get('cells').text
    words = [text.split() for text in (live, written)]
    # The number of corrected cells is the browser's.
    words[0][words[0].index('Corrected') + 1] = '0'
    assert words[0] == words[1]


def test_names_from_outside_run_nothing(page):
    page.card(EVIL).click()
    page.get('where').click()
    assert page.text('path') == EVIL and page.get('path').is_displayed()
    page.card(WORSE).click()
    assert page.text('path') == WORSE
    count = 'return document.querySelectorAll(arguments[0]).length'
    assert page.js(count, 'script') == 2 and page.js(count, 'img[src=x]') == 0
    assert NAMES[0] in page.text('picker') and NAMES[0] in page.table()
    inline = (
        'const s = document.createElement("script");'
        's.textContent = "document.title = 1"; document.body.append(s);'
        'return document.title'
    )
    assert page.js(inline) == 'Bone-marrow differential'
    (message,) = [e['message'] for e in page.driver.get_log('browser')]
    assert 'Content Security Policy' in message


CONTRAST = """
const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
const light = (c) => { const [r, g, b] = c.map((v) => v / 255).map((v) =>
  v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
  return .2126 * r + .7152 * g + .0722 * b; };
const ground = (e) => { for (; e; e = e.parentElement) {
  const c = rgb(getComputedStyle(e).backgroundColor);
  if (c[3] === undefined) return c; } return [255, 255, 255]; };
const found = [];
for (const e of document.querySelectorAll('body *')) {
  const own = [...e.childNodes].some((n) => n.nodeType === 3
    && n.data.trim());
  if (!own || !e.checkVisibility() || e.matches(':disabled, :disabled *'))
    continue;
  const [a, b] = [rgb(getComputedStyle(e).color).slice(0, 3), ground(e)]
    .map(light).sort((x, y) => y - x);
  if ((a + .05) / (b + .05) < 4.5) found.push(e.outerHTML.slice(0, 80));
}
return found"""


COLUMN = """
return [...document.querySelectorAll('td.adjusted')].map(
  (cell) => [cell.parentElement.dataset.class, cell.innerText])"""
TITLES = """
return [...document.querySelectorAll('#figures thead th')].filter(
  (cell) => cell.checkVisibility()).map((cell) => cell.textContent)"""


def test_the_estimate_is_beside_the_counts(driver, folder):
    file, cells, made = estimated(folder / 'estimate.html')
    page = Page(driver, file, cells)
    assert_figures(page, made)
    assert page.js(TITLES) == [
        *('Class', 'Estimated % (95 % interval)', 'Count', 'Count in\xa0%'),
        *('Doubtful', 'Group'),
    ]
    column = dict(page.js(COLUMN))
    assert {made.rows[int(i)].code for i, x in column.items() if x == '–'} == {
        'ART',  # not counted
        'NGS',  # three calibration images
    }
    for row in made.rows[1:-1]:
        ends = f'({fixed(row.adjusted_low)}–{fixed(row.adjusted_high)})'
        said = column[str(CLASSES.index(row.code))]
        assert said.split() == [fixed(row.adjusted), ends]
    estimate = 'return document.querySelector("dd.adjusted").textContent'
    assert page.js(estimate) == '{} ({}–{})'.format(
        *(fixed(x, 2) for x in made.me_adjusted)
    )
    assert page.text('trust') == made.trust
    assert page.get('trust').is_displayed()
    struck = (
        'return [...document.querySelectorAll(".adjusted")].map('
        '(cell) => getComputedStyle(cell).textDecorationLine)'
    )
    assert {*page.js(struck)} == {'none'}
    page.card('f.jpg').click()
    page.keys('l', 'y', 't')
    assert {*page.js(struck)} == {'none'}  # till all cells are decided
    assert page.js(CONTRAST) == []
    assert 'has decided on 1 of the cells' in page.text('trust')
    page.keys('u')
    assert page.text('trust') == made.trust
    assert {*page.js(struck)} == {'none'}
    # Without an estimate there is no such column.
    Page(driver, write(folder / 'report.html'))
    assert 'Estimated' not in ''.join(page.js(TITLES))
    assert page.js(COLUMN) == []


def test_the_estimate_fits_and_has_names(driver, folder):
    file, cells, _ = estimated(folder / 'estimate.html')
    page = Page(driver, file, cells)
    size = 'Emulation.setDeviceMetricsOverride'
    table = page.driver.find_element('css selector', '.scroll')
    root = page.driver.find_element('css selector', 'html')
    fits = 'return arguments[0].scrollWidth <= arguments[0].clientWidth'
    try:
        for width in (360, 390, 700, 1024, 1280):
            metrics = dict(width=width, height=900, deviceScaleFactor=1)
            driver.execute_cdp_cmd(size, metrics | dict(mobile=width < 500))
            assert page.js(fits, root) and page.js(fits, table), width
            assert 'Estimated % (95 % interval)' in page.js(TITLES)
    finally:
        driver.execute_cdp_cmd('Emulation.clearDeviceMetricsOverride', {})
    # As a screen reader has them: each column and row with its heading.
    nodes = driver.execute_cdp_cmd('Accessibility.getFullAXTree', {})['nodes']
    names = {
        (x['role']['value'], x['name']['value'])
        for x in nodes
        if 'name' in x and 'role' in x
    }
    assert ('columnheader', 'Estimated % (95 % interval)') in names
    assert ('columnheader', 'Count in\xa0%') in names
    assert ('rowheader', 'BLA Blasts') in names
    assert ('region', 'Differential table') in names
    assert [e['message'] for e in driver.get_log('browser')] == []


def test_sentences_with_markup_stay_text(driver, folder):
    made = replace(expected(), trust=f'{NAMES[0]}<b>{EVIL}</b>')
    page = Page(driver, write(folder / 'evil.html', differential=made))
    assert page.text('trust') == made.trust
    page.start().keys('l', 'y', 't', 'u')  # written by the browser
    assert page.text('trust') == made.trust
    count = 'return document.querySelectorAll(arguments[0]).length'
    assert page.js(count, '#trust *') == 0 and page.js(count, 'script') == 2
    assert [e['message'] for e in driver.get_log('browser')] == []


def test_contrast_names_and_narrow_screens(page):
    page.start().keys('n', 'g', 's', Keys.ENTER)
    assert page.js(CONTRAST) == []
    unnamed = page.js(
        'return [...document.querySelectorAll("button, select, progress,'
        '[role=option], [role=listbox], section, aside")].filter((e) =>'
        '!(e.getAttribute("aria-label") || e.textContent.trim() ||'
        ' e.getAttribute("aria-labelledby"))).length'
    )
    assert unnamed == 0
    page.driver.execute_cdp_cmd(
        'Emulation.setDeviceMetricsOverride',
        dict(width=360, height=800, deviceScaleFactor=1, mobile=True),
    )
    try:
        wide = 'return document.documentElement.scrollWidth'
        assert page.js(wide) == 360
        right = 'return arguments[0].scrollWidth <= arguments[0].clientWidth'
        table = page.driver.find_element('css selector', '.scroll')
        assert page.js(right, table)
        page.js('document.getElementById("work").scrollIntoView()')
        assert not page.get('picker').is_displayed()
        page.click('more')
        assert page.get('picker').is_displayed() and page.js(wide) == 360
    finally:
        page.driver.execute_cdp_cmd('Emulation.clearDeviceMetricsOverride', {})


def test_paper_gets_the_doubtful_and_corrected_cells(page):
    page.card('g.jpg').click()
    page.keys('l', 'y', 't')
    page.filter('confirmed')
    media = 'Emulation.setEmulatedMedia'
    page.js('dispatchEvent(new Event("beforeprint"))')
    page.driver.execute_cdp_cmd(media, {'media': 'print'})
    try:
        visible = page.js(
            'return [...document.querySelectorAll("[data-cell]")].filter('
            '(card) => card.checkVisibility()).map((c) => +c.dataset.cell)'
        )
        ids = ('panel', 'export', 'start', 'filter', 'differential', 'notes')
        seen = [page.get(name).is_displayed() for name in ids]
    finally:
        page.driver.execute_cdp_cmd(media, {'media': ''})
    assert [page.cells[i].path for i in visible] == [*ORDER[:6], 'g.jpg']
    assert seen == [False] * 4 + [True] * 2
    page.js('dispatchEvent(new Event("afterprint"))')
    assert page.shown() == []


def test_a_report_without_cells(page, folder):
    file = write(folder / 'none.html', [], [0] * 6, doubtful=[0] * 6)
    empty = Page(page.driver, file, [])
    assert empty.text('total') == '0' and empty.text('me') == '–'
    assert empty.figures()[0] == [1, '0', '0', '–', '–']
    assert empty.get('none').is_displayed()
    assert not empty.get('confirm').is_enabled()
    assert not empty.get('start').is_enabled()
    assert 'no counted cell' in empty.get('warnings').text


def test_what_the_file_corrected_has_its_picture_on_paper(driver, folder):
    cells = [cell(f'{i:04}.jpg', 'NGS', 0.9) for i in range(1500)]
    cells.append(cell('last.jpg', 'NGS', 0.99, corrected='BLA'))
    counts = [0, 1, 0, 0, 0, 1500]
    file = write(folder / 'paper.html', cells, counts, [0] * 6)
    page = Page(driver, file, cells)
    page.js('dispatchEvent(new Event("beforeprint"))')
    source = 'return arguments[0].firstChild.getAttribute("src")'
    assert page.js(source, page.card('1499.jpg')) is None
    assert page.js(source, page.card('last.jpg')).startswith('data:image/png')


def test_many_doubtful_cells_are_divided_by_class(driver, folder):
    codes = ['BLA'] * 40 + ['LYT'] * 30
    cells = [
        cell(f'{i}.jpg', code, 0.5, (), 'unsure')
        for i, code in enumerate(codes)
    ]
    counts = [0, 40, 0, 1234, 0, 0]
    file = write(folder / 'many.html', cells, counts, [0, 40, 0, 30, 0, 0])
    page = Page(driver, file, cells)
    found = page.driver.find_elements('css selector', '#gallery h3')
    assert [title.text for title in found] == [
        'Doubtful: unsure between classes, BLA Blasts, 40 cells',
        'Doubtful: unsure between classes, LYT Lymphocytes, 30 cells',
    ]
    page.start().keys(Keys.PAGE_DOWN)
    assert page.focus() == '40.jpg'


def test_a_long_title_wraps(driver, folder):
    title = f'Bone-marrow differential: <i>{"x" * 200}'
    file = write(folder / 'long.html', title=title, cautions=['y' * 300])
    page = Page(driver, file)
    assert page.driver.title == title
    heading = page.driver.find_element('tag name', 'h1')
    assert heading.text == title
    wide = 'return document.documentElement.scrollWidth'
    size = dict(width=360, height=800, deviceScaleFactor=1, mobile=True)
    driver.execute_cdp_cmd('Emulation.setDeviceMetricsOverride', size)
    try:
        assert page.js(wide) == 360
        driver.execute_cdp_cmd(
            'Emulation.setEmulatedMedia', {'media': 'print'}
        )
        right = 'return arguments[0].scrollWidth <= arguments[0].clientWidth'
        assert heading.is_displayed() and page.js(right, heading)
    finally:
        driver.execute_cdp_cmd('Emulation.setEmulatedMedia', {'media': ''})
        driver.execute_cdp_cmd('Emulation.clearDeviceMetricsOverride', {})


def test_own_classes_have_one_name_and_no_ratio(driver, tmp_path):
    scheme = Scheme(
        groups=dict.fromkeys(CLASSES, 'other'),
        counted=dict.fromkeys(CLASSES, True),
    )
    made = differential(COUNTS, DOUBTFUL, scheme, CLASSES, CLASSES)
    file = write(
        tmp_path / 'own.html',
        differential=made,
        scheme=scheme,
        full_names=CLASSES,
    )
    page = Page(driver, file)
    text = page.js('return document.body.textContent')
    assert not any(f'{code} {code}' in text for code in CLASSES)
    assert page.js('return document.getElementById("me")') is None
    assert page.text('live') == '534 counted'
    page.card('h.jpg').click()  # the picker works all the same
    assert page.text('total') == '534'
    assert [e['message'] for e in driver.get_log('browser')] == []
