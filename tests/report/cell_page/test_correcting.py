"""A person corrects cells; the figures follow and are Python's."""

from dataclasses import replace

import pytest
from selenium.webdriver import ActionChains
from selenium.webdriver.common.keys import Keys

from bm_plugins.report.differential.notes import ALL_DECIDED
from tests.report.cell_page.browser import (
    CLASSES,
    EVIL,
    WORSE,
    Page,
    cell,
    expected,
    write,
)
from tests.report.cell_page.figures import assert_figures, changed


@pytest.mark.slow
def test_letters_change_a_class_and_the_next_doubtful_cell_follows(page):
    page.start()
    assert page.focus() == WORSE
    page.keys('n')
    assert page.text('status') == 'N…  NGB, NGS'
    page.keys('g', 'x', Keys.BACKSPACE, 'G', 'S')
    assert page.focus() == EVIL
    assert_figures(page, changed({'BLA': -1, 'NGS': 1}, {'BLA': -1}))
    assert page.text('status') == (
        'BLA → NGS. BLA 62, 12.3 %; NGS 201, 39.9 %. '
        '2 of 6 doubtful cells on this page checked; 1 of the unchecked '
        'left out of the count.'
    )
    assert page.card(WORSE).text.split('\n') == ['NGS', '40 %', 'was BLA']
    # To a class that is not counted: the letter and Enter are enough.
    page.keys('a', Keys.ENTER)
    wanted = changed({'BLA': -2, 'NGS': 1, 'ART': 1}, {'BLA': -2})
    assert_figures(page, wanted)
    assert wanted.total == 503


@pytest.mark.slow
def test_enter_confirms_numbers_choose_and_undo_takes_back(page):
    page.start().keys(Keys.ENTER)
    assert_figures(page, changed((), {'BLA': -1}))
    label = page.card(WORSE).get_attribute('aria-label')
    assert label == 'Blasts, confirmed, unsure'
    page.keys('2')
    assert_figures(page, changed({'BLA': -1, 'LYT': 1}, {'BLA': -2}))
    assert page.focus() == '=1+1.jpg'
    page.keys('1')  # it has no candidates
    assert page.text('status') == 'No class begins with 1.'
    page.keys('u')
    assert page.focus() == EVIL
    assert_figures(page, changed((), {'BLA': -1}))
    page.keys(Keys.CONTROL + 'z')
    assert page.focus() == WORSE
    assert_figures(page, expected())
    page.keys('u')
    assert page.text('status') == 'Nothing to undo.'
    # Enter keeps a class that was chosen before.
    page.keys('l', 'y', 't', Keys.ARROW_LEFT, Keys.ENTER)
    assert_figures(page, changed({'BLA': -1, 'LYT': 1}, {'BLA': -1}))
    page.keys(Keys.ARROW_LEFT, Keys.ARROW_LEFT, Keys.DELETE)
    assert_figures(page, expected())


@pytest.mark.slow
def test_all_doubtful_cells_by_keyboard_alone(page):
    for _ in range(30):
        page.keys(Keys.TAB)
        if page.js('return document.activeElement.id') == 'start':
            break
    page.keys(Keys.ENTER)
    seen = [page.focus()]
    for _ in range(4):
        page.keys(Keys.ENTER)
        seen.append(page.focus())
    assert seen == [WORSE, EVIL, '=1+1.jpg', 'e.jpg', 'd.jpg']
    page.keys(Keys.ENTER)
    assert page.text('progress-text') == (
        '6 of 6 doubtful cells on this page checked; 2 more are not '
        'shown (predict.py --report-cells)'
    )
    assert page.text('doubtful') == '2'
    page.keys(Keys.SPACE)
    assert page.text('status') == (
        'No doubtful cell on this page is unchecked; 2 more are not shown '
        '(predict.py --report-cells).'
    )
    assert page.get('start').get_attribute('disabled')
    page.keys(Keys.PAGE_DOWN, Keys.ENTER)
    assert page.focus() == 'g.jpg'
    page.keys(Keys.TAB, Keys.TAB, Keys.TAB, Keys.TAB)
    focus = 'return document.activeElement.textContent'
    assert page.js(focus).startswith('BLABlasts')
    page.keys(Keys.ARROW_DOWN, Keys.ENTER)
    assert page.card('g.jpg').text.split('\n')[0] == 'NGB'
    page.keys('?')
    assert page.get('help').is_displayed()
    page.keys(Keys.ESCAPE)
    assert not page.get('help').is_displayed() and page.focus() == 'h.jpg'


