"use strict";
// Everything from records is set as text, never as markup. Elements stay: scroll and focus are where they were.

const EVERY = 2000; // milliseconds between two looks
const PATIENCE = 15000; // for an answer
const ROWS = 100; // of a grid that are shown at a time
const MARKS = { failed: "✗", out_of_memory: "✗ memory", unreadable: "✗ unreadable", running: "▶", interrupted: "‖", stale: "≠ stale",
  unsupported: "– unsupported" };

const $ = (id) => document.getElementById(id);
const words = (state) => state.replaceAll("_", " ");
const kind = (state) => `s-${state.replaceAll(" ", "_")}`;
let states = [], tag = null, lastAnswer = null;
const shownRows = new Map(), filters = new Map();

function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/* One child for each item, by key: those that stay are the same elements, in the order of the items. */
function keyed(parent, items, keyOf, create, update) {
  const there = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    let child = there.get(key);
    if (child === undefined) {
      child = create(item);
      child.dataset.key = key;
    }
    there.delete(key);
    if (child === place) place = place.nextElementSibling;
    else parent.insertBefore(child, place);
    update(child, item);
  }
  for (const child of there.values()) child.remove();
}

function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const days = Math.floor(whole / 86400), hours = Math.floor((whole % 86400) / 3600), minutes = Math.floor((whole % 3600) / 60);
  if (days) return `${days} d ${hours} h`;
  if (hours) return `${hours} h ${minutes} min`;
  return minutes ? `${minutes} min ${whole % 60} s` : `${whole} s`;
}

function parts(element, counts) {
  const shown = states.filter((state) => counts[state]);
  const text = shown.map((state) => `${state} ${counts[state]}`).join();
  if (element.dataset.shown === text) return;
  element.dataset.shown = text;
  element.replaceChildren(...shown.map((state) => {
    const part = make("span", { class: kind(state) });
    part.style.setProperty("--share", counts[state]);
    return part;
  }));
}

function addressed(path, given) {
  return `${path}?${new URLSearchParams(given)}`;
}

/* ── An experiment ── */

function createExperiment(experiment) {
  const name = experiment.name;
  const id = `e-${encodeURIComponent(name)}`;
  const section = make("section", { class: "experiment", "aria-labelledby": id });
  const search = make("input", { type: "search", "aria-label": `rows of ${name} that have these words`, placeholder: "model or method" });
  search.addEventListener("input", () => { filters.set(name, search.value); redraw(section); });
  const more = make("button", { type: "button", class: "more-rows" }, "more rows");
  more.addEventListener("click", () => { shownRows.set(name, (shownRows.get(name) || ROWS) + ROWS); redraw(section); });
  const table = make("table", {}, make("thead", {}, make("tr")), make("tbody"));
  table.addEventListener("keydown", walk);
  section.append(
    make("div", { class: "bar" }, make("h2", { id }, name), make("span", { class: "left quiet" })),
    make("div", { class: "whole parts", "aria-hidden": "true" }),
    make("ul", { class: "legend" }),
    make("div", { class: "runs" }, make("h3", {}, "Running now"),
      make("div", { class: "wide", tabindex: "0", role: "region", "aria-label": `cells of ${name} that run now` }, make("table", {},
        make("thead", {}, make("tr", {}, ...["cell", "loss", "losses so far", "phase", "steps", "for", "where"].map((title) => make("th", { scope: "col" }, title)))),
        make("tbody")))),
    make("div", { class: "failures" }, make("h3", {}, "Did not end well"), make("div", { class: "failed" }), make("button", { type: "button" }, "all of them")),
    make("div", { class: "bar" }, make("h3", {}, "All cells"), search),
    make("div", { class: "wide grid", role: "region", tabindex: "0", "aria-label": `cells of ${name} by model, method and task` }, table),
    make("p", {}, more),
  );
  section.querySelector(".failures > button").addEventListener("click", () => openCells(name, { state: "failures" }, `${name}: did not end well`));
  return section;
}

function redraw(section) {
  updateExperiment(section, section.experiment);
}

function updateExperiment(section, experiment) {
  section.experiment = experiment;
  const counts = experiment.counts;
  const left = experiment.sweeps === 0 ? "no sweep runs it" : experiment.seconds_left === null ? "remaining time not known yet" : `about ${duration(experiment.seconds_left)} left`;
  setText(section.querySelector(".left"), `${experiment.cells} cells, ${left}`);
  parts(section.querySelector(".whole"), counts);
  keyed(section.querySelector(".legend"), states.filter((state) => counts[state]), String, (state) => make("li", { class: kind(state) }),
    (item, state) => setText(item, `${counts[state]} ${words(state)}`));
  updateRunning(section, experiment);
  updateFailures(section, experiment);
  updateGrid(section, experiment);
}

