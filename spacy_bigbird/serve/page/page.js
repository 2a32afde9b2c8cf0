/* The page: gives a document to the service, and shows what it found. */

import * as api from "./api.js";
import { collect } from "./marks.js";
import { Viewer } from "./viewer.js";

const $ = (selector) => document.querySelector(selector);
const ANSWER = { hue: 45, shown: true };
const state = { pipelines: [], result: null, text: "", name: "", marks: [], answers: [], visible: [], place: -1 };
const viewer = new Viewer($("#document"), $("#map"));

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function say(message) {
  $("#status").textContent = message;
  $("#status").hidden = !message;
}

async function working(message, work) {
  $("#problem").hidden = true;
  say(message);
  for (const button of document.querySelectorAll("button.primary")) button.disabled = true;
  try {
    return await work();
  } catch (error) {
    $("#problem").textContent = error instanceof api.Refused ? error.message : `The page failed: ${error.message}`;
    $("#problem").hidden = false;
    return null;
  } finally {
    say("");
    for (const button of document.querySelectorAll("button.primary")) button.disabled = false;
  }
}

const chosen = () => state.pipelines.find(({ name }) => name === $("#pipeline").value);

async function read(name, getResult, text) {
  const result = await working(`Reading ${name} …`, getResult);
  if (result) open(name, result, text ?? result.text);
}

const readFile = (file) => read(file.name, () => api.readFile(file, chosen().name));
const readText = (text) => read("the text", () => api.readText(text, chosen().name), text);

function open(name, result, text) {
  const { marks, layers, offsets } = collect(result, text);
  Object.assign(state, { result, text, name, marks, layers, offsets, answers: [], place: -1, source: chosen().name });
  $("#start").hidden = true;
  $("#reader").hidden = false;
  $("#actions").hidden = false;
  $("#document-title").textContent = name === "the text" ? "Pasted text" : name;
  $("#document-title").title = name;
  const pages = result.pages.length ? `${result.pages.length} pages, ` : "";
  $("#facts").textContent = `${pages}${result.characters.toLocaleString("en")} characters, ${result.pieces.toLocaleString("en")} pieces`;
  $("#asking").hidden = !chosen().answers;
  $("#answers").replaceChildren();
  viewer.open(text, result.pages.map((start) => offsets.units(start)));
  showOutline();
  showLabels();
  update();
  window.scrollTo(0, 0);
  $("#document").focus({ preventScroll: true });
}

/* Marks */

function update() {
  const threshold = Number($("#threshold").value);
  $("#threshold-shown").textContent = threshold.toFixed(2);
  const likely = (mark) => mark.score == null || mark.score >= threshold;
  const answers = state.answers.flatMap(({ mark }) => mark ?? []);
  state.visible = [...state.marks.filter((mark) => mark.style.shown && likely(mark)), ...answers];
  state.visible.sort((a, b) => a.start - b.start || b.end - a.end);
  state.place = state.visible.indexOf(viewer.current);
  viewer.update(state.visible);
  showPlace();
  for (const row of document.querySelectorAll("#labels label")) {
    const count = state.marks.filter((mark) => mark.style === row.style_ && likely(mark)).length;
    row.querySelector(".count").textContent = count.toLocaleString("en");
  }
  for (const row of document.querySelectorAll("#categories li")) row.classList.toggle("yes", row.score >= threshold);
  for (const row of document.querySelectorAll("#headings li")) {
    const count = state.visible.filter((mark) => mark.start >= row.from && mark.start < row.to).length;
    row.querySelector(".n").textContent = count || "";
  }
}

function showPlace() {
  const total = state.visible.length;
  const noun = total === 1 ? "mark" : "marks";
  $("#place").textContent = state.place < 0 ? `${total.toLocaleString("en")} ${noun}` : `${state.place + 1} of ${total}`;
}

function step(direction) {
  if (!state.visible.length) return;
  const from = state.place < 0 && direction < 0 ? 0 : state.place;
  state.place = (from + direction + state.visible.length) % state.visible.length;
  viewer.jump(state.visible[state.place]);
  showPlace();
}

function showLabels() {
  const rows = [...state.layers].map(([layer, { labels }]) => {
    const part = element("fieldset", { className: "layer" });
    part.style.border = "0";
    part.style.padding = "0";
    part.append(element("h3", { textContent: layer }));
    part.ariaLabel = layer;
    for (const [label, style] of labels) {
      const box = element("input", { type: "checkbox", checked: style.shown });
      box.addEventListener("change", () => {
        style.shown = box.checked;
        update();
      });
      const swatch = element("span", { className: "swatch" });
      swatch.style.setProperty("--hue", style.hue);
      const name = element("span", { className: "name", textContent: label });
      const row = element("label", {}, box, swatch, name, element("span", { className: "count" }));
      row.style_ = style;
      part.append(row);
    }
    return part;
  });
  const nothing = element("p", { className: "empty", textContent: "This pipeline marked nothing in the document." });
  $("#labels").replaceChildren(...(rows.length ? rows : [nothing]));
  const categories = Object.entries(state.result.categories).sort(([, a], [, b]) => b - a);
  $("#categories-part").hidden = !categories.length;
  $("#categories").replaceChildren(
    ...categories.map(([label, score]) => {
      const meter = element("meter", { min: 0, max: 1, value: score ?? 0 });
      meter.setAttribute("aria-label", label);
      const row = element("li", {}, element("span", { textContent: label }), element("span", { textContent: score?.toFixed(2) ?? "" }), meter);
      row.score = score ?? 0;
      return row;
    }),
  );
}