@pytest.mark.slow
def test_arrows_go_by_rows_and_sections(page):
    page.start()
    style = 'getComputedStyle(document.getElementById("gallery"))'
    read = f'return {style}.getPropertyValue("--columns")'
    columns = int(page.js(read))
    assert 5 < columns < 41
    page.keys(Keys.ARROW_RIGHT, Keys.ARROW_DOWN)
    assert page.focus() == 'd.jpg'
    page.keys(Keys.ARROW_DOWN, Keys.ARROW_DOWN)
    assert page.focus() == 'h.jpg'
    page.keys(Keys.ARROW_DOWN, Keys.ARROW_DOWN)
    assert page.focus() == page.shown()[9 + columns]
    page.keys(Keys.END)
    assert page.focus() == page.shown()[-1]
    page.keys(Keys.HOME, Keys.ARROW_UP, Keys.ARROW_UP)
    assert page.focus() == 'f.jpg'
    page.keys(Keys.PAGE_UP, Keys.ARROW_UP, Keys.END, Keys.PAGE_UP)
    assert page.focus() == 'j.jpg'


@pytest.mark.slow
def test_several_cells_at_once(page):
    page.card('i.jpg').click()
    page.keys(Keys.CONTROL + 'a', 'n', 'g', 'b')
    assert_figures(page, changed({'NGS': -41, 'NGB': 41}))
    page.keys('u')
    assert page.text('status') == '41 cells undone.'
    page.start().keys(Keys.SHIFT + Keys.ARROW_RIGHT)
    assert page.text('now') == '2 cells selected'
    page.keys('l', 'y', 't')
    assert_figures(page, changed({'BLA': -2, 'LYT': 2}, {'BLA': -2}))


def test_mouse_alone(page):
    page.card('f.jpg').click()
    assert page.text('suggested') == 'suggested BLA, 70\u00a0%'
    page.driver.find_element('css selector', '[data-class="5"][role]').click()
    assert_figures(page, changed({'BLA': -1, 'NGS': 1}))
    assert page.focus() == 'g.jpg'
    page.click('confirm')
    page.click('undo')
    page.click('undo')
    assert_figures(page, expected())


def test_filters(page):
    page.start().keys('n', 'g', 's', Keys.ENTER)
    page.filter('open')
    assert page.shown() == ['=1+1.jpg', 'e.jpg', 'd.jpg']
    page.filter('corrected')
    assert page.shown() == [WORSE, 'j.jpg']
    page.filter('confirmed')
    assert page.shown() == [EVIL]
    page.filter(CLASSES.index('NGS'))
    assert page.shown()[:2] == [WORSE, 'i.jpg'] and len(page.shown()) == 42
    page.filter(CLASSES.index('ART'))
    page.card('e.jpg').click()
    page.keys(Keys.ARROW_RIGHT, Keys.ARROW_DOWN, 'b', 'l', 'a')
    page.filter(CLASSES.index('ART'))
    assert page.shown() == [] and page.get('none').is_displayed()
    page.filter('all')
    assert len(page.shown()) == 50


def test_too_few_cells_after_corrections_is_said(driver, folder):
    counts = [30, 63, 122, 64, 51, 200]
    file = write(folder / 'few.html', counts=counts)
    page = Page(driver, file)
    assert not page.get('too-few').is_displayed()
    page.start().keys('a', Keys.ENTER)
    assert page.get('too-few').text == (
        'With your corrections only 499 cells are counted; ICSH asks for at '
        'least 500.'
    )


def ctrl_click(page, path):
    actions = ActionChains(page.driver).key_down(Keys.CONTROL)
    actions.click(page.card(path)).key_up(Keys.CONTROL).perform()