function updateRunning(section, experiment) {
  const place = section.querySelector(".runs");
  place.hidden = experiment.running.length === 0;
  keyed(place.querySelector("tbody"), experiment.running, (one) => one.id, () => {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("class", "losses");
    svg.setAttribute("viewBox", "0 0 100 20");
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("role", "img");
    svg.append(document.createElementNS("http://www.w3.org/2000/svg", "polyline"));
    const bar = make("progress", { "aria-label": "steps" });
    return make("tr", {}, make("th", { scope: "row" }), make("td"), make("td", {}, svg), make("td"), make("td", {}, make("span"), make("br"), bar), make("td", { class: "age" }), make("td"));
  }, (row, one) => {
    const [name, loss, curve, phase, steps, age, where] = row.children;
    setText(name, one.id);
    setText(phase, one.phase || "begins");
    setText(steps.firstElementChild, one.total ? `${one.step} of ${one.total}` : "");
    const bar = steps.lastElementChild;
    bar.hidden = !one.total;
    bar.max = one.total || 1;
    bar.value = one.step || 0;
    setText(loss, one.loss === null ? "" : one.loss.toPrecision(4));
    drawLosses(curve.firstElementChild, one.losses);
    age.dataset.since = one.since || "";
    setText(where, one.host === null ? "" : `${one.host}, process ${one.pid}`);
  });
}

function drawLosses(svg, losses) {
  const values = losses.filter((value) => value !== null);
  const least = Math.min(...values), most = Math.max(...values), range = most - least || 1;
  const points = values.map((value, index) => `${(100 * index / Math.max(1, values.length - 1)).toFixed(1)},${(19 - 18 * (value - least) / range).toFixed(1)}`);
  const line = svg.firstElementChild;
  if (line.getAttribute("points") !== points.join(" ")) line.setAttribute("points", points.join(" "));
  svg.style.display = values.length > 1 ? "" : "none";
  svg.setAttribute("aria-label", values.length > 1 ? `losses from ${values[0].toPrecision(3)} to ${values.at(-1).toPrecision(3)}` : "no losses yet");
}

function updateFailures(section, experiment) {
  const place = section.querySelector(".failures"), found = experiment.failures;
  place.hidden = found.total === 0;
  keyed(place.querySelector(".failed"), found.cells.slice(0, 10), (one) => `${one.id} ${one.state} ${one.error}`, (one) => failure(experiment.name, one), () => {});
  const all = place.querySelector("button");
  all.hidden = found.total <= 10;
  setText(all, `all ${found.total} of them`);
}

function failure(experiment, one) {
  const log = make("pre", { tabindex: "0", "aria-label": `end of the log of ${one.id}` }, "looking …");
  const details = make("details", {}, make("summary", {}, make("span", { class: `word ${kind(one.state)}` }, words(one.state)), ` ${one.id} `, make("span", { class: "quiet" }, one.error)), log);
  details.addEventListener("toggle", async () => {
    if (!details.open) return;
    if (!one.log) { setText(log, "it has no log"); return; }
    try {
      const answer = await fetch(addressed("/log.txt", { experiment, cell: one.id }));
      const text = await answer.text();
      setText(log, text.trim() || "its log is empty");
      log.scrollTop = log.scrollHeight;
    } catch { setText(log, "no answer"); }
  });
  return details;
}

/* ── The grid ── */

function updateGrid(section, experiment) {
  const name = experiment.name, asked = (filters.get(name) || "").toLowerCase().split(/\s+/).filter(Boolean);
  const fitting = experiment.rows.filter((row) => asked.every((word) => `${row.model} ${row.method}`.toLowerCase().includes(word)));
  const rows = fitting.slice(0, shownRows.get(name) || ROWS);
  const more = section.querySelector(".more-rows");
  more.hidden = fitting.length <= rows.length;
  setText(more, `more rows (${rows.length} of ${fitting.length} are shown)`);
  const table = section.querySelector(".grid table");
  keyed(table.tHead.rows[0], ["", ...experiment.tasks], String, (task) => make(task ? "th" : "td", task ? { scope: "col" } : {}),
    (cell, task) => setText(cell, task));
  keyed(table.tBodies[0], rows, (row) => `${row.model}\n${row.method}`, (row) => make("tr", {}, make("th", { scope: "row" }, row.method, make("small", {}, row.model))),
    (tr, row) => updateRow(tr, row, experiment));
  if (!table.querySelector("button[tabindex='0']")) table.querySelector("button")?.setAttribute("tabindex", "0");
}

