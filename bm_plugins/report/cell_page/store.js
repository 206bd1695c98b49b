// What a person decided: class by cell, each step undone, kept in the browser
// with what the page's file said of the cell: where that has changed since,
// the file is newer, and the decision is forgotten.
function makeStore(data, trouble) {
  const { cells, classes } = data;
  const key = `bm-report:${data.digest}`;
  const decisions = new Map();
  const steps = [];

  const label = (i) => decisions.get(i) ?? cells[i].corrected ?? cells[i].code;
  const decided = (i) => decisions.has(i) || cells[i].corrected !== null;
  const valid = (i, c) => cells[i] !== undefined && classes[c] !== undefined;

  function load() {
    decisions.clear();
    steps.length = 0;
    try {
      const kept = JSON.parse(localStorage.getItem(key) ?? '{}');
      for (const [i, { to, on }] of Object.entries(kept)) {
        if (valid(+i, to) && on === cells[i].corrected) decisions.set(+i, to);
      }
    } catch (error) {
      trouble(error);
    }
  }

  function save() {
    try {
      const kept = Object.fromEntries([...decisions].map(
        ([i, to]) => [i, { to, on: cells[i].corrected }]));
      if (decisions.size) localStorage.setItem(key, JSON.stringify(kept));
      else localStorage.removeItem(key);
      trouble(null);
    } catch (error) {
      trouble(error);
    }
  }

  const put = ([i, c]) => c === undefined
    ? decisions.delete(i) : decisions.set(i, c);

  // Changes are pairs of a cell and its class, undefined for none.
  function apply(changes) {
    steps.push(changes.map(([i]) => [i, decisions.get(i)]));
    changes.forEach(put);
    save();
  }

  function undo() {
    const step = steps.pop();
    if (!step) return null;
    step.forEach(put);
    save();
    return step.map(([i]) => i);
  }

  function counts() {
    const found = classes.map((row) => row.count);
    const doubtful = classes.map((row) => row.doubtful);
    for (const [i, c] of decisions) {
      found[cells[i].corrected ?? cells[i].code] -= 1;
      found[c] += 1;
      if (cells[i].flag && cells[i].corrected === null) {
        doubtful[cells[i].code] -= 1;
      }
    }
    return { found, doubtful };
  }

  return {
    key, load, apply, undo, label, decided, counts,
    changed: (i) => label(i) !== cells[i].code,
    canUndo: () => steps.length > 0,
    decisions: () => [...decisions.keys()],
    decidedHere: (i) => decisions.has(i),
  };
}
