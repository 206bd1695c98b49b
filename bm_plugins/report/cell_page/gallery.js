// The cells as list boxes, one a section; one cell at a time has the focus.
// Rows come in chunks, of which the browser lays out those near the screen.
const ROWS = 6;
const PRINTED = 160;  // doubtful cells of a kind on paper

function makeGallery(data, store, onSelect) {
  const { cells, classes, sections } = data;
  const { makeCard, renderCard } = makeCards(data, store);
  const root = document.getElementById('gallery');
  const cards = [];
  const lists = [];
  let order = [];  // cells that the filter shows, as on the page
  let place = [];  // where each of them stands there
  let current = null, anchor = null;
  let selection = new Set();
  let columns = 0;

  // Pictures are decoded where they come near the screen.
  const near = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      near.unobserve(target);
      target.childNodes.forEach(load);
    }
  }, { rootMargin: '1000px' });

  function load(card) {
    const { picture } = cells[card.dataset.cell];
    if (!card.firstChild.src) card.firstChild.src = picture;
  }

  const render = (i) => renderCard(cards[i], i,
    { selected: selection.has(i), current: i === current });

  function build() {
    sections.forEach((section, s) => {
      // Sections of the same flag share what there is room for.
      const alike = sections.filter(({ flag }) => flag === section.flag);
      // Whole rows.
      const printed = 8 * Math.max(Math.floor(PRINTED / alike.length / 8), 1);
      const list = element('div', { className: 'list' });
      list.setAttribute('role', 'listbox');
      list.setAttribute('aria-multiselectable', 'true');
      list.setAttribute('aria-labelledby', `section-${s}`);
      for (const [at, i] of section.cells.entries()) {
        cards[i] = makeCard(i);
        cards[i].dataset.list = s;
        if (at >= printed) cards[i].dataset.beyond = '';
        render(i);
        // These come on paper, so from the start.
        if (cells[i].flag || store.decided(i)) load(cards[i]);
      }
      const title = element('h3', { id: `section-${s}` });
      const box = element('section', {}, title, list);
      if (section.flag && section.cells.length > printed) {
        box.append(element('p', {
          className: 'paper',
          textContent: `On paper: the first ${printed}, and what was corrected.`,
        }));
      }
      box.setAttribute('aria-labelledby', title.id);
      lists.push({ box, list, title, section });
      root.append(box);
    });
  }

  // How many of the two kinds of doubtful cells are not here is not known.
  function titleOf({ flag, code, total }, count) {
    const parts = [];
    if (flag === 'unsure') parts.push('Doubtful: unsure between classes');
    if (flag === 'unlike') parts.push('Doubtful: unlike the known cells');
    if (code !== null) parts.push(classes[code].title);
    parts.push(count >= total ? cellsText(count)
      : flag && data.unseen ? `${digits(count)} of all ${digits(total)} doubtful cells`
      : `${digits(count)} of ${digits(total)} shown`);
    return parts.join(', ');
  }

  // Cells stay where they are until the filter is set again.
  function filter(wanted) {
    order = [];
    for (const entry of lists) {
      entry.shown = entry.section.cells.filter(wanted);
      entry.first = order.length;
      entry.count = entry.shown.length;
      entry.box.hidden = !entry.count;
      entry.title.textContent = titleOf(entry.section, entry.count);
      order.push(...entry.shown);
    }
    place = [];
    order.forEach((i, at) => { place[i] = at; });
    if (columns) arrange();
    if (place[current] === undefined) select(order[0] ?? null);
  }

  // As many columns as there is room for.
  function measure(width) {
    const style = getComputedStyle(root);
    const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    const [least, gap] = ['--card', '--gap'].map(
      (name) => rem * parseFloat(style.getPropertyValue(name)));
    const fit = Math.max(Math.floor((width + gap) / (least + gap)), 1);
    if (fit === columns) return;
    columns = fit;
    root.style.setProperty('--columns', columns);
    arrange();
  }

  function arrange() {
    const focus = document.activeElement;
    near.disconnect();
    for (const { list, shown } of lists) {
      const chunks = [];
      for (let at = 0; at < shown.length; at += ROWS * columns) {
        const members = shown.slice(at, at + ROWS * columns);
        const chunk = element('div', { className: 'chunk' },
          ...members.map((i) => cards[i]));
        chunk.setAttribute('role', 'none');
        chunk.style.setProperty('--rows', Math.ceil(members.length / columns));
        near.observe(chunk);
        chunks.push(chunk);
      }
      list.replaceChildren(...chunks);
    }
    if (focus.isConnected) focus.focus({ preventScroll: true });
  }

  function mark(next) {
    const both = new Set([...selection, ...next]);
    selection = next;
    for (const i of both) {
      cards[i].classList.toggle('selected', selection.has(i));
      cards[i].setAttribute('aria-selected', selection.has(i));
    }
  }

  // How: 'range' from the anchor, 'add' or take away, 'one' by default. Where
  // a cell is taken away, the last of the others is the current one.
  function select(i, { how = 'one', focus = false } = {}) {
    if (current !== null) {
      cards[current].tabIndex = -1;
      cards[current].classList.remove('current');
    }
    const rest = how === 'add' && selection.has(i)
      ? order.filter((j) => j !== i && selection.has(j)) : [];
    if (rest.length) i = rest.at(-1);
    current = i;
    if (i === null) return mark(new Set()), onSelect();
    if (how === 'range') {
      const [a, b] = [place[anchor] ?? place[i], place[i]];
      mark(new Set(order.slice(Math.min(a, b), Math.max(a, b) + 1)));
    } else {
      anchor = i;
      mark(new Set(rest.length ? rest : how === 'add' ? [...selection, i] : [i]));
    }
    cards[i].tabIndex = 0;
    cards[i].classList.add('current');
    if (focus) cards[i].focus();
    onSelect();
  }

  function selectSection() {
    const { first, count } = lists[cards[current].dataset.list];
    mark(new Set(order.slice(first, first + count)));
    onSelect();
  }

  // The cell that a key leads to.
  function neighbour(key) {
    const at = place[current], s = +cards[current].dataset.list;
    const { first, count } = lists[s];
    const shown = lists.filter((entry) => entry.count);
    const here = shown.indexOf(lists[s]);
    const before = shown[here - 1], after = shown[here + 1];
    if (key === 'ArrowLeft') return order[at - 1];
    if (key === 'ArrowRight') return order[at + 1];
    if (key === 'Home') return order[first];
    if (key === 'End') return order[first + count - 1];
    if (key === 'PageUp') return before && order[before.first];
    if (key === 'PageDown') return after && order[after.first];
    const column = (at - first) % columns;
    if (key === 'ArrowUp') {
      if (at - columns >= first) return order[at - columns];
      if (!before) return undefined;
      const row = Math.floor((before.count - 1) / columns) * columns;
      return order[before.first + Math.min(row + column, before.count - 1)];
    }
    const lastRow = Math.floor((count - 1) / columns) * columns;
    if (at - first < lastRow) {
      return order[Math.min(at + columns, first + count - 1)];
    }
    return after && order[after.first + Math.min(column, after.count - 1)];
  }

  // The next doubtful cell that nobody decided on, and round; perhaps this.
  function nextDoubtful({ orThis = false } = {}) {
    const from = (place[current] ?? -1) + (orThis ? 0 : 1);
    return [...order.slice(from), ...order.slice(0, from)].find(
      (i) => cells[i].flag && !store.decided(i));
  }

  // Paper gets the doubtful and corrected cells, whatever the filter shows.
  let shownBefore;
  addEventListener('beforeprint', () => {
    shownBefore = new Set(order);
    filter(() => true);
  });
  addEventListener('afterprint', () => filter((i) => shownBefore.has(i)));

  build();
  new ResizeObserver(([entry]) => measure(entry.contentRect.width))
    .observe(root);
  return {
    root, render, filter, select, selectSection,
    neighbour, nextDoubtful, load: (i) => load(cards[i]),
    current: () => current,
    selected: () => order.filter((i) => selection.has(i)),
    shows: (i) => place[i] !== undefined,
    size: () => order.length,
    after: (i) => order[place[i] + 1],
  };
}
