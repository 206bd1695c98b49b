const COLUMNS = ['path', 'label', 'split', 'predicted'];

// RFC 4180. Names are kept as they are, for they are read back.
function writeCsv(rows) {
  const quoted = (value) => /[",\r\n]/.test(value)
    ? '"' + value.replaceAll('"', '""') + '"' : value;
  return rows.map((row) => row.map(quoted).join(',') + '\n').join('');
}

// Between columns stand commas or, as Excel writes in many countries,
// semicolons, or tabs: the first line, of names without any, tells. Blank rows
// and padding are what a spreadsheet adds.
function readCsv(text) {
  const rows = [];
  let row = [], value = '', inside = false;
  const endRow = () => {
    row = [...row, value].map((cell) => cell.trim());
    if (row.some(Boolean)) rows.push(row);
    row = []; value = '';
  };
  text = text.replace(/^\ufeff/, '').replace(/^"?sep=.[^\n]*\n/i, '');
  const between = /^[^,;\t\n]*([;\t])/.exec(text)?.[1] ?? ',';
  for (let at = 0; at < text.length; at++) {
    const letter = text[at];
    if (inside) {
      if (letter !== '"') value += letter;
      else if (text[at + 1] === '"') value += text[++at];
      else inside = false;
    } else if (letter === '"' && !value) inside = true;
    else if (letter === between) { row.push(value); value = ''; }
    else if (letter === '\n') endRow();
    else if (letter === '\r' && (text[at + 1] ?? '\n') === '\n') continue;
    else value += letter;
  }
  if (row.length || value) endRow();
  return rows;
}

// "Bone-marrow differential: patient_7" gives corrections_patient_7.csv.
function fileName(title) {
  const folder = title.split(': ').slice(1).join(' ')
    .replace(/[^\p{L}\p{N}.-]+/gu, '_').replace(/^[._]+|[._]+$/g, '');
  return ['corrections', folder.slice(0, 60)].filter(Boolean).join('_') + '.csv';
}
