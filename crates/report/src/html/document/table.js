// Tables: sorted by a click on a column's name, searched, copied and saved.
//
// A cell's `data-v` is its value as files have it, where that is not the text itself.
"use strict";
(() => {
  const valueOf = (cell) => {
    const text = cell.dataset.v ?? cell.textContent;
    if (text === "" && cell.dataset.v !== undefined) return null;
    return cell.dataset.v !== undefined && cell.matches(".n") && !Number.isNaN(Number(text)) ? Number(text) : text;
  };

  // Numbers before words, what is missing always last.
  function compare(a, b, sign) {
    if (a === null || b === null) return (a === null) - (b === null);
    if (typeof a === "number" && typeof b === "number") return sign * (a - b || 0);
    if (typeof a !== typeof b) return sign * (typeof a === "number" ? -1 : 1);
    return sign * String(a).localeCompare(String(b), "en", { numeric: true });
  }

  function start(root) {
    const body = root.querySelector("tbody");
    const heads = [...root.querySelectorAll("th")];
    const rows = [...body.rows];
    const values = new Map(rows.map((row) => [row, [...row.cells].map(valueOf)]));
    const count = root.querySelector(".count");
    const search = root.querySelector("input");

    // By a column: rising, then falling, then as it was.
    function sort(column) {
      const next = { none: "ascending", ascending: "descending", descending: "none" };
      const order = next[heads[column].getAttribute("aria-sort") ?? "none"];
      heads.forEach((head) => head.removeAttribute("aria-sort"));
      if (order !== "none") heads[column].setAttribute("aria-sort", order);
      const sign = order === "descending" ? -1 : 1;
      const sorted = order === "none"
        ? rows
        : [...rows].sort((a, b) => compare(values.get(a)[column], values.get(b)[column], sign));
      body.append(...sorted);
    }

    function filter() {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const row of rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
        if (!row.hidden) shown += 1;
      }
      count.textContent = words.length ? shown + " of " + rows.length + " rows" : "";
    }

    // What is seen, in the order in which it is seen, below the names of its columns.
    function data() {
      const seen = [...body.rows].filter((row) => !row.hidden);
      return [heads.map((head) => head.dataset.key), ...seen.map((row) => values.get(row))];
    }

    heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => sort(column)));
    search?.addEventListener("input", filter);
    const name = root.dataset.name;
    const acts = {
      copy: (button) => crestline.copy(data().map((row) => row.map((value) => value ?? "").join("\t")).join("\n") + "\n", button),
      csv: () => crestline.save(name + ".csv", "text/csv", crestline.csv(data())),
      json: () => crestline.save(name + ".json", "application/json", crestline.json(data())),
    };
    for (const button of root.querySelectorAll(".tools button")) {
      button.addEventListener("click", () => acts[button.dataset.do](button));
    }
  }

  document.querySelectorAll(".table").forEach(start);
})();