function updateRow(tr, row, experiment) {
  const told = JSON.stringify([row.of, experiment.tasks]);
  if (tr.dataset.told === told) return;
  tr.dataset.told = told;
  while (tr.cells.length > experiment.tasks.length + 1) tr.lastElementChild.remove();
  experiment.tasks.forEach((task, index) => {
    const cell = tr.cells[index + 1] || tr.appendChild(make("td"));
    const counts = row.of[index];
    let button = cell.firstElementChild;
    if (button !== null && (counts === null || button.task !== task)) { button.remove(); button = null; }
    if (counts === null) return;
    if (button === null) {
      button = cell.appendChild(make("button", { type: "button", tabindex: "-1" }, make("span"), make("span", { class: "parts", "aria-hidden": "true" })));
      button.task = task;
      button.addEventListener("click", () => openCells(experiment.name, { model: row.model, method: row.method, task }, `${row.method} on ${task}, ${row.model}`));
    }
    const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
    const marks = Object.keys(MARKS).filter((state) => counts[state]).map((state) => (counts[state] > 1 ? `${counts[state]} ` : "") + MARKS[state]);
    setText(button.firstElementChild, [`${counts.done || 0}/${total}`, ...marks].join("  "));
    button.setAttribute("aria-label", `${row.method} on ${task}, ${row.model}: ${states.filter((state) => counts[state]).map((state) => `${counts[state]} ${words(state)}`).join(", ")}`);
    parts(button.lastElementChild, counts);
  });
}

/* Arrow keys go through the grid, which is one stop of the Tab key. */
function walk(event) {
  const cell = event.target.closest("td");
  const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
  if (cell === null || (steps === undefined && event.key !== "Home" && event.key !== "End")) return;
  event.preventDefault();
  const rows = [...event.currentTarget.tBodies[0].rows];
  let row = rows.indexOf(cell.parentElement), column = cell.cellIndex;
  if (steps === undefined) {
    const buttons = [...rows[row].querySelectorAll("button")];
    focusOn(event.currentTarget, event.key === "Home" ? buttons[0] : buttons.at(-1));
    return;
  }
  for (;;) {
    row += steps[0];
    column += steps[1];
    const next = rows[row]?.cells[column];
    if (next === undefined || column === 0) return;
    const button = next.querySelector("button");
    if (button) { focusOn(event.currentTarget, button); return; }
  }
}

function focusOn(table, button) {
  for (const other of table.querySelectorAll("button[tabindex='0']")) other.setAttribute("tabindex", "-1");
  button.setAttribute("tabindex", "0");
  button.focus();
}

/* ── The cells behind a place of the grid ── */

let asked = null;

async function openCells(experiment, wanted, title) {
  asked = { experiment, ...wanted };
  setText($("cells-title"), title);
  $("cells-list").replaceChildren();
  $("cells").showModal();
  await moreCells(0);
}

async function moreCells(start) {
  const of = asked;
  try {
    const answer = await fetch(addressed("/cells.json", { ...of, start }));
    const told = await answer.json();
    if (of !== asked) return;
    $("cells-list").append(...told.cells.map((one) => cellLine(of.experiment, one)));
    const shown = start + told.cells.length;
    $("cells-more").hidden = shown >= told.total;
    $("cells-more").onclick = () => moreCells(shown);
    setText($("cells-more"), `more cells (${shown} of ${told.total} are shown)`);
  } catch { $("cells-list").append(make("p", {}, "no answer")); }
}

function cellLine(experiment, one) {
  const name = one.id || "not started";
  const told = [one.seed === null ? "" : `seed ${one.seed}`, one.score === null ? "" : `${one.metric} ${one.score.toPrecision(4)}`, one.seconds === null ? "" : duration(one.seconds)];
  if (one.error || one.log) return failure(experiment, { ...one, id: name, error: [...told, one.error].filter(Boolean).join(", ") });
  return make("p", {}, make("span", { class: `word ${kind(one.state)}` }, words(one.state)), ` ${one.id ? name : ""} `, make("span", { class: "quiet" }, told.filter(Boolean).join(", ")));
}

$("cells-close").addEventListener("click", () => $("cells").close());

/* ── Looking again and again ── */

async function look() {
  try {
    const answer = await fetch("/state.json", { headers: tag ? { "If-None-Match": tag } : {}, signal: AbortSignal.timeout(PATIENCE), cache: "no-store" });
    if (answer.status === 200) {
      const told = await answer.json();
      tag = answer.headers.get("ETag");
      states = told.states;
      setText($("results"), told.results);
      keyed($("experiments"), told.experiments, (one) => one.name, createExperiment, updateExperiment);
      if (told.experiments.length === 0) $("experiments").replaceChildren(make("p", { "data-key": "none" }, "No cells yet; they are shown as soon as a sweep begins."));
      $("experiments").setAttribute("aria-busy", "false");
    } else if (answer.status !== 304) throw new Error(await answer.text());
    lastAnswer = new Date();
    $("gone").hidden = true;
  } catch (error) {
    const since = lastAnswer === null ? "" : `; what is shown is of ${lastAnswer.toLocaleTimeString()}`;
    const why = error instanceof TypeError || error.name === "TimeoutError" ? "The server does not answer" : error.message;
    setText($("gone"), `${why}${since}. Looking again …`);
    $("gone").hidden = false;
  }
  setTimeout(look, EVERY);
}

function tick() {
  if (lastAnswer !== null) setText($("updated"), `as of ${lastAnswer.toLocaleTimeString()}`);
  for (const age of document.querySelectorAll(".age")) setText(age, age.dataset.since ? duration((Date.now() - Date.parse(age.dataset.since)) / 1000) : "");
}

setInterval(tick, 1000);
look().then(tick);
