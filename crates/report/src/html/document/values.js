// What a figure holds, to be taken away: its values as rows, and itself as an SVG file.
"use strict";
crestline.figure = {
  // One row a value, below the names of the columns.
  rows(plots) {
    const fields = [...new Set(plots.flatMap((plot) => plot.series.flatMap((series) => series.fields)))];
    const hasTitles = plots.length > 1;
    const hasLabels = plots.some((plot) => plot.series.some((series) => series.labels));
    const one = (axis) => (new Set(plots.map((plot) => plot[axis].label)).size === 1 ? plots[0][axis].label : "");
    const names = { x: one("x") || "x", y: one("y") || "y" };
    const head = [hasTitles && "part", "series", "kind", ...fields.map((field) => names[field] ?? field), hasLabels && "label"];
    const kept = (row) => row.filter((_, place) => head[place] !== false);
    const rows = plots.flatMap((plot) => plot.series.flatMap((series) => series.rows.map((row, place) => kept([
      plot.title,
      series.name,
      series.role,
      ...fields.map((field) => row[series.fields.indexOf(field)] ?? null),
      series.labels?.[place] ?? null,
    ]))));
    return [kept(head), ...rows];
  },

  json(plots) {
    return JSON.stringify(plots.map(({ title, x, y, series }) => ({ title, x: x.label, y: y.label, series })), null, 1) + "\n";
  },

  // As it is seen, with its titles and its key, light and dark as the page is.
  svg(svg) {
    const copy = svg.cloneNode(true);
    const [width, height] = svg.dataset.whole.split(" ");
    const attributes = { width, height, viewBox: "0 0 " + width + " " + height };
    for (const [name, value] of Object.entries(attributes)) copy.setAttribute(name, value);
    copy.removeAttribute("data-whole");
    copy.querySelectorAll("[data-tip]").forEach((shape) => shape.remove());
    copy.querySelector("[data-part=words]") && copy.querySelectorAll("[data-part=words]").forEach((part) => part.removeAttribute("display"));
    const style = document.createElementNS("http://www.w3.org/2000/svg", "style");
    style.textContent = this.style(copy);
    copy.querySelector("desc").after("\n", style);
    return new XMLSerializer().serializeToString(copy) + "\n";
  },

  // The rules of the page for what is in it.
  style(svg) {
    const root = "." + svg.getAttribute("class");
    const isUsed = (rule) => rule.selectorText?.includes(root + " ") && svg.querySelector(rule.selectorText.split(root + " ")[1]);
    const own = (rules, start) => [...rules].filter((rule) => isUsed(rule) && rule.selectorText.startsWith(start))
      .map((rule) => root + " " + rule.selectorText.split(root + " ")[1] + "{" + rule.style.cssText + "}\n").join("");
    const rules = [...document.styleSheets].flatMap((sheet) => [...sheet.cssRules]);
    const dark = own(rules, ":root[data-theme");
    const theme = document.documentElement.dataset.theme;
    const ofDark = { dark, light: "" }[theme] ?? "@media (prefers-color-scheme:dark){\n" + dark + "}\n";
    return "\n" + own(rules, root) + ofDark;
  },
};
