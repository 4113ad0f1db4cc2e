// Files and the clipboard: what is on the page, to be taken away. Nothing is sent anywhere.
"use strict";
const crestline = {
  // Hands a text over as a file.
  save(name, type, text) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: type + ";charset=utf-8" }));
    link.download = name;
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  },

  // Puts a text into the clipboard, and says on the button whether it is there.
  async copy(text, button) {
    let said = "Copied";
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      if (!document.execCommand("copy")) said = "Not copied";
      area.remove();
      button.focus();
    }
    button.dataset.said ??= button.textContent;
    button.textContent = said;
    setTimeout(() => { button.textContent = button.dataset.said; }, 1500);
  },

  // Rows as comma-separated values: quoted where they must be, no value as nothing.
  csv(rows) {
    const cell = (value) => {
      const text = value === null || value === undefined ? "" : String(value);
      return /[",\r\n]/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text;
    };
    return rows.map((row) => row.map(cell).join(",") + "\r\n").join("");
  },

  // Rows below their names, as JSON objects. Numbers that JSON has no form for are text.
  json([names, ...rows]) {
    const safe = (value) => (typeof value === "number" && !Number.isFinite(value) ? String(value) : value);
    const objects = rows.map((row) => Object.fromEntries(names.map((name, place) => [name, safe(row[place])])));
    return JSON.stringify(objects, null, 1) + "\n";
  },
};

for (const button of document.querySelectorAll("[data-do=copy-code]")) {
  button.addEventListener("click", () => crestline.copy(button.closest(".code").querySelector("pre").textContent, button));
}
for (const button of document.querySelectorAll("[data-do=file]")) {
  button.addEventListener("click", () => {
    const text = JSON.parse(button.parentElement.querySelector("script").textContent);
    crestline.save(button.dataset.file, button.dataset.type, text);
  });
}
