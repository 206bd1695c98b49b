function element(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

const rounded = (share) => share >= 0.995 ? '>99\u00a0%'
  : `${Math.round(100 * share)}\u00a0%`;

const digits = (count) => count.toLocaleString('en-US');
const cellsText = (count) => count === 1 ? '1 cell' : `${digits(count)} cells`;

// One cell of the gallery: its picture, class, confidence and state.
function makeCards(data, store) {
  const { cells, classes } = data;

  function makeCard(i) {
    const picture = element('img', { alt: '', decoding: 'async' });
    const card = element('div', { tabIndex: -1 }, picture,
      element('b'), element('span'), element('i'));
    card.setAttribute('role', 'option');
    card.setAttribute('aria-selected', 'false');
    card.dataset.cell = i;
    return card;
  }

  function describe(i) {
    const { code, confidence, flag } = cells[i];
    const name = classes[store.label(i)].name;
    const state = !store.decided(i) ? rounded(confidence)
      : store.changed(i) ? `corrected from ${classes[code].name}`
      : 'confirmed';
    return `${name}, ${state}` + (flag && `, ${flag}`);
  }

  function renderCard(card, i, { selected, current }) {
    const { code, confidence, flag } = cells[i];
    const changed = store.changed(i), confirmed = store.decided(i) && !changed;
    const [, name, sure, state] = card.children;
    name.textContent = classes[store.label(i)].code;
    sure.textContent = rounded(confidence);
    state.textContent = changed ? `was ${classes[code].code}`
      : confirmed ? '✓ confirmed' : flag;
    card.className = 'cell';
    const states = { doubtful: flag, changed, confirmed, selected, current };
    for (const [word, holds] of Object.entries(states)) {
      card.classList.toggle(word, Boolean(holds));
    }
    card.setAttribute('aria-label', describe(i));
  }

  return { makeCard, renderCard };
}
