// The waterfall: one row a request, drawn on a canvas, with zoom and pan by mouse and keyboard.
//
// Times are whole microseconds since the first start. Nothing is loaded and nothing is kept.
"use strict";
(() => {
  const LEFT = 84, TOP = 30, RIGHT = 14, BOTTOM = 8;
  const LEAST_SPAN = 50, TALLEST = 26, DENSE = 2;
  const KINDS = ["first", "short", "middle", "long"];

  // A row of the data as it is drawn: edges between its segments, their classes and how many tokens came with each.
  function unpacked([due, admitted, start, end, prompt, output, failure, parts], limits) {
    const edges = new Float64Array(parts.length + 1);
    const classes = new Uint8Array(parts.length);
    let tokens = null;
    edges[0] = start;
    parts.forEach((part, place) => {
      const [span, count] = Array.isArray(part) ? part : [part, 1];
      edges[place + 1] = edges[place] + span;
      if (count !== 1) {
        tokens ??= new Uint32Array(parts.length).fill(1);
        tokens[place] = count;
      }
      const gap = span / count / 1000;
      classes[place] = place === 0 ? 0 : gap < limits[0] ? 1 : gap < limits[1] ? 2 : 3;
    });
    return { due, admitted, start, end, prompt, output, failure, edges, classes, tokens };
  }

  // A span in the unit that suits it.
  function span(us) {
    const size = Math.abs(us);
    if (size >= 1e6) return (us / 1e6).toFixed(size >= 1e8 ? 1 : 3) + " s";
    if (size >= 1e3) return (us / 1e3).toFixed(size >= 1e5 ? 1 : 2) + " ms";
    return Math.round(us) + " µs";
  }

  const moment = (us) => (us / 1e6).toFixed(4) + " s";

  // Round steps for about so many ticks.
  function step(range, ticks) {
    const wanted = range / Math.max(1, ticks);
    const power = 10 ** Math.floor(Math.log10(wanted));
    return [1, 2, 5, 10].map((factor) => factor * power).find((it) => it >= wanted) ?? wanted;
  }

  // `#rrggbb` as three numbers.
  const parts = (colour) => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));

  function start(root) {
    const data = JSON.parse(root.querySelector("script[type='application/json']").textContent);
    const rows = data.rows.map((row) => unpacked(row, data.thresholds_ms));
    const canvas = root.querySelector("canvas");
    const tip = root.querySelector(".tip");
    const said = root.querySelector(".said");
    const pen = canvas.getContext("2d");
    const whole = {
      t0: rows.reduce((least, row) => Math.min(least, row.due), 0),
      t1: rows.reduce((most, row) => Math.max(most, row.end), 1),
    };
    const view = { t0: 0, t1: 1, r0: 0, r1: 1 };
    let size = { width: 0, height: 0 };
    let colours = {};
    let chosen = -1;
    let waiting = 0;

    const room = () => ({ width: Math.max(1, size.width - LEFT - RIGHT), height: Math.max(1, size.height - TOP - BOTTOM) });
    const x = (t) => LEFT + ((t - view.t0) / (view.t1 - view.t0)) * room().width;
    const y = (row) => TOP + ((row - view.r0) / (view.r1 - view.r0)) * room().height;
    const time = (px) => view.t0 + ((px - LEFT) / room().width) * (view.t1 - view.t0);
    const rowAt = (py) => view.r0 + ((py - TOP) / room().height) * (view.r1 - view.r0);
    const tallest = () => Math.max(rows.length, room().height / TALLEST);

    function fit() {
      const edge = (whole.t1 - whole.t0) * 0.01;
      Object.assign(view, { t0: whole.t0 - edge, t1: whole.t1 + edge, r0: 0, r1: tallest() });
      draw();
    }

    // Keeps the view within the run.
    function settle() {
      const edge = (whole.t1 - whole.t0) * 0.01 + 1;
      const [low, high] = [whole.t0 - edge, whole.t1 + edge];
      const length = Math.min(high - low, Math.max(LEAST_SPAN, view.t1 - view.t0));
      view.t0 = Math.min(high - length, Math.max(low, view.t0));
      view.t1 = view.t0 + length;
      const count = Math.min(tallest(), Math.max(room().height / TALLEST, view.r1 - view.r0));
      view.r0 = Math.min(tallest() - count, Math.max(0, view.r0));
      view.r1 = view.r0 + count;
      draw();
    }

    // Around a time and a row, which stay where they are; `null` leaves times or rows as they are.
    function zoom(factor, t, row) {
      if (t !== null) {
        view.t0 = t - (t - view.t0) * factor;
        view.t1 = t + (view.t1 - t) * factor;
      }
      if (row !== null) {
        const most = room().height / TALLEST / (view.r1 - view.r0);
        const lines = Math.max(factor, Math.min(1, most));
        view.r0 = row - (row - view.r0) * lines;
        view.r1 = row + (view.r1 - row) * lines;
      }
      settle();
    }

    // The rows of requests that are under way in the times that are shown.
    function rowsHere() {
      const isHere = (row) => row.end >= view.t0 && row.start <= view.t1;
      const first = rows.findIndex(isHere);
      if (first < 0) return;
      view.r0 = first;
      view.r1 = rows.findLastIndex(isHere) + 1;
      settle();
    }

    function pan(times, lines) {
      const [wide, high] = [(view.t1 - view.t0) * times, (view.r1 - view.r0) * lines];
      view.t0 += wide;
      view.t1 += wide;
      view.r0 += high;
      view.r1 += high;
      settle();
    }

    function draw() {
      if (!waiting) waiting = requestAnimationFrame(() => { waiting = 0; paint(); });
    }

    function readColours() {
      const style = getComputedStyle(root);
      const names = ["slot", "send", ...KINDS, "ground", "grid", "text", "quiet", "failed"];
      colours = Object.fromEntries(names.map((name) => [name, style.getPropertyValue("--" + name).trim()]));
    }

    function paint() {
      const ratio = window.devicePixelRatio || 1;
      size = { width: canvas.clientWidth, height: canvas.clientHeight };
      canvas.width = Math.round(size.width * ratio);
      canvas.height = Math.round(size.height * ratio);
      pen.setTransform(ratio, 0, 0, ratio, 0, 0);
      pen.fillStyle = colours.ground;
      pen.fillRect(0, 0, size.width, size.height);
      const height = room().height / (view.r1 - view.r0);
      paintTimes();
      pen.save();
      pen.beginPath();
      pen.rect(LEFT, TOP, room().width, room().height);
      pen.clip();
      const [first, last] = [Math.max(0, Math.floor(view.r0)), Math.min(rows.length, Math.ceil(view.r1))];
      if (height < DENSE) paintDense(first, last);
      else for (let row = first; row < last; row++) paintRow(rows[row], y(row), height);
      for (let row = first; row < last; row++) if (rows[row].failure) paintFailure(rows[row], y(row), height);
      if (chosen >= first && chosen < last) {
        pen.strokeStyle = colours.text;
        pen.strokeRect(LEFT + 0.5, y(chosen) - 0.5, room().width - 1, Math.max(2, height));
      }
      pen.restore();
      paintLabels(first, last, height);
    }

    function paintTimes() {
      const every = step(view.t1 - view.t0, room().width / 110);
      const unit = every >= 1e5 ? [1e6, " s"] : every >= 100 ? [1e3, " ms"] : [1, " µs"];
      const digits = Math.max(0, -Math.floor(Math.log10(every / unit[0]) + 1e-9));
      pen.font = "12px system-ui, sans-serif";
      pen.textAlign = "center";
      pen.textBaseline = "middle";
      for (let t = Math.ceil(view.t0 / every) * every; t <= view.t1; t += every) {
        const at = x(t);
        pen.fillStyle = colours.grid;
        pen.fillRect(Math.round(at), TOP, 1, room().height);
        const text = (t / unit[0]).toFixed(digits).replace(/^-(0(\.0+)?)$/, "$1") + unit[1];
        const half = pen.measureText(text).width / 2;
        pen.fillStyle = colours.quiet;
        pen.fillText(text, Math.min(size.width - half - 2, Math.max(half + 2, at)), TOP / 2);
      }
    }

    function paintLabels(first, last, height) {
      const every = Math.max(1, Math.round(step(18 / height, 1)));
      pen.textAlign = "right";
      pen.fillStyle = colours.quiet;
      for (let row = Math.ceil(first / every) * every; row < last; row += every) {
        const middle = y(row) + height / 2;
        if (middle > TOP && middle < size.height - BOTTOM + 2) pen.fillText("Req " + row, LEFT - 8, middle);
      }
    }

    // A bar from one time to another, one pixel wide at least.
    function bar(colour, from, to, top, height) {
      const left = Math.max(LEFT - 1, x(from));
      const right = Math.min(size.width, x(to));
      if (right < LEFT || left > size.width) return;
      pen.fillStyle = colour;
      pen.fillRect(left, top, Math.max(right - left, 0.7), height);
    }

    function paintRow(row, top, height) {
      const gap = height >= 8 ? Math.min(5, height * 0.22) : height >= 4 ? 1 : 0;
      const full = height - gap;
      const thin = Math.max(1, full * 0.34);
      const middle = top + gap / 2 + (full - thin) / 2;
      if (row.admitted > row.due) bar(colours.slot, row.due, row.admitted, middle, thin);
      if (row.start > row.admitted) bar(colours.send, row.admitted, row.start, middle, thin);
      const { edges, classes } = row;
      const last = edges[edges.length - 1];
      if (row.end > last) bar(row.failure ? colours.failed : colours.send, last, row.end, middle, Math.max(1, thin / 2));
      // Segments that share a pixel are drawn as the slowest of them.
      let place = Math.max(0, after(edges, view.t0) - 1);
      while (place < classes.length && edges[place] < view.t1) {
        const from = place;
        let worst = classes[place];
        const pixel = x(edges[place]) + 1;
        while (place + 1 < classes.length && x(edges[place + 1]) < pixel) {
          place += 1;
          worst = Math.max(worst, classes[place]);
        }
        const right = x(edges[place + 1]);
        const wide = right - x(edges[from]);
        const end = wide >= 5 ? time(right - 1) : edges[place + 1];
        bar(colours[KINDS[worst]], edges[from], end, top + gap / 2, full);
        if (row.tokens && row.tokens[place] > 1 && from === place) paintTokens(row, place, top + gap / 2, full);
        place += 1;
      }
    }

    // Marks the parts of a segment that brought several tokens at once.
    function paintTokens(row, place, top, height) {
      const count = row.tokens[place];
      const [left, right] = [x(row.edges[place]), x(row.edges[place + 1])];
      if ((right - left) / count < 4) return;
      pen.fillStyle = colours.ground;
      for (let token = 1; token < count; token++) {
        pen.fillRect(left + ((right - left) * token) / count - 0.5, top + height * 0.55, 1, height * 0.45);
      }
    }

    // First place whose edge is later than a time.
    function after(edges, t) {
      let [low, high] = [0, edges.length];
      while (low < high) {
        const middle = (low + high) >> 1;
        if (edges[middle] > t) high = middle;
        else low = middle + 1;
      }
      return low;
    }

    // Many rows a pixel: each pixel has the mean of the colours that fall on it, by the time they take.
    function paintDense(first, last) {
      const [width, height] = [Math.round(room().width), Math.round(room().height)];
      const sums = new Float32Array(width * height * 4);
      const counts = new Float32Array(height);
      const palette = KINDS.map((kind) => parts(colours[kind]));
      const extra = { slot: parts(colours.slot), send: parts(colours.send), failed: parts(colours.failed) };
      const scale = width / (view.t1 - view.t0);
      const add = (line, from, to, colour) => {
        const left = Math.max(0, (from - view.t0) * scale);
        const right = Math.min(width, (to - view.t0) * scale);
        for (let column = Math.floor(left); column < right; column++) {
          const share = Math.min(right, column + 1) - Math.max(left, column);
          const at = (line * width + column) * 4;
          sums[at] += share * colour[0];
          sums[at + 1] += share * colour[1];
          sums[at + 2] += share * colour[2];
          sums[at + 3] += share;
        }
      };
      for (let row = first; row < last; row++) {
        const line = Math.floor(((row - view.r0) / (view.r1 - view.r0)) * height);
        if (line < 0 || line >= height) continue;
        counts[line] += 1;
        const it = rows[row];
        const last = it.edges[it.edges.length - 1];
        if (it.admitted > it.due) add(line, it.due, it.admitted, extra.slot);
        if (it.start > it.admitted) add(line, it.admitted, it.start, extra.send);
        if (it.end > last) add(line, last, it.end, it.failure ? extra.failed : extra.send);
        for (let place = Math.max(0, after(it.edges, view.t0) - 1); place < it.classes.length && it.edges[place] < view.t1; place++) {
          add(line, it.edges[place], it.edges[place + 1], palette[it.classes[place]]);
        }
      }
      const image = new ImageData(width, height);
      const ground = parts(colours.ground);
      for (let line = 0, source = 0; line < height; line++) {
        // A line without a row of its own is like the one above.
        if (counts[line]) source = line;
        for (let column = 0; column < width; column++) {
          const [from, to] = [(source * width + column) * 4, (line * width + column) * 4];
          const count = counts[source] || 1;
          const empty = Math.max(0, count - sums[from + 3]);
          for (let part = 0; part < 3; part++) image.data[to + part] = (sums[from + part] + empty * ground[part]) / (empty + sums[from + 3]);
          image.data[to + 3] = 255;
        }
      }
      const sheet = document.createElement("canvas");
      sheet.width = width;
      sheet.height = height;
      sheet.getContext("2d").putImageData(image, 0, 0);
      pen.imageSmoothingEnabled = false;
      pen.drawImage(sheet, LEFT, TOP, room().width, room().height);
    }

    function paintFailure(row, top, height) {
      const at = x(row.end);
      const middle = top + height / 2;
      const arm = Math.max(2, Math.min(5, height / 3));
      pen.strokeStyle = colours.failed;
      pen.lineWidth = height >= 8 ? 2 : 1.2;
      pen.beginPath();
      pen.moveTo(at - arm, middle - arm);
      pen.lineTo(at + arm, middle + arm);
      pen.moveTo(at - arm, middle + arm);
      pen.lineTo(at + arm, middle - arm);
      pen.stroke();
      pen.lineWidth = 1;
    }

    // What lies at a time of a row: name, from, to, and more words.
    function found(row, t) {
      const { edges, classes, tokens } = row;
      const last = edges[edges.length - 1];
      if (t < row.due || t > row.end) return null;
      if (t < row.admitted) return ["waiting for a slot", row.due, row.admitted];
      if (t < row.start) return ["connecting and sending", row.admitted, row.start];
      if (t >= last) return [row.failure ? "no token until it failed" : "rest of the response", last, row.end];
      const place = after(edges, t) - 1;
      if (place === 0) return [data.first, edges[0], edges[1]];
      const count = tokens ? tokens[place] : 1;
      const [from, to] = [edges[place], edges[place + 1]];
      const words = ["", "short", "middle", "long"][classes[place]];
      const each = count > 1 ? "\n" + count + " " + data.unit + ", " + span((to - from) / count) + " each" : "";
      return ["ITL, " + words, from, to, each];
    }

    function describe(index, part) {
      const row = rows[index];
      const lines = ["Request " + index + (row.failure ? " failed: " + row.failure : "")];
      if (part) {
        const [name, from, to, more] = part;
        lines.push(name + ": " + span(to - from) + (more ?? ""), "from " + moment(from) + " to " + moment(to));
      }
      lines.push(
        "prompt " + row.prompt + " tokens, output " + row.output + " tokens",
        "request from " + moment(row.start) + " to " + moment(row.end) + ", " + span(row.end - row.start),
      );
      return lines;
    }

    function show(lines, left, top) {
      tip.replaceChildren(...lines.join("\n").split("\n").map((line, place) => {
        const element = document.createElement(place === 0 ? "strong" : "div");
        element.textContent = line;
        return element;
      }));
      tip.hidden = false;
      const beside = left + 16 + tip.offsetWidth > size.width ? left - tip.offsetWidth - 12 : left + 16;
      tip.style.left = Math.max(0, beside) + "px";
      tip.style.top = Math.max(0, Math.min(canvas.offsetTop + top + 14, canvas.offsetTop + size.height - tip.offsetHeight)) + "px";
    }

    function choose(index) {
      if (!rows.length) return;
      chosen = Math.max(0, Math.min(rows.length - 1, index));
      const lines = describe(chosen, null);
      const count = Math.min(view.r1 - view.r0, room().height / 14);
      if (chosen < view.r0 || chosen + 1 > view.r1 || view.r1 - view.r0 > count) {
        view.r0 = chosen - count / 2;
        view.r1 = view.r0 + count;
      }
      const { start, end } = rows[chosen];
      if (end < view.t0 || start > view.t1) {
        const half = (view.t1 - view.t0) / 2;
        view.t0 = (start + end) / 2 - half;
        view.t1 = (start + end) / 2 + half;
      }
      settle();
      said.textContent = lines.join(". ");
      show(lines, Math.max(LEFT, x(rows[chosen].start)), y(chosen));
    }

    let held = null;
    canvas.addEventListener("pointerdown", (event) => {
      held = { left: event.clientX, top: event.clientY };
      canvas.setPointerCapture(event.pointerId);
      canvas.classList.add("held");
      tip.hidden = true;
    });
    for (const end of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(end, () => {
        held = null;
        canvas.classList.remove("held");
      });
    }
    canvas.addEventListener("pointermove", (event) => {
      if (held) {
        pan((held.left - event.clientX) / room().width, (held.top - event.clientY) / room().height);
        held = { left: event.clientX, top: event.clientY };
        return;
      }
      const box = canvas.getBoundingClientRect();
      const [left, top] = [event.clientX - box.left, event.clientY - box.top];
      const index = Math.floor(rowAt(top));
      const row = top > TOP && left > LEFT ? rows[index] : undefined;
      const part = row && found(row, time(left));
      if (part) show(describe(index, part), left, top);
      else tip.hidden = true;
    });
    canvas.addEventListener("pointerleave", () => { tip.hidden = true; });
    canvas.addEventListener("dblclick", fit);
    canvas.addEventListener("wheel", (event) => {
      // Without a click before it the wheel moves the page, as everywhere.
      if (!event.ctrlKey && document.activeElement !== canvas) return;
      event.preventDefault();
      const box = canvas.getBoundingClientRect();
      const [left, top] = [event.clientX - box.left, event.clientY - box.top];
      const factor = Math.exp(Math.max(-1, Math.min(1, event.deltaY / 300)));
      if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) pan((event.deltaX || event.deltaY) / 800, 0);
      else zoom(factor, left < LEFT ? null : time(left), top < TOP ? null : rowAt(top));
    }, { passive: false });

    const middleTime = () => (view.t0 + view.t1) / 2;
    const middleRow = () => (view.r0 + view.r1) / 2;
    const nextFailed = () => {
      const index = rows.findIndex((row, place) => place > chosen && row.failure);
      return index >= 0 ? index : rows.findIndex((row) => row.failure);
    };
    const keys = {
      "+": () => zoom(0.7, middleTime(), middleRow()),
      "=": () => zoom(0.7, middleTime(), middleRow()),
      "-": () => zoom(1 / 0.7, middleTime(), middleRow()),
      ".": () => zoom(0.7, middleTime(), null),
      ",": () => zoom(1 / 0.7, middleTime(), null),
      "]": () => zoom(0.7, null, middleRow()),
      "[": () => zoom(1 / 0.7, null, middleRow()),
      ArrowLeft: () => pan(-0.1, 0),
      ArrowRight: () => pan(0.1, 0),
      ArrowUp: () => pan(0, -0.1),
      ArrowDown: () => pan(0, 0.1),
      PageUp: () => pan(0, -0.9),
      PageDown: () => pan(0, 0.9),
      r: rowsHere,
      Home: fit,
      0: fit,
      n: () => choose(chosen + 1),
      p: () => choose(chosen - 1),
      f: () => { const index = nextFailed(); if (index >= 0) choose(index); },
      Escape: () => { chosen = -1; tip.hidden = true; draw(); },
    };
    canvas.addEventListener("keydown", (event) => {
      const act = event.ctrlKey || event.metaKey || event.altKey ? undefined : keys[event.key];
      if (!act) return;
      event.preventDefault();
      act();
    });
    for (const button of root.querySelectorAll("button[data-key]")) {
      button.addEventListener("click", () => keys[button.dataset.key]());
    }

    const repaint = () => { readColours(); draw(); };
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
    new MutationObserver(repaint).observe(document.documentElement, { attributeFilter: ["data-theme"] });
    let shown = false;
    new ResizeObserver(() => {
      size = { width: canvas.clientWidth, height: canvas.clientHeight };
      if (shown) settle();
      else fit();
      shown = size.width > 0;
    }).observe(canvas);
    readColours();
    // For tests and for those who look behind the page.
    root.view = view;
  }

  document.querySelectorAll(".waterfall").forEach(start);
})();
