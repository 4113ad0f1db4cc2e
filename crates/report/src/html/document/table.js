// Tables: sorted by a click on a column's name, searched, copied and saved.
//
// A row is an element with its values: a cell's `data-v` is its value as files have it, where that is not the text itself.
// Rows of long tables are data, of which elements are made as they come into sight.
"use strict";
(() => {
  const AT_ONCE = 100;

  const valueOf = (cell) => {
    const text = cell.dataset.v ?? cell.textContent;
    if (text === "" && cell.dataset.v !== undefined) return null;
    return cell.dataset.v !== undefined && cell.matches(".n") && !Number.isNaN(Number(text)) ? Number(text) : text;
  };

  // A number as it is read: `12,345.6`, `99.9 %`.
  function shown(value, [kind, digits]) {
    if (kind === "text") return String(Number(value.toFixed(6)));
    if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
    const size = Math.abs(kind === "share" ? value * 100 : value);
    const text = size >= 1e4
      ? size.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits })
      : size.toFixed(digits);
    return (value < 0 ? "−" : "") + text + (kind === "share" ? " %" : "");
  }

  // A cell as it is in the data.
  function cellOf(cell, kind) {
    const value = cell !== null && typeof cell === "object" ? cell.v : cell;
    const isEndless = value === "Infinity" || value === "-Infinity";
    return { value: isEndless ? Number(value) : value, markup: cell?.h, sign: cell?.s ?? "", kind };
  }

  const textOf = ({ value, kind }) => (value === null ? "–" : typeof value === "number" ? shown(value, kind) : value);

  function elementOf(cells) {
    const row = document.createElement("tr");
    for (const cell of cells) {
      const element = row.insertCell();
      if (cell.kind[0] !== "text") element.className = "n";
      // Markup is the page's own, in which words are escaped.
      element.innerHTML = cell.markup ?? cell.sign;
      if (cell.markup === undefined) element.append((cell.sign && " ") + textOf(cell));
    }
    return row;
  }

  function rowsOf(root, body) {
    const data = root.querySelector("script");
    if (!data) {
      return [...body.rows].map((row) => ({ element: row, values: [...row.cells].map(valueOf), text: row.textContent.toLowerCase() }));
    }
    const { kinds, rows } = JSON.parse(data.textContent);
    return rows.map((row) => {
      const cells = row.map((cell, place) => cellOf(cell, kinds[place]));
      return { cells, values: cells.map((cell) => cell.value), text: cells.map(textOf).join(" ").toLowerCase() };
    });
  }

  // Numbers before words, what is missing always last.
  function compare(a, b, sign) {
    if (a === null || b === null) return (a === null) - (b === null);
    if (typeof a === "number" && typeof b === "number") return sign * (a - b || 0);
    if (typeof a !== typeof b) return sign * (typeof a === "number" ? -1 : 1);
    return sign * String(a).localeCompare(String(b), "en", { numeric: true });
  }

  function start(root) {
    const body = root.querySelector("tbody");
    const box = root.querySelector(".rows");
    const heads = [...root.querySelectorAll("th")];
    const rows = rowsOf(root, body);
    const count = root.querySelector(".count");
    const search = root.querySelector("input");
    let [sorted, found] = [rows, rows];

    // Adds the next rows that are found.
    function more() {
      const from = body.rows.length;
      const next = rows[0]?.cells ? found.slice(from, from + AT_ONCE) : found.slice(from);
      body.append(...next.map((row) => (row.element ??= elementOf(row.cells))));
    }

    function fill() {
      const words = (search?.value ?? "").toLowerCase().split(/\s+/).filter(Boolean);
      found = sorted.filter((row) => words.every((word) => row.text.includes(word)));
      if (words.length) count.textContent = found.length + " of " + rows.length + " rows";
      else count.textContent = rows.length > AT_ONCE ? rows.length + " rows" : "";
      body.replaceChildren();
      more();
      box.scrollTop = 0;
    }

    // By a column: rising, then falling, then as it was.
    function sort(column) {
      const next = { none: "ascending", ascending: "descending", descending: "none" };
      const order = next[heads[column].getAttribute("aria-sort") ?? "none"];
      heads.forEach((head) => head.removeAttribute("aria-sort"));
      if (order !== "none") heads[column].setAttribute("aria-sort", order);
      const sign = order === "descending" ? -1 : 1;
      sorted = order === "none" ? rows : [...rows].sort((a, b) => compare(a.values[column], b.values[column], sign));
      fill();
    }

    // What is found, in the order in which it is seen, below the names of its columns.
    const data = () => [heads.map((head) => head.dataset.key), ...found.map((row) => row.values)];

    heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => sort(column)));
    search?.addEventListener("input", fill);
    box.addEventListener("scroll", () => {
      if (box.scrollTop + box.clientHeight > box.scrollHeight - 400) more();
    });
    const name = root.dataset.name;
    const acts = {
      copy: (button) => crestline.copy(data().map((row) => row.map((value) => value ?? "").join("\t")).join("\n") + "\n", button),
      csv: () => crestline.save(name + ".csv", "text/csv", crestline.csv(data())),
      json: () => crestline.save(name + ".json", "application/json", crestline.json(data())),
    };
    for (const button of root.querySelectorAll(".tools button")) {
      button.addEventListener("click", () => acts[button.dataset.do](button));
    }
    fill();
  }

  document.querySelectorAll(".table").forEach(start);
})();
