// Pictures as SVG text; colours are those of page.css, by class.

const fixed = (x) => x.toFixed(1);
const svg = (width, height, label, inner, more = "") =>
  `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${label}" ${more}>${inner}</svg>`;

// A curve for the agent as it is and one for the agent with changes, over a trial's steps.
export function drawCurves(base, changed, marks, horizon, label, width) {
  const [height, left, bottom, top] = [230, 46, 30, 12];
  const most = Math.max(...base, ...changed, 1e-9) * 1.05;
  const x = (t) => left + (t / horizon) * (width - left - 10), y = (v) => height - bottom - (v / most) * (height - bottom - top);
  const path = (values) => values.map((v, t) => `${t ? "L" : "M"}${fixed(x(t))} ${fixed(y(v))}`).join("");
  const ticks = [0, 0.5, 1].map((f) => f * most / 1.05).map((v) =>
    `<line class="grid" x1="${left}" x2="${width - 10}" y1="${fixed(y(v))}" y2="${fixed(y(v))}"/>` +
    `<text x="${left - 6}" y="${fixed(y(v) + 4)}" text-anchor="end">${v < 10 ? v.toFixed(2) : v.toFixed(0)}</text>`);
  const times = [0, Math.round(horizon / 2), horizon].map((t) =>
    `<text x="${fixed(x(t))}" y="${height - 12}" text-anchor="${t === horizon ? "end" : "middle"}">${t === horizon ? `step ${t}` : t}</text>`);
  const lines = marks.map((t) => `<line class="mark" x1="${fixed(x(t))}" x2="${fixed(x(t))}" y1="${top}" y2="${height - bottom}"/>`);
  const ends = [["base", base], ["changed", changed]].map(([name, values]) =>
    `<path class="curve ${name}" d="${path(values)}"/><circle class="end ${name}" cx="${fixed(x(values.length - 1))}" cy="${fixed(y(values.at(-1)))}" r="4"/>`);
  const now = (values) => values.at(-1).toPrecision(3);
  return svg(width, height, `${label}: with your changes ${now(changed)}, as it is ${now(base)}`, [...ticks, ...times, ...lines, ...ends].join(""));
}

// What is written against what is right, from low to high; without a target's line where it is a bar of worth.
export function drawOutputs(outputs, others, targets, low, kind, room) {
  const [height, top, bottom, left] = [230, 12, 36, 34], step = Math.max(14, Math.min(80, (room - left - 6) / outputs.length));
  const width = left + step * outputs.length + 6;
  const y = (v) => top + ((1 - v) / (1 - low)) * (height - top - bottom);
  const scale = [low, (1 + low) / 2, 1].map((v) =>
    `<line class="grid" x1="${left}" x2="${width}" y1="${y(v)}" y2="${y(v)}"/><text x="${left - 6}" y="${y(v) + 4}" text-anchor="end">${v}</text>`);
  const slots = outputs.map((value, i) => {
    const middle = left + step * (i + 0.5), wide = step * 0.36;
    const number = `<text x="${middle}" y="${height - 8}" text-anchor="middle">${i + 1}</text>`;
    if (kind === "bandit") {
      const bar = `<rect class="worth" x="${middle - wide}" width="${2 * wide}" y="${y(targets[i])}" height="${y(0) - y(targets[i])}"/>`;
      const pulled = value ? `<circle class="dot changed" cx="${middle}" cy="${y(targets[i])}" r="7"/>` : "";
      const other = others[i] ? `<circle class="dot base" cx="${middle}" cy="${y(targets[i])}" r="11"/>` : "";
      return bar + other + pulled + number;
    }
    return `<line class="target" x1="${middle - wide}" x2="${middle + wide}" y1="${fixed(y(targets[i]))}" y2="${fixed(y(targets[i]))}"/>` +
      `<line class="miss" x1="${middle}" x2="${middle}" y1="${fixed(y(targets[i]))}" y2="${fixed(y(value))}"/>` +
      `<circle class="dot base" cx="${middle}" cy="${fixed(y(others[i]))}" r="7"/><circle class="dot changed" cx="${middle}" cy="${fixed(y(value))}" r="5"/>${number}`;
  });
  const told = outputs.map((v, i) => `${i + 1}: ${v.toFixed(2)}, right ${targets[i].toFixed(2)}`).join("; ");
  return svg(width, height, told, [...scale, ...slots].join(""));
}

// Experts in a ring; a line from a speaker to a listener, as thick as the attention that it gets there.
export function drawEars(trial, chosen) {
  const size = 360, middle = size / 2, n = trial.experts, ring = n === 1 ? 0 : 135, radius = n > 12 ? 13 : 19;
  const place = (i) => { const a = (2 * Math.PI * i) / n - Math.PI / 2; return [middle + ring * Math.cos(a), middle + ring * Math.sin(a)]; };
  const lines = [];
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      const attention = trial.record ? trial.record.attention[i][j] : 0;
      const open = trial.talk.edges[i][j] && trial.talk.speaks[j] && trial.talk.hears[i];
      if (i === j || !open || (n > 8 && attention < 0.03)) continue;
      const [x1, y1] = place(j), [x2, y2] = place(i), far = Math.hypot(x2 - x1, y2 - y1) || 1;
      const [ux, uy] = [(x2 - x1) / far, (y2 - y1) / far], bend = 14;
      const [cx, cy] = [(x1 + x2) / 2 - uy * bend, (y1 + y2) / 2 + ux * bend], end = radius + 3;
      const on = chosen === i || chosen === j ? " near" : "";
      lines.push(`<path class="ear${on}" style="stroke-width:${(0.6 + 9 * attention).toFixed(2)};opacity:${(0.18 + 0.75 * attention).toFixed(2)}" ` +
        `d="M${fixed(x1 + ux * end)} ${fixed(y1 + uy * end)}Q${fixed(cx)} ${fixed(cy)} ${fixed(x2 - ux * end)} ${fixed(y2 - uy * end)}"/>` +
        `<circle class="tip${on}" cx="${fixed(x2 - ux * end)}" cy="${fixed(y2 - uy * end)}" r="${(2 + 5 * attention).toFixed(1)}"/>`);
    }
  }
  const experts = trial.names.map((name, i) => {
    const [x, y] = place(i), mute = trial.talk.speaks[i] ? "" : " mute", deaf = trial.talk.hears[i] ? "" : " deaf";
    return `<g class="expert${i === chosen ? " chosen" : ""}${mute}${deaf}" data-do="choose" data-expert="${i}"><circle cx="${fixed(x)}" cy="${fixed(y)}" r="${radius}"/>` +
      `<text x="${fixed(x)}" y="${fixed(y + 5)}" text-anchor="middle">${name + 1}</text></g>`;
  });
  return svg(size, size, "Experts in a ring; lines from speakers to listeners, as thick as attention", [...lines, ...experts].join(""));
}

// Numbers as a row of cells: one colour below 0, one above, stronger further from 0.
export function drawStrip(values, label) {
  const most = Math.max(1, ...values.map(Math.abs));
  const cells = values.map((v, i) =>
    `<rect class="${v < 0 ? "below" : "above"}" x="${i}" width="1.02" height="1" style="opacity:${(Math.abs(v) / most).toFixed(3)}"/>`);
  return svg(values.length || 1, 1, label, cells.join(""), 'class="strip" preserveAspectRatio="none"');
}
