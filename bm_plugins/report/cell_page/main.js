const get = (id) => document.getElementById(id);
const data = JSON.parse(get('data').textContent);
const { cells, classes } = data;

const store = makeStore(data, (error) => {
  unsaved = error !== null;
  get('trouble').hidden = !error;
  get('trouble').textContent = error ? 'This browser cannot keep the '
    + `corrections (${error.name}). They last until the page is closed: `
    + 'export them before.' : '';
});
let unsaved = false;
store.load();
const gallery = makeGallery(data, store, () => panel.showCell());
const panel = makePanel(data, store, gallery, decide);
const figures = makeFigures(data, store);

function refresh(changed) {
  for (const i of changed) {
    gallery.render(i);
    gallery.load(i);
  }
  const result = figures.show();
  panel.showCounts(result);
  panel.showCell();
  return result;
}

// To class c, or without one to the class that is shown.
function decide(c) {
  const chosen = gallery.selected();
  if (!chosen.length) return;
  const last = chosen.at(-1);
  const before = store.label(last);
  const changes = chosen.map((i) => [i, c ?? store.label(i)]).filter(
    ([i, next]) => !store.decided(i) || store.label(i) !== next);
  if (changes.length) store.apply(changes);
  const result = refresh(changes.map(([i]) => i));
  const now = store.label(last);
  const what = chosen.length > 1 ? `${chosen.length} cells decided`
    : now === before ? `${classes[now].code} confirmed`
    : `${classes[before].code} → ${classes[now].code}`;
  const next = cells[last].flag ? gallery.nextDoubtful() : gallery.after(last);
  gallery.select(next ?? last, { focus: true });
  const counts = [...new Set([before, now])].map((k) => figures.share(result, k));
  panel.say(`${what}. ${counts.join('; ')}. ${figures.progress()}.`);
}

function undo() {
  const undone = store.undo();
  if (!undone) return panel.say('Nothing to undo.');
  refresh(undone);
  if (gallery.shows(undone[0])) gallery.select(undone[0], { focus: true });
  panel.say(undone.length > 1 ? `${undone.length} cells undone.` : 'Undone.');
}

function clear() {
  const chosen = gallery.selected();
  const changes = chosen.filter(store.decidedHere).map((i) => [i, undefined]);
  const kept = chosen.some((i) => store.decided(i) && !store.decidedHere(i));
  if (changes.length) store.apply(changes);
  refresh(changes.map(([i]) => i));
  const said = changes.length ? ['Taken back.'] : [];
  if (kept) said.push('Corrected in the file; choose another class instead.');
  panel.say(said.join(' ') || 'Nothing to take back.');
}

const filters = {
  all: () => true,
  doubtful: (i) => cells[i].flag,
  open: (i) => cells[i].flag && !store.decided(i),
  corrected: store.changed,
  confirmed: (i) => store.decided(i) && !store.changed(i),
};

function filter() {
  const wanted = get('filter').value;
  gallery.filter(filters[wanted] ?? ((i) => store.label(i) === +wanted));
  get('none').hidden = gallery.size() > 0;
  panel.say(`${gallery.size()} cells shown.`);
}

function goToDoubtful(how) {
  const next = gallery.nextDoubtful(how);
  if (next === undefined) return panel.say(figures.noneLeft());
  gallery.select(next, { focus: true });
}

function exportCsv() {
  const decided = cells.flatMap(({ path, code }, i) => store.decided(i)
    ? [[path, classes[store.label(i)].code, 'train', classes[code].code]] : []);
  if (!decided.length) {
    return panel.say('Nothing to export: no cell is confirmed or changed yet.');
  }
  const text = writeCsv([COLUMNS, ...decided]);
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([text], { type: 'text/csv' }));
  link.download = fileName(document.title);
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  panel.say(`${cellsText(decided.length)} written to ${link.download}.`);
}