@pytest.mark.slow
def test_ctrl_click_on_the_current_cell_leaves_the_others(page):
    page.card('f.jpg').click()
    ctrl_click(page, 'g.jpg')
    ctrl_click(page, 'h.jpg')
    ctrl_click(page, 'h.jpg')
    assert page.focus() == 'g.jpg'
    assert page.text('now') == '2 cells selected'
    ctrl_click(page, 'g.jpg')
    assert page.focus() == 'f.jpg' and page.text('path') == 'f.jpg'
    assert page.card('f.jpg').get_attribute('tabindex') == '0'
    assert page.card('g.jpg').get_attribute('class') == 'cell'
    ctrl_click(page, 'f.jpg')  # one is always selected
    page.keys('l', 'y', 't')
    assert_figures(page, changed({'BLA': -1, 'LYT': 1}))
    assert page.card('f.jpg').text.split('\n')[0] == 'LYT'


@pytest.mark.slow
def test_what_the_file_corrected_is_not_taken_back(page):
    kept = 'Corrected in the file; choose another class instead.'
    page.card('j.jpg').click()
    page.keys(Keys.DELETE)
    assert page.text('status') == kept
    page.click('reset')
    assert page.text('status') == (
        'Nothing to take back. 1 cell corrected in the file; choose another '
        'class instead.'
    )
    page.card('f.jpg').click()
    page.keys(Keys.DELETE)
    assert page.text('status') == 'Nothing to take back.'
    page.keys('l', 'y', 't')
    page.card('f.jpg').click()
    ctrl_click(page, 'j.jpg')
    page.keys(Keys.DELETE)
    assert page.text('status') == f'Taken back. {kept}'
    assert_figures(page, expected())


def test_a_page_with_all_doubtful_cells_says_no_more_than_that(driver, folder):
    cells = [cell('a.jpg', 'BLA', 0.4, (), 'unsure'), cell('b', 'LYT', 0.9)]
    file = write(
        folder / 'all.html',
        cells,
        [0, 1, 0, 1, 0, 0],
        [0, 1, 0, 0, 0, 0],
    )
    page = Page(driver, file, cells)
    assert page.text('progress-text') == '0 of 1 doubtful cells checked'
    page.filter('corrected')
    page.filter(CLASSES.index('LYT'))
    page.card('b').click()
    page.keys(Keys.SPACE)
    assert page.text('status') == (
        'No doubtful cell that the filter shows is unchecked.'
    )
    page.filter('all')
    page.start().keys(Keys.ENTER, Keys.SPACE)
    assert page.text('status') == 'No doubtful cell is unchecked.'


@pytest.mark.slow
def test_intervals_once_all_cells_are_decided(driver, folder):
    cells = [
        cell('a.jpg', 'BLA', 0.4, (), 'unsure'),
        *(cell(f'{i}.jpg', 'NGS', 0.9) for i in range(6)),
        cell('e.jpg', 'EBO', 0.9, corrected='EBO'),
    ]
    counts, apart = [0, 1, 1, 0, 0, 6], [0, 1, 0, 0, 0, 0]
    page = Page(
        driver, write(folder / 'all.html', cells, counts, apart), cells
    )
    assert_figures(page, expected(counts, apart))
    page.start().keys(Keys.ENTER)
    page.filter(CLASSES.index('NGS'))
    page.card('0.jpg').click()
    page.keys(Keys.CONTROL + 'a')
    assert 'decided on 2 of the cells' in page.text('trust')
    page.keys(Keys.ENTER)
    done = expected(counts, [0] * 6, 8)
    assert page.text('trust') == done.trust == ALL_DECIDED
    assert done.me_low is not None
    assert_figures(page, done)
    page.keys('u')
    assert_figures(page, expected(counts, [0] * 6, 2))
    # The same, as the file is written and read.
    cells = [replace(x, corrected=x.code) for x in cells]
    page = Page(driver, write(folder / 'all.html', cells, counts, [0] * 6))
    assert page.text('trust') == ALL_DECIDED
    assert_figures(page, done)
    # A page that does not show all cells cannot have them all decided.
    more = [0, 1, 1, 0, 0, 7]
    page = Page(driver, write(folder / 'all.html', cells, more, [0] * 6))
    assert 'decided on 8 of the cells' in page.text('trust')
    assert_figures(page, expected(more, [0] * 6, 8))
