// The selected cell in large, and the classes that it can be given.
function makePanel(data, store, gallery, choose) {
  const { cells, classes } = data;
  const get = (id) => document.getElementById(id);
  const picker = get('picker');
  // As in the table: by group, those that are not counted last.
  const order = [...document.querySelectorAll('tr[data-class]')].map(
    (row) => +row.dataset.class);
  const options = [];
  let typed = '';

  order.forEach((c, at) => {
    const option = document.createElement('div');
    option.setAttribute('role', 'option');
    option.dataset.class = c;
    for (const name of ['kbd', 'b', 'span', 'i']) {
      option.append(document.createElement(name));
    }
    option.children[1].textContent = classes[c].code;
    const own = classes[c].name !== classes[c].code;
    option.children[2].textContent = own ? classes[c].name : '';
    option.tabIndex = -1;
    const { group, counted } = classes[c], above = classes[order[at - 1]];
    option.classList.toggle('first', above !== undefined
      && (above.group !== group || above.counted !== counted));
    options[c] = option;
    picker.append(option);
  });

  const name = (c) => classes[c].title;
  const candidates = () => {
    const i = gallery.current();
    return i === null ? [] : cells[i].set.slice(0, 9);
  };

  function showCell() {
    const i = gallery.current(), several = gallery.selected().length;
    get('card').hidden = i === null;
    get('confirm').disabled = i === null;
    typed = '';
    if (i === null) return;
    const { path, picture, code, confidence, set, flag } = cells[i];
    get('picture').src = picture;
    get('now').textContent = several > 1
      ? `${several} cells selected` : name(store.label(i));
    get('suggested').textContent =
      `suggested ${classes[code].code}, ${rounded(confidence)}`;
    const among = set.slice(0, 9).map((c, at) => `${at + 1} ${classes[c].code}`);
    get('doubt').textContent = flag === 'unlike' ? 'unlike the known cells'
      : flag && among.length ? `unsure: ${among.join(', ')}` : flag;
    get('path').textContent = path;
    const now = store.label(i), keys = candidates();
    options.forEach((option, c) => {
      const key = keys.indexOf(c);
      option.children[0].textContent = key < 0 ? '' : key + 1;
      option.setAttribute('aria-selected', c === now);
      option.tabIndex = c === now ? 0 : -1;
    });
  }

  function showCounts({ rows, total, ratio }) {
    const sides = data.ratio ? ` · M:E ${ratioText(ratio)}` : '';
    get('live').textContent = `${total} counted${sides}`;
    rows.forEach(({ count, percent }, c) => {
      const share = percent === undefined ? '' : `, ${percent.toFixed(1)} %`;
      options[c].children[3].textContent = percent === undefined
        ? `${count}` : `${count} · ${percent.toFixed(1)} %`;
      options[c].setAttribute('aria-label',
        `${classes[c].title}: ${count}${share}`);
    });
  }

  const matches = (text) => options.map((_, c) => c).filter(
    (c) => classes[c].code.toLowerCase().startsWith(text.toLowerCase()));

  function setTyped(text) {
    typed = text;
    if (!text) return;
    const codes = matches(text).map((c) => classes[c].code).join(', ');
    say(`${text.toUpperCase()}…  ${codes}`);
  }

  function say(text) {
    get('status').textContent = text;
    get('status').classList.toggle('typed', typed !== '');
  }

  // A code in full is chosen at once, unless a longer one begins with it.
  function type(letter) {
    const text = typed + letter, found = matches(text);
    if (!found.length) {
      say(`No class begins with ${text.toUpperCase()}.`);
    } else if (found.length === 1
      && classes[found[0]].code.length === text.length) {
      setTyped('');
      choose(found[0]);
    } else setTyped(text);
  }

  // Enter after letters: the one class that they begin, or that they are.
  function enter() {
    const found = matches(typed);
    const exact = found.filter((c) => classes[c].code.length === typed.length);
    const one = exact[0] ?? (found.length === 1 ? found[0] : undefined);
    if (one === undefined) {
      return say(`${found.length} classes begin with ${typed.toUpperCase()}.`);
    }
    setTyped('');
    choose(one);
  }

  picker.addEventListener('click', (event) => {
    const option = event.target.closest('[data-class]');
    if (option) choose(+option.dataset.class);
  });
  picker.addEventListener('keydown', (event) => {
    const at = order.indexOf(+event.target.dataset.class);
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) options[order.at((at + step) % order.length)].focus();
    else if (event.key === 'Enter') choose(+event.target.dataset.class);
    else return;
    event.preventDefault();
  });

  return {
    showCell, showCounts, say, type, enter, candidates,
    typed: () => typed,
    clear: () => { setTyped(''); say(''); },
    erase: () => { say(''); setTyped(typed.slice(0, -1)); },
    starts: (letter) => matches(letter).length > 0,
  };
}