async function importCsv() {
  const [file] = get('file').files;
  if (!file) return;
  const [header = [], ...lines] = readCsv(await file.text());
  get('file').value = '';
  const names = header.map((name) => name.toLowerCase());
  const [path, label, , predicted] = COLUMNS.map((name) => names.indexOf(name));
  if (path < 0 || label < 0) {
    return panel.say(`${file.name}: expected the columns ${COLUMNS.join(',')}, `
      + `found ${header.join(',') || 'nothing'}. Nothing was read.`);
  }
  const byPath = new Map(cells.map((cell, i) => [cell.path, i]));
  const byCode = new Map(classes.map((row, c) => [row.code, c]));
  // The model's suggestion tells whether the file is of these predictions.
  const other = lines.filter((line) => {
    const cell = cells[byPath.get(line[path])];
    return cell && line[predicted] && line[predicted] !== classes[cell.code].code;
  });
  if (other.length) {
    return panel.say(`${file.name}: ${other.length} of ${lines.length} rows have `
      + 'another predicted class than this report, so the file is most likely '
      + 'of another one. Nothing was read.');
  }
  const found = lines.map(
    (line) => [byPath.get(line[path]), byCode.get(line[label])]);
  const changes = found.filter(([i, c]) => i !== undefined && c !== undefined);
  if (changes.length) store.apply(changes);
  refresh(changes.map(([i]) => i));
  const strange = found.filter(([i]) => i === undefined).length;
  const unknown = found.length - strange - changes.length;
  panel.say(`${cellsText(changes.length)} read from ${file.name}`
    + (strange ? `; ${strange} not on this page` : '')
    + (unknown ? `; ${unknown} of a class that the model lacks` : '') + '.');
}

function reset() {
  const changes = store.decisions().map((i) => [i, undefined]);
  if (!changes.length) {
    const before = cells.filter(({ corrected }) => corrected !== null).length;
    return panel.say('Nothing to take back.' + (before ? ` ${cellsText(before)} `
      + 'corrected in the file; choose another class instead.' : ''));
  }
  const many = cellsText(changes.length);
  if (!confirm(`Take back what was decided on ${many}?`)) return;
  store.apply(changes);
  refresh(changes.map(([i]) => i));
  panel.say(`${many} taken back.`);
}

const help = () => get('help').showModal();

function onKey(event) {
  const { key } = event;
  if (gallery.current() === null || event.altKey) return;
  if (event.ctrlKey || event.metaKey) {
    if (key.toLowerCase() !== 'a') return;
    gallery.selectSection();
  } else if (/^(Arrow|Home|End|Page)/.test(key)) {
    const next = gallery.neighbour(key);
    if (next !== undefined) {
      const how = event.shiftKey ? 'range' : 'one';
      gallery.select(next, { how, focus: true });
    }
  } else if (key === 'Enter') panel.typed() ? panel.enter() : decide();
  else if (key === ' ') goToDoubtful();
  else if (key === 'Delete') clear();
  else if (key === 'Backspace') panel.erase();
  else if (key === 'Escape') {
    panel.typed() ? panel.clear() : gallery.select(gallery.current());
  } else if (key === '?') help();
  else if (key.length !== 1) return;
  else if (!panel.typed() && panel.candidates()[key - 1] !== undefined) {
    decide(panel.candidates()[key - 1]);
  } else if (key === 'u' && !panel.typed() && !panel.starts('u')) undo();
  else panel.type(key);
  event.preventDefault();
}

function onClick(event) {
  const card = event.target.closest('[data-cell]');
  if (!card) return;
  const how = event.shiftKey ? 'range'
    : event.ctrlKey || event.metaKey ? 'add' : 'one';
  gallery.select(+card.dataset.cell, { how, focus: true });
}

gallery.root.addEventListener('keydown', onKey);
gallery.root.addEventListener('click', onClick);
document.addEventListener('keydown', (event) => {
  const undoes = (event.ctrlKey || event.metaKey) && !event.shiftKey
    && event.key.toLowerCase() === 'z';
  if (!undoes || get('help').open) return;
  event.preventDefault();
  undo();
});
const onClicks = {
  start: () => {
    get('work').scrollIntoView();
    goToDoubtful({ orThis: true });
  },
  export: exportCsv, reset, keys: help, undo,
  confirm: () => decide(), import: () => get('file').click(),
  more: () => {
    const open = get('picker').classList.toggle('open');
    get('more').setAttribute('aria-expanded', open);
  },
};
for (const [id, action] of Object.entries(onClicks)) {
  get(id).addEventListener('click', action);
}
get('file').addEventListener('change', importCsv);
get('filter').addEventListener('change', filter);
// The same report in another window.
addEventListener('storage', (event) => {
  if (event.key !== store.key) return;
  store.load();
  refresh(cells.keys());
});
addEventListener('beforeunload', (event) => {
  if (unsaved && store.decisions().length) event.preventDefault();
});

get('undo-key').hidden = panel.starts('u');
get('work').hidden = false;
filter();
refresh(store.decisions());
panel.say('');
