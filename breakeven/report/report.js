"use strict";
// Draws every chart of the page, each in the width that it has, and says on the page what went wrong.

const problems = document.getElementById("problems");
let along = "epoch";

function tell(problem) {
  document.documentElement.dataset.problems = Number(document.documentElement.dataset.problems || 0) + 1;
  problems.hidden = false;
  const line = document.createElement("li");
  line.textContent = String(problem);
  problems.querySelector("ul").append(line);
}

window.addEventListener("error", (event) => tell(event.message));
window.addEventListener("unhandledrejection", (event) => tell(event.reason));

// ---------------------------------------------------------------- charts

function specOf(element) {
  return breakeven.along(JSON.parse(document.getElementById(element.dataset.spec).textContent), along);
}

// Narrow a chart to the width of its container; panels side by side go below each other where they don't fit.
function fit(spec, width, beside = 110) { // beside: axis, its title and the gap beside a panel
  if (typeof spec.width === "number") spec.width = Math.min(spec.width, width - beside);
  for (const { mark } of spec.layer || []) {
    if (mark.type !== "text" || width >= 600) continue;
    Object.assign(mark, { limit: width, fontSize: 10.5, lineBreak: "\n", yOffset: mark.yOffset - 11 }); // names in two lines
    spec.height *= 1.35;
  }
  if (spec.spec) fit(spec.spec, width);
  for (const view of spec.concat || []) fit(view, width);
  if (spec.concat && width < 760) spec.columns = 1;
  if (spec.config && spec.config.legend && width < 600) {
    Object.assign(spec.config.legend, { columns: width < 420 ? 2 : 6, titleOrient: "top" });
  }
  return spec;
}

// As what it is to be drawn: in its width, along epochs or steps if it is along training.
function wanted(element) {
  if (element.isAlong === undefined) {
    element.isAlong = breakeven.isAlong(JSON.parse(document.getElementById(element.dataset.spec).textContent));
  }
  return `${element.clientWidth} ${element.isAlong ? along : ""}`;
}

async function draw(element) {
  const width = element.clientWidth, drawn = wanted(element);
  if (!width || element.drawn === drawn) return;
  element.drawn = drawn;
  delete element.dataset.state;
  try {
    const spec = specOf(element);
    delete spec.title; // a heading of the page
    if (element.closest(".first")) spec.height = 200;
    if (element.shown) element.shown.finalize();
    element.shown = await breakeven.draw(element, fit(spec, width, (spec.usermeta || {}).beside));
    element.dataset.state = "drawn";
  } catch (error) {
    element.textContent = "This figure could not be drawn.";
    tell(error);
  }
}

// From the top of what is seen, one after the other, so that a reader can scroll meanwhile.
let drawing = Promise.resolve();
function drawAll() {
  const seen = (element) => element.getBoundingClientRect().bottom >= 0;
  const charts = [...document.querySelectorAll(".chart")].filter((element) => element.drawn !== wanted(element));
  for (const element of charts) delete element.dataset.state;
  drawing = drawing.then(async () => {
    for (const element of [...charts.filter(seen), ...charts.filter((each) => !seen(each))]) {
      await draw(element);
      await new Promise((resume) => setTimeout(resume));
    }
  });
}

// The same figure of another study, below the one whose list was used.
function compare(select) {
  const figure = select.closest("figure");
  const before = figure.querySelector(".comparison");
  if (before) before.remove();
  if (!select.value) return;
  const other = document.createElement("div");
  other.className = "comparison";
  const heading = document.createElement("h4");
  heading.textContent = select.selectedOptions[0].textContent;
  const chart = document.getElementById(select.value).querySelector(".chart").cloneNode();
  delete chart.dataset.state;
  other.append(heading, chart);
  figure.append(other);
  drawAll();
}

for (const select of document.querySelectorAll(".compare select")) {
  select.addEventListener("change", () => compare(select));
}

for (const input of document.querySelectorAll(".along input")) {
  input.checked = input.value === along; // browsers remember
  input.addEventListener("change", () => {
    along = input.value;
    for (const each of document.querySelectorAll(".along input")) each.checked = each.value === along;
    drawAll();
  });
}

// ---------------------------------------------------------------- downloads

async function table(name) {
  const packed = document.querySelector(`script[data-name="${CSS.escape(name)}"]`).textContent;
  const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
  const whole = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(whole).blob();
}

const pictures = {
  async svg(spec) {
    const away = document.createElement("div");
    const shown = await breakeven.draw(away, spec);
    const svg = away.querySelector("svg.marks");
    svg.setAttribute("xmlns", "http://www.w3.org/2000/svg");
    const text = new XMLSerializer().serializeToString(svg);
    shown.finalize();
    return new Blob([text], { type: "image/svg+xml" });
  },
  async png(spec) {
    const address = URL.createObjectURL(await pictures.svg(spec));
    const image = new Image();
    image.src = address;
    await image.decode();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [2 * image.width, 2 * image.height];
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    URL.revokeObjectURL(address);
    return new Promise((done) => canvas.toBlob(done, "image/png"));
  },
  // The named data of a chart: what it draws.
  async csv(spec) {
    const sets = {};
    JSON.stringify(spec, (key, part) => {
      if (key === "data" && part.name && part.values) sets[part.name] = part.values;
      if (key === "datasets") Object.assign(sets, part);
      return part;
    });
    const rows = Object.entries(sets).flatMap(([quantity, values]) => values.map((row) => ({ quantity, ...row })));
    const heads = [...new Set(rows.flatMap(Object.keys))].filter((head) => head !== "marked");
    const cell = (value) => /[",\n]/.test(value ?? "") ? `"${String(value).replaceAll('"', '""')}"` : value ?? "";
    const lines = [heads, ...rows.map((row) => heads.map((head) => row[head]))];
    return new Blob([lines.map((line) => line.map(cell).join(",") + "\n").join("")], { type: "text/csv" });
  },
};

function offer(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

for (const link of document.querySelectorAll("a[data-table], a[data-picture]")) {
  link.addEventListener("click", async (event) => {
    event.preventDefault();
    const { table: name, picture } = link.dataset;
    const blob = name ? await table(name) : await pictures[picture](specOf(link.closest("figure").querySelector(".chart")));
    offer(blob, link.download);
  });
}

// ---------------------------------------------------------------- the page

// What a link leads to unfolds; tables that are cut say so.
function unfold() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  for (let fold = target.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
  target.scrollIntoView();
}

function hint() {
  for (const box of document.querySelectorAll(".scroll")) box.toggleAttribute("data-cut", box.scrollWidth > box.clientWidth + 1);
}

let waiting;
window.addEventListener("resize", () => {
  clearTimeout(waiting);
  waiting = setTimeout(() => { hint(); drawAll(); }, 200);
});
window.addEventListener("hashchange", unfold);
document.addEventListener("toggle", hint, true);
hint();
unfold();
drawAll();
