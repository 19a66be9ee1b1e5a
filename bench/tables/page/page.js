"use strict";
// Sorting, filters and the record behind a figure. The tables are complete without it.
const all = (selector, root = document) => [...root.querySelectorAll(selector)];

function sortBy(table, index, button) {
  const head = button.closest("th");
  const ascending = head.getAttribute("aria-sort") === "descending";
  all("th[aria-sort]", table).forEach((other) => other.removeAttribute("aria-sort"));
  head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
  for (const body of table.tBodies) {
    const rows = [...body.rows].filter((row) => !row.classList.contains("block"));
    const value = (row) => row.cells[index].dataset.value ?? row.cells[index].textContent;
    const isNumber = head.dataset.kind === "number";
    rows.sort((a, b) => {
      const [x, y] = [value(a), value(b)];
      if (!isNumber) return ascending ? x.localeCompare(y) : y.localeCompare(x);
      // What is not there comes last in either direction.
      if (x === "" || y === "") return (x === "") - (y === "");
      return ascending ? x - y : y - x;
    });
    rows.forEach((row) => body.append(row));
  }
}

function filter() {
  const chosen = (name) => document.getElementById(`filter-${name}`).value;
  const [model, task, method] = ["model", "task", "method"].map(chosen);
  const words = method.toLowerCase();
  // Columns say cola, blocks and figures of one task glue/cola; what is of no single task stays.
  const sameTask = (name) => !task || !name || name === task || name.endsWith(`/${task}`);
  const fits = ({ ofModel, ofTask }) => (!model || ofModel === model) && sameTask(ofTask);
  for (const row of all("tr[data-method]")) {
    row.hidden = !fits(row.dataset) || Boolean(words && !row.dataset.words.toLowerCase().includes(words));
  }
  for (const figure of all("figure")) figure.hidden = !fits(figure.dataset);
  for (const body of all("tbody")) {
    body.hidden = all("tr[data-method]", body).every((row) => row.hidden);
  }
  for (const cell of all("[data-task]")) {
    cell.hidden = !sameTask(cell.dataset.task);
  }
}

const tip = document.getElementById("tip");
function show(cell, x, y) {
  tip.textContent = cell.dataset.tip;
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(4, Math.min(x + 12, innerWidth - box.width - 8))}px`;
  tip.style.top = `${Math.max(4, y + 16 + box.height > innerHeight ? y - box.height - 8 : y + 16)}px`;
}
document.addEventListener("pointerover", (event) => {
  const cell = event.target.closest?.("td[data-tip]");
  if (cell) show(cell, event.clientX, event.clientY);
  else tip.hidden = true;
});
document.addEventListener("focusin", (event) => {
  const cell = event.target.closest?.("td[data-tip]");
  if (!cell) { tip.hidden = true; return; }
  const box = cell.getBoundingClientRect();
  show(cell, box.left, box.bottom);
});
document.addEventListener("scroll", () => { tip.hidden = true; }, true);
for (const table of all("table.results")) {
  all("th button", table).forEach((button) => {
    button.addEventListener("click", () => sortBy(table, Number(button.dataset.index), button));
  });
}
for (const name of ["model", "task", "method"]) {
  document.getElementById(`filter-${name}`)?.addEventListener("input", filter);
}
