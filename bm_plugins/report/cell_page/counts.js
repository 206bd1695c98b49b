// Wilson's score interval, as bm_plugins/evaluation/functional/intervals.py has it.
function wilson(hits, total, z2) {
  const middle = (hits + z2 / 2) / (total + z2);
  const spread = hits * (total - hits) / Math.max(total, 1) + z2 / 4;
  const half = Math.sqrt(z2 * spread) / (total + z2);
  return [Math.max(middle - half, 0), Math.min(middle + half, 1)];
}

// The differential of counts, one of each class.
function differential(classes, counts, z2) {
  const sum = (wanted) => counts.reduce(
    (total, count, c) => total + (wanted(classes[c]) ? count : 0), 0);
  const total = sum((row) => row.counted);
  const myeloid = sum((row) => row.counted && row.group === 'myeloid');
  const erythroid = sum((row) => row.counted && row.group === 'erythroid');
  const rows = counts.map((count, c) => {
    if (!classes[c].counted || !total) return { count };
    const [low, high] = wilson(count, total, z2).map((end) => 100 * end);
    return { count, percent: 100 * count / total, low, high };
  });
  return {
    rows, total, leftOut: sum(() => true) - total,
    ratio: ratio(myeloid, erythroid, z2),
  };
}

// M:E with Wilson's interval of the myeloid share, as odds. Without an
// erythroid cell only the lower end is known, without any cell nothing.
function ratio(myeloid, erythroid, z2) {
  if (!(myeloid + erythroid)) return {};
  const [low, high] = wilson(myeloid, myeloid + erythroid, z2);
  if (!erythroid) return { low: low / (1 - low) };
  return {
    value: myeloid / erythroid, low: low / (1 - low), high: high / (1 - high),
  };
}

function ratioText({ value, low, high }) {
  if (low === undefined) return value === undefined ? '–' : value.toFixed(2);
  if (value === undefined) return `above ${low.toFixed(2)}`;
  return `${value.toFixed(2)} (${low.toFixed(2)}–${high.toFixed(2)})`;
}
