// The differential and the progress, on the page.
function makeFigures(data, store) {
  const { cells, classes } = data;
  const get = (id) => document.getElementById(id);
  const doubtful = cells.flatMap((cell, i) => cell.flag ? [i] : []);

  function set(row, field, text, value) {
    const cell = row.querySelector(`[data-field=${field}]`);
    cell.textContent = text;
    if (value === undefined) delete cell.dataset.value;
    else cell.dataset.value = value;
  }

  const checked = () => doubtful.filter(store.decided).length;
  // Else the number is not that of the table.
  const uncounted = () => {
    const out = doubtful.filter((i) =>
      !store.decided(i) && !classes[store.label(i)].counted).length;
    return out ? `; ${digits(out)} of the unchecked left out of the count` : '';
  };
  const here = data.unseen ? ' on this page' : '';
  const progress = () => `${digits(checked())} of ${digits(doubtful.length)} `
    + `doubtful cells${here} checked${uncounted()}`;
  const unseen = () => !data.unseen ? '' : `; ${digits(data.unseen)} more `
    + `${data.unseen === 1 ? 'is' : 'are'} not shown (predict.py --report-cells)`;
  // Why there is no next one.
  const noneLeft = () => checked() < doubtful.length
    ? 'No doubtful cell that the filter shows is unchecked.'
    : `No doubtful cell${here} is unchecked${unseen()}.`;

  const rows = [...document.querySelectorAll('tr[data-class]')];

  function showCounts() {
    const counts = store.counts();
    const result = differential(classes, counts.found, data.z2);
    const complete = data.whole && cells.every((_, i) => store.decided(i));
    document.body.classList.toggle('complete', complete);
    if (!complete) result.ratio = { value: result.ratio.value };
    for (const row of rows) {
      const c = row.dataset.class;
      const { count, percent, low, high } = result.rows[c];
      const none = percent === undefined;
      const bare = none || !complete;
      set(row, 'count', count);
      set(row, 'doubtful', counts.doubtful[c]);
      set(row, 'percent', none ? '–' : percent.toFixed(1), percent);
      set(row, 'interval', bare ? '–'
        : `${low.toFixed(1)}–${high.toFixed(1)}`, bare ? undefined
        : `${low} ${high}`);
    }
    get('total').textContent = result.total;
    get('left-out').textContent = result.leftOut;
    get('doubtful').textContent = counts.doubtful.reduce(
      (sum, count, c) => sum + (classes[c].counted ? count : 0), 0);
    get('corrected').textContent =
      cells.reduce((sum, _, i) => sum + store.changed(i), 0);
    if (data.ratio) {
      const { value, low, high } = result.ratio;
      get('me').textContent = ratioText(result.ratio);
      get('me').dataset.value = [value, low, high].join(' ');
    }
    showWarnings(result.total);
    showTrust(complete);
    const done = checked();
    get('progress-bar').max = Math.max(doubtful.length, 1);
    get('progress-bar').value = done;
    get('progress-text').textContent = progress() + unseen();
    get('start').disabled = done === doubtful.length;
    get('undo').disabled = !store.canUndo();
    return result;
  }

  // The warnings were written before the corrections of this page.
  function showWarnings(total) {
    const few = total < data.precise && data.total >= data.precise;
    get('too-few').hidden = !few;
    get('too-few').textContent = `With your corrections only ${total} cells are `
      + `counted; ICSH asks for at least ${data.precise}.`;
    const made = store.decisions().length;
    get('since').hidden = !made;
    document.body.classList.toggle('corrected', made > 0);
    get('since').textContent = 'These are the warnings of the report as it was '
      + `written. Checked here since: ${made} ${made === 1 ? 'cell' : 'cells'}.`;
    get('warnings').hidden = !data.warnings && !few;
  }

  // As trust() in bm_plugins/report/differential/notes.py.
  function showTrust(complete) {
    const made = cells.filter((_, i) => store.decided(i)).length;
    const { written, all, some } = data.trust;
    get('trust').textContent = !store.decisions().length ? written
      : complete ? all : some.replace('{}', digits(made));
    get('trust').hidden = !get('trust').textContent;
  }

  function share(result, c) {
    const { count, percent } = result.rows[c];
    const text = `${classes[c].code} ${count}`;
    return percent === undefined ? text : `${text}, ${percent.toFixed(1)} %`;
  }

  return { show: showCounts, share, progress, noneLeft };
}