/* Outline */

function showOutline() {
  const headings = state.result.outline;
  $("#outline").hidden = !headings.length;
  $("#reader").classList.toggle("flat", !headings.length);
  const top = headings.reduce((least, { level }) => Math.min(least, level), 9);
  const starts = headings.map(({ start }) => state.offsets.units(start));
  const rows = headings.map(({ level, title, page }, i) => {
    const number = element("span", { className: "n" });
    const button = element("button", { type: "button", title: page ? `${title}, page ${page}` : title }, element("span", { textContent: title }), number);
    button.addEventListener("click", () => {
      for (const other of document.querySelectorAll("#headings [aria-current]")) other.removeAttribute("aria-current");
      button.setAttribute("aria-current", "true");
      viewer.show(starts[i]);
    });
    const row = element("li", { className: `level-${Math.min(level - top + 1, 6)}` }, button);
    return Object.assign(row, { from: starts[i], to: starts[i + 1] ?? Infinity });
  });
  $("#headings").replaceChildren(...rows);
}

/* Questions */

async function ask(question) {
  const found = await working("Looking for an answer …", () => api.ask(state.result.id, state.text, [question], state.source));
  if (!found) return;
  for (const answer of found.answers) {
    const mark = answer.text
      ? { start: state.offsets.units(answer.start), end: state.offsets.units(answer.end), label: "ANSWER", score: answer.score, style: ANSWER, isAnswer: true }
      : null;
    state.answers.unshift({ answer, mark });
    const at = [answer.score?.toFixed(2), answer.page && `page ${answer.page}`].filter(Boolean).join(", ");
    const row = element("li", {}, element("p", { className: "q", textContent: answer.question }));
    if (mark) {
      const button = element("button", { type: "button", textContent: answer.text.length > 300 ? `${answer.text.slice(0, 300)}…` : answer.text });
      button.addEventListener("click", () => {
        viewer.jump(mark);
        state.place = state.visible.indexOf(mark);
        showPlace();
      });
      row.append(button);
    } else {
      row.append(element("p", { className: "none", textContent: "No answer in this document" }));
    }
    row.append(element("p", { className: "at", textContent: at }));
    $("#answers").prepend(row);
  }
  update();
}

/* What the user does */

$("#give").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("#text").value;
  if (text.trim()) readText(text);
  else $("#text").focus();
});
$("#file").addEventListener("change", ({ target }) => {
  const [file] = target.files;
  target.value = "";
  if (file) readFile(file);
});
for (const kind of ["dragover", "dragleave", "drop"]) {
  window.addEventListener(kind, (event) => {
    event.preventDefault();
    $("#drop").classList.toggle("over", kind === "dragover");
    const [file] = (kind === "drop" && event.dataTransfer?.files) || [];
    if (file) readFile(file);
  });
}
$("#ask").addEventListener("submit", async (event) => {
  event.preventDefault();
  const question = $("#question").value.trim();
  if (!question) return;
  await ask(question);
  $("#question").value = "";
});
$("#threshold").addEventListener("input", () => requestAnimationFrame(update));
$("#next").addEventListener("click", () => step(1));
$("#previous").addEventListener("click", () => step(-1));
$("#another").addEventListener("click", () => {
  $("#reader").hidden = true;
  $("#actions").hidden = true;
  $("#start").hidden = false;
  $("#text").focus();
});
$("#download").addEventListener("click", () => {
  const content = { ...state.result, text: state.text, answers: state.answers.map(({ answer }) => answer).reverse() };
  const url = URL.createObjectURL(new Blob([JSON.stringify(content, null, 1)], { type: "application/json" }));
  element("a", { href: url, download: `${state.name.replace(/\.\w+$/, "").replaceAll(" ", "_")}.json` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
});
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input:not([type=range], [type=checkbox]), textarea, select")) return;
  if ($("#reader").hidden) return;
  if (event.key === "n") step(1);
  else if (event.key === "p") step(-1);
  else if (event.key === "/" && !$("#asking").hidden) {
    event.preventDefault();
    $("#question").focus();
  }
});

state.pipelines = (await working("Asking the service what it can do …", api.pipelines)) ?? [];
$("#pipeline").replaceChildren(...state.pipelines.map(({ name }) => element("option", { value: name, textContent: name })));
