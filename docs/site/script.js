// Tables that can be sorted by a click on a head and filtered; without this script they are plain tables.
"use strict";

function key(row, column) {
  const cell = row.cells[column];
  return cell.dataset.value === undefined ? cell.textContent.trim() : Number(cell.dataset.value);
}

// Numbers come before text, whatever the direction: a dash is no small number.
function compare(a, b, direction) {
  if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
  const order = typeof a === "number" ? a - b : a.localeCompare(b, "en");
  return direction * order;
}

function sortBy(table, column, head) {
  const direction = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", direction === 1 ? "ascending" : "descending");
  const body = table.tBodies[0];
  const rows = [...body.rows];
  rows.sort((a, b) => compare(key(a, column), key(b, column), direction));
  body.append(...rows);
}

function makeSortable(table) {
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    button.addEventListener("click", () => sortBy(table, column, head));
    head.replaceChildren(button);
  });
}

function makeFilters(table) {
  const rows = [...table.tBodies[0].rows];
  const box = document.createElement("div");
  box.className = "filters";
  const words = document.createElement("input");
  words.type = "search";
  words.placeholder = "filter rows";
  words.setAttribute("aria-label", "Show rows with these words");
  const roles = document.createElement("select");
  roles.setAttribute("aria-label", "Show rows of a role");
  for (const role of ["all roles", ...new Set(rows.map((row) => row.dataset.role))]) {
    roles.append(new Option(role, role === "all roles" ? "" : role));
  }
  const count = document.createElement("span");
  count.setAttribute("role", "status");
  function show() {
    const asked = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      const fits = (!roles.value || row.dataset.role === roles.value) && asked.every((word) => text.includes(word));
      row.hidden = !fits;
      shown += fits ? 1 : 0;
    }
    count.textContent = `${shown} of ${rows.length} rows`;
  }
  words.addEventListener("input", show);
  roles.addEventListener("change", show);
  box.append(words, roles, count);
  table.closest(".scroll").before(box);
  show();
}

for (const table of document.querySelectorAll("table.sortable")) {
  makeSortable(table);
  if (table.dataset.roles) makeFilters(table);
}
