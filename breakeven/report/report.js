"use strict";
// Draws every chart of the page, each in the width that it has, and says on the page what went wrong.

const problems = document.getElementById("problems");

function tell(problem) {
  document.documentElement.dataset.problems = Number(document.documentElement.dataset.problems || 0) + 1;
  problems.hidden = false;
  const line = document.createElement("li");
  line.textContent = String(problem);
  problems.querySelector("ul").append(line);
}

window.addEventListener("error", (event) => tell(event.message));
window.addEventListener("unhandledrejection", (event) => tell(event.reason));

// Narrow a chart to the width of its container; panels side by side go below each other where they don't fit.
function fit(spec, width) {
  const beside = 100; // axis, its title and the gap beside a panel
  if (typeof spec.width === "number") spec.width = Math.min(spec.width, width - beside);
  if (spec.spec) fit(spec.spec, width);
  for (const view of spec.concat || []) fit(view, width);
  if (spec.concat && width < 760) spec.columns = 1;
  if (spec.config && spec.config.legend && width < 600) {
    Object.assign(spec.config.legend, { columns: 3, titleOrient: "top" });
  }
  return spec;
}

async function draw(element) {
  const width = element.clientWidth;
  if (element.drawnWidth === width) return;
  element.drawnWidth = width;
  const spec = JSON.parse(document.getElementById(element.dataset.spec).textContent);
  const actions = { export: true, source: false, compiled: false, editor: false };
  try {
    if (element.shown) element.shown.finalize();
    element.shown = await vegaEmbed(element, fit(spec, width), { renderer: "svg", actions });
    element.dataset.state = "drawn";
  } catch (error) {
    element.textContent = "This figure could not be drawn.";
    tell(error);
  }
}

function drawAll() {
  for (const element of document.querySelectorAll(".chart")) draw(element);
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
  const chart = document.createElement("div");
  chart.className = "chart";
  chart.dataset.spec = `spec-${select.value}-${select.dataset.name}`;
  const original = document.querySelector(`#figure-${select.value}-${select.dataset.name} .chart`);
  chart.setAttribute("role", "group");
  chart.setAttribute("aria-label", original.getAttribute("aria-label"));
  other.append(heading, chart);
  figure.append(other);
  draw(chart);
}

for (const select of document.querySelectorAll(".compare select")) {
  select.addEventListener("change", () => compare(select));
}

let waiting;
window.addEventListener("resize", () => {
  clearTimeout(waiting);
  waiting = setTimeout(drawAll, 200);
});
drawAll();
