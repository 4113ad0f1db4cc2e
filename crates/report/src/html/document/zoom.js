// Figures that can be enlarged: by dragging a box, by wheel, pinch, buttons and keys; and what the value under the pointer is.
"use strict";
(() => {
  const NEAR = 28, LINES = 12, MARGIN = 5;
  const { share, clock } = crestline.scale;
  const { Plot, settle, zoomView, panView, short } = crestline.plots;

  function number(value) {
    const size = Math.abs(value);
    if (size !== 0 && (size < 1e-4 || size >= 1e15)) return value.toExponential(3);
    return size >= 1e4 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(5)));
  }

  function start(root) {
    const data = JSON.parse(root.querySelector("script").textContent);
    const [drawn, tip] = [root.querySelector(".drawn"), root.querySelector(".tip")];
    const svg = drawn.querySelector("svg");
    const views = new Map();
    const plots = data.map((plot, index) => new Plot(svg, plot, index, views));
    const hidden = new Set();
    const all = root.querySelector("[data-key='0']");
    let [waiting, chosen] = [0, -1];

    const draw = () => {
      waiting ||= requestAnimationFrame(() => {
        waiting = 0;
        plots.forEach((plot) => plot.draw());
        const isWhole = plots.every((plot) => plot.isWhole);
        drawn.classList.toggle("zoomed", !isWhole);
        all.disabled = isWhole;
      });
    };
    // Each view once, whatever plots share it.
    const eachView = (act) => { new Set(plots.flatMap((plot) => [plot.x, plot.y])).forEach(act); hide(); draw(); };
    const reset = () => eachView((view) => settle(view, 0, 1));
    const step = (factor) => eachView((view) => zoomView(view, factor, (view[0] + view[1]) / 2));
    const pan = (x, y) => {
      new Set(plots.map((plot) => plot.x)).forEach((view) => panView(view, x));
      new Set(plots.map((plot) => plot.y)).forEach((view) => panView(view, y));
      hide();
      draw();
    };

    const placeOf = (event) => {
      const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
      return [at.x, at.y];
    };
    // The plot under a place, or the one whose axis is there.
    const plotAt = (place) => plots.find((plot) => plot.holds(place)) ?? plots.find((plot) => plot.holds(place, 46));
    const isOverX = (plot, [, y]) => y > plot.bottom;
    const isOverY = (plot, [x]) => x < plot.left;

    function shape(name, attributes) {
      const made = document.createElementNS("http://www.w3.org/2000/svg", name);
      for (const [key, text] of Object.entries({ ...attributes, "data-tip": "" })) made.setAttribute(key, text);
      svg.append(made);
      return made;
    }

    function hide() {
      tip.hidden = true;
      svg.querySelectorAll("[data-tip]").forEach((mark) => mark.remove());
    }

    // The value that is nearest to a place of a plot, if any is near.
    function nearest(plot, [x, y]) {
      let [found, least] = [null, NEAR];
      for (const point of plot.points(hidden)) {
        const [left, top] = point.place;
        if (!plot.holds(point.place, MARGIN)) continue;
        const isOn = point.span && point.span.map((end) => plot.at(end, 0)[0]).every((edge, place) => (place ? x <= edge : x >= edge));
        const far = isOn ? Math.abs(y - top) / 1e4 : point.span ? Infinity : Math.hypot(left - x, (top - y) * 0.8);
        if (far < least) [found, least] = [point, far];
      }
      return found;
    }

    function line(className, words, number) {
      const [row, name, text] = ["div", "span", "span"].map((kind) => document.createElement(kind));
      name.textContent = words;
      text.textContent = number;
      row.className = className;
      row.append(name, text);
      return row;
    }

    // What is known at the x of a value: its own first, then all others there.
    function describe(point) {
      const { plot, x } = point;
      const { data } = plot;
      const header = point.span
        ? data.x.label + ": " + point.span.map(number).join(" to ")
        : data.x.label + ": " + (data.x.names.find(([value]) => value === x)?.[1] ?? (data.x.kind === "time" ? clock(data.x, x) : number(x)));
      const others = [...plot.points(hidden)].filter((other) => other.x === x && other.series.role === point.series.role);
      const shown = others.length > LINES ? [point] : others;
      const lines = shown.map((other) => {
        const band = data.series.find((series) => series.role === "band" && series.name === other.series.name);
        const ends = other.series.role === "curve" && band?.rows.find((row) => row[0] === x);
        const label = other.series.labels?.[other.row];
        const words = [other.series.name || data.y.label, label].filter(Boolean).join(", ");
        const isNear = other.series === point.series && other.row === point.row;
        return line(isNear ? "near" : "", words, number(other.y) + (ends ? " (" + number(ends[1]) + " to " + number(ends[2]) + ")" : ""));
      });
      const unit = shown.some((other) => other.series.name) ? [line("quiet", data.y.label, "")] : [];
      return [line("quiet", header, ""), ...unit, ...lines];
    }

    function show(point) {
      hide();
      const [x, y] = point.place;
      const { plot } = point;
      shape("polyline", { class: "across", points: [x, plot.top, x, plot.bottom].map(short).join(" ") });
      shape("circle", { class: "chosen", cx: short(x), cy: short(y), r: 6 });
      tip.replaceChildren(...describe(point));
      tip.hidden = false;
      const [box, room] = [svg.getBoundingClientRect(), drawn.getBoundingClientRect()];
      const at = new DOMPoint(x, y).matrixTransform(svg.getScreenCTM());
      const [left, top] = [at.x - room.left + drawn.scrollLeft, at.y - box.top];
      const isRight = at.x + 16 + tip.offsetWidth > room.right;
      tip.style.left = Math.max(drawn.scrollLeft, isRight ? left - tip.offsetWidth - 12 : left + 14) + "px";
      tip.style.top = Math.max(0, Math.min(top + 12, drawn.clientHeight - tip.offsetHeight - 2)) + "px";
    }

    // From value to value by keys; the view goes with it.
    function choose(by) {
      const points = plots.flatMap((plot) => [...plot.points(hidden)]);
      if (!points.length) return;
      chosen = (chosen + by + points.length) % points.length;
      const { plot, x, y, series, row } = points[chosen];
      const away = (view, at) => (at < view[0] ? at - view[0] - 0.02 : at > view[1] ? at - view[1] + 0.02 : 0) / (view[1] - view[0]);
      panView(plot.x, away(plot.x, share(plot.data.x, x)));
      panView(plot.y, away(plot.y, share(plot.data.y, y)));
      plots.forEach((it) => it.draw());
      draw();
      show([...plot.points(hidden)].find((point) => point.series === series && point.row === row));
    }

    const touches = new Map();
    let held = null;
    drawn.addEventListener("pointerdown", (event) => {
      const at = placeOf(event);
      const plot = plotAt(at);
      if (!plot || event.button !== 0) return;
      touches.set(event.pointerId, at);
      if (event.pointerType === "touch" && plots.every((it) => it.isWhole) && touches.size < 2) return;
      drawn.setPointerCapture(event.pointerId);
      held = { plot, from: at, moves: event.shiftKey || event.pointerType === "touch", box: null };
    });

    // Two fingers: what is between them stays between them.
    function pinch(event, at) {
      const [one, other] = [...touches.entries()].sort(([id]) => (id === event.pointerId ? -1 : 1)).map(([, place]) => place);
      const plot = plotAt(other);
      const far = (place) => Math.max(8, Math.hypot(place[0] - other[0], place[1] - other[1]));
      if (plot) {
        const factor = far(one) / far(at);
        zoomView(plot.x, factor, plot.shareX(other[0]));
        zoomView(plot.y, factor, plot.shareY(other[1]));
        draw();
      }
    }

    function drag(at) {
      const { plot, from } = held;
      if (held.moves) {
        panView(plot.x, (from[0] - at[0]) / (plot.right - plot.left));
        panView(plot.y, (at[1] - from[1]) / (plot.bottom - plot.top));
        held.from = at;
        draw();
      } else if (held.box || Math.hypot(at[0] - from[0], at[1] - from[1]) > 4) {
        held.box ??= shape("rect", { class: "box" });
        const { left, top, width, height } = boxOf(at);
        for (const [name, edge] of Object.entries({ x: left, y: top, width, height })) held.box.setAttribute(name, short(edge));
      }
    }

    // The box that is dragged; flat ones go over the whole height, narrow ones over the whole width.
    function boxOf(at) {
      const { plot, from } = held;
      const within = (value, low, high) => Math.min(high, Math.max(low, value));
      let [left, right] = [from[0], at[0]].map((x) => within(x, plot.left, plot.right)).sort((a, b) => a - b);
      let [top, bottom] = [from[1], at[1]].map((y) => within(y, plot.top, plot.bottom)).sort((a, b) => a - b);
      if (bottom - top < 14 || isOverX(plot, from)) [top, bottom] = [plot.top, plot.bottom];
      else if (right - left < 14 || isOverY(plot, from)) [left, right] = [plot.left, plot.right];
      return { left, top, width: right - left, height: bottom - top };
    }

    drawn.addEventListener("pointermove", (event) => {
      const at = placeOf(event);
      if (touches.has(event.pointerId)) {
        if (touches.size === 2) pinch(event, at);
        touches.set(event.pointerId, at);
      }
      if (touches.size < 2 && held) {
        if (!held.box) hide();
        drag(at);
        return;
      }
      const plot = plots.find((it) => it.holds(at, MARGIN));
      const point = plot && nearest(plot, at);
      if (point) show(point);
      else hide();
    });

    const release = (event) => {
      touches.delete(event.pointerId);
      if (held?.box && event.type === "pointerup") {
        const { plot } = held;
        const { left, top, width, height } = boxOf(placeOf(event));
        const [x, y] = [[plot.shareX(left), plot.shareX(left + width)], [plot.shareY(top + height), plot.shareY(top)]];
        settle(plot.x, ...x);
        settle(plot.y, ...y);
        draw();
      }
      if (held) hide();
      held = null;
    };
    drawn.addEventListener("pointerup", release);
    drawn.addEventListener("pointercancel", release);
    drawn.addEventListener("pointerleave", () => { if (!held) hide(); });
    drawn.addEventListener("dblclick", reset);
    drawn.addEventListener("wheel", (event) => {
      const at = placeOf(event);
      const plot = plotAt(at);
      // Without a click before it the wheel moves the page, as everywhere.
      if (!plot || !(event.ctrlKey || document.activeElement === drawn)) return;
      event.preventDefault();
      const factor = Math.exp(Math.max(-1, Math.min(1, event.deltaY / 300)));
      if (!isOverY(plot, at)) zoomView(plot.x, factor, plot.shareX(Math.min(plot.right, at[0])));
      if (!isOverX(plot, at)) zoomView(plot.y, factor, plot.shareY(Math.max(plot.top, at[1])));
      hide();
      draw();
    }, { passive: false });

    const keys = {
      "+": () => step(0.6),
      "=": () => step(0.6),
      "-": () => step(1 / 0.6),
      0: reset,
      Home: reset,
      ArrowLeft: () => pan(-0.15, 0),
      ArrowRight: () => pan(0.15, 0),
      ArrowUp: () => pan(0, 0.15),
      ArrowDown: () => pan(0, -0.15),
      n: () => choose(1),
      p: () => choose(-1),
      Escape: hide,
    };
    const isWhole = () => plots.every((plot) => plot.isWhole);
    drawn.addEventListener("keydown", (event) => {
      const act = event.ctrlKey || event.metaKey || event.altKey ? undefined : keys[event.key];
      // Arrows scroll until there is something to move.
      if (!act || (event.key.startsWith("Arrow") && isWhole())) return;
      event.preventDefault();
      act();
    });
    for (const button of root.querySelectorAll("[data-key]")) {
      button.addEventListener("click", () => keys[button.dataset.key]());
    }
    for (const button of root.querySelectorAll("[data-hides]")) {
      button.addEventListener("click", () => {
        const name = button.dataset.hides;
        const isHidden = !hidden.delete(name);
        if (isHidden) hidden.add(name);
        button.setAttribute("aria-pressed", String(!isHidden));
        for (const group of svg.querySelectorAll("[data-series]")) {
          if (group.dataset.series === name) group.style.display = isHidden ? "none" : "";
        }
        hide();
      });
    }
    const { name } = root.dataset;
    const files = {
      svg: () => crestline.save(name + ".svg", "image/svg+xml", crestline.figure.svg(svg)),
      csv: () => crestline.save(name + ".csv", "text/csv", crestline.csv(crestline.figure.rows(data))),
      json: () => crestline.save(name + ".json", "application/json", crestline.figure.json(data)),
    };
    for (const button of root.querySelectorAll(".tools [data-do]")) {
      button.addEventListener("click", () => files[button.dataset.do]());
    }
  }

  document.querySelectorAll(".figure").forEach(start);
})();
