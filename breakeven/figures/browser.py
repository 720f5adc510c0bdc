"""What all pages do to a chart in a browser, as JavaScript that stands behind Vega's: real indices, epochs or steps."""

import json

from breakeven.figures.symbols import DOWN, PATTERN, SIZE, UP

SCRIPT = r"""
const PATTERN = @PATTERN@, @SIZES@; // of symbols, as in breakeven/figures/symbols.py
const breakeven = {
  // The specification along "epoch" or "step": its data have both.
  along(spec, x) {
    const other = x === "step" ? "epoch" : "step";
    const fields = { [other]: x, [`at_${other}`]: `at_${x}` };
    const until = (spec.usermeta || {}).until;
    function turn(part) {
      if (part === null || typeof part !== "object") return;
      const channel = (part.encoding || {}).x;
      if (channel && fields[channel.field]) {
        Object.assign(channel, { field: fields[channel.field], title: x });
        if (until && channel.scale.domain) channel.scale.domain = [0, until[x]];
      }
      for (const key of Object.keys(part)) if (key !== "data" && key !== "datasets") turn(part[key]);
    }
    turn(spec);
    return spec;
  },

  // Whether a chart is along training, so that it can be drawn along either.
  isAlong(spec) {
    const [epoch, step] = ["epoch", "step"].map((x) => JSON.stringify(breakeven.along(structuredClone(spec), x)));
    return epoch !== step;
  },

  // Real indices in the texts of an SVG element.
  index(svg) {
    const texts = document.createTreeWalker(svg, NodeFilter.SHOW_TEXT);
    const found = [];
    while (texts.nextNode()) if (new RegExp(PATTERN).test(texts.currentNode.data)) found.push(texts.currentNode);
    for (const node of found) if (node.parentNode.closest("text")) node.replaceWith(...breakeven.tspans(node));
  },

  tspans(node) {
    const text = node.data, svg = node.parentNode.namespaceURI;
    const made = [];
    let at = 0, below = 0;
    function add(part, dy, size) {
      if (!part) return;
      const span = document.createElementNS(svg, "tspan");
      span.textContent = part;
      if (dy) span.setAttribute("dy", `${(dy / size).toFixed(3)}em`);
      if (size !== 1) span.setAttribute("font-size", `${100 * size}%`);
      made.push(span);
    }
    for (const match of text.matchAll(new RegExp(PATTERN, "g"))) {
      const [, first, ofFirst, high, second, ofSecond] = match;
      add(text.slice(at, match.index) + (first || second), -below, 1);
      add(ofFirst || ofSecond, DOWN, SIZE);
      add(high, -DOWN - UP, SIZE);
      at = match.index + match[0].length;
      below = high ? -UP : DOWN;
    }
    add(text.slice(at), -below, 1);
    return made;
  },

  // The same, escaped, as HTML: for tooltips.
  html(value) {
    const escaped = String(value).replace(/[&<>]/g, (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[sign]);
    return escaped.replace(new RegExp(PATTERN, "g"), (_, first, ofFirst, high, second, ofSecond) =>
      `${first || second}<sub>${ofFirst || ofSecond}</sub>` + (high ? `<sup>${high}</sup>` : ""));
  },

  // Draw a specification into an element, as SVG, with real indices whenever Vega writes a text anew.
  async draw(element, spec) {
    const tooltip = { sanitize: breakeven.html };
    const shown = await vegaEmbed(element, spec, { renderer: "svg", actions: false, tooltip });
    const svg = element.querySelector("svg.marks");
    breakeven.index(svg);
    new MutationObserver(() => breakeven.index(svg)).observe(svg, { childList: true, subtree: true, characterData: true });
    return shown;
  },
};
""".replace("@PATTERN@", json.dumps(PATTERN, ensure_ascii=False)).replace(
    "@SIZES@", f"SIZE = {SIZE}, DOWN = {DOWN}, UP = {UP}"
)
