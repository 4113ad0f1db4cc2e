// Plots of figures: a part of the axes is shown in their room, and all that lies in it is placed anew.
//
// A view of an axis is two shares of it: [0, 1] is all. Plots of a figure whose axes are the same share their views.
"use strict";
crestline.plots = (() => {
  const NARROWEST = 1 / 80, MARGIN = 1;
  const { share, ticks } = crestline.scale;

  const middle = (values) => (Math.min(...values) + Math.max(...values)) / 2;
  const short = (at) => String(Math.round(at * 100) / 100);

  // Shapes of a part of a plot, as they were drawn. What keeps its size has a place that it keeps its distance from.
  const drawnShapes = (part) => [...part.querySelectorAll("polyline,polygon,circle,rect,text")].map((shape) => {
    const names = ["points", "cx", "cy", "x", "y", "width", "height", "transform"];
    const before = Object.fromEntries(names.filter((name) => shape.hasAttribute(name)).map((name) => [name, shape.getAttribute(name)]));
    const points = before.points?.split(" ").map((pair) => pair.split(",").map(Number));
    const own = points ? [0, 1].map((axis) => middle(points.map((point) => point[axis]))) : ["x", "y"].map((name) => Number(before[name]));
    const { as } = shape.dataset;
    const isText = shape.localName === "text";
    const held = as && as !== "middle" ? as.split(" ").map((at) => (at === "-" ? null : Number(at))) : as || isText ? own : null;
    return { shape, before, points, held };
  });

  // Draws a shape where two functions of places say.
  function place({ shape, before, points, held }, x, y) {
    const set = (name, at) => shape.setAttribute(name, short(at));
    const by = held && [held[0] === null ? 0 : x(held[0]) - held[0], held[1] === null ? 0 : y(held[1]) - held[1]];
    if (points) {
      const move = by ? ([left, top]) => [left + by[0], top + by[1]] : ([left, top]) => [x(left), y(top)];
      shape.setAttribute("points", points.map((point) => move(point).map(short).join(",")).join(" "));
    } else if (shape.localName === "circle") {
      set("cx", x(Number(before.cx)));
      set("cy", y(Number(before.cy)));
    } else {
      const [left, top, width, height] = ["x", "y", "width", "height"].map((name) => Number(before[name]));
      set("x", by ? left + by[0] : x(left));
      set("y", by ? top + by[1] : y(top));
      if (!by) {
        set("width", x(left + width) - x(left));
        set("height", y(top + height) - y(top));
      }
      if (before.transform) shape.setAttribute("transform", "rotate(-90 " + shape.getAttribute("x") + " " + shape.getAttribute("y") + ")");
    }
  }

  const restore = ({ shape, before }) => Object.entries(before).forEach(([name, text]) => shape.setAttribute(name, text));

  // Marks of an axis: those of the whole as they were drawn, others like them.
  class Ticks {
    constructor(group, axis) {
      Object.assign(this, { group, axis, before: [...group.childNodes] });
      this.line = group.querySelector("polyline");
      this.text = group.querySelector("text");
    }

    draw(view, isWhole, [from, to], isAcross) {
      if (isWhole || !this.line || !this.text) return this.group.replaceChildren(...this.before);
      const at = (tick) => from + ((share(this.axis, tick.value) - view[0]) / (view[1] - view[0])) * (to - from);
      const room = Math.abs(to - from);
      const fits = (all) => !isAcross || all.every((tick, place) => !place
        || at(tick) - at(all[place - 1]) > (tick.text.length + all[place - 1].text.length) * 3.4 + 10);
      let most = Math.max(2, Math.round(room / (isAcross ? 60 : 34)));
      let marks = ticks(this.axis, view, most);
      while (most > 2 && !fits(marks)) marks = ticks(this.axis, view, --most);
      this.group.replaceChildren(...marks.flatMap((tick) => this.tick(tick.text, at(tick), isAcross)));
    }

    tick(words, at, isAcross) {
      const [line, text] = [this.line.cloneNode(), this.text.cloneNode()];
      const points = this.line.getAttribute("points").split(" ").map((pair) => pair.split(",").map(Number));
      line.setAttribute("points", points.map(([x, y]) => (isAcross ? [short(at), y] : [x, short(at)]).join(",")).join(" "));
      if (isAcross) text.setAttribute("x", short(at));
      else text.setAttribute("y", short(at + Number(this.text.getAttribute("y")) - points[0][1]));
      text.textContent = words;
      return [line, text];
    }
  }

  // One plot of a figure.
  class Plot {
    constructor(svg, data, index, views) {
      const parts = (name) => [...svg.querySelectorAll("[data-part='" + name + "'][data-plot='" + index + "']")];
      const [left, top, right, bottom] = data.frame;
      Object.assign(this, { data, left, top, right, bottom });
      [this.x, this.y] = ["x", "y"].map((name) => {
        const key = name + JSON.stringify(data[name]);
        if (!views.has(key)) views.set(key, [0, 1]);
        return views.get(key);
      });
      const [, , wide, high] = svg.getAttribute("viewBox").split(" ").map(Number);
      const far = 2 * (wide + high);
      const inside = { left: left - MARGIN, top: top - MARGIN, width: right - left + 2 * MARGIN, height: bottom - top + 2 * MARGIN };
      const boxes = {
        inside,
        beside: { ...inside, left: -far, width: 2 * far + wide },
        below: { ...inside, top: -far, height: 2 * far + high },
      };
      this.rooms = Object.keys(boxes).flatMap((name) => parts(name).map((part) => ({ name, part, box: boxes[name], shapes: null })));
      this.ticksX = parts("ticks-x").map((group) => new Ticks(group, data.x));
      this.ticksY = parts("ticks-y").map((group) => new Ticks(group, data.y));
      this.series = data.series.filter((series) => series.role !== "band");
    }

    get isWhole() {
      return [...this.x, ...this.y].every((at, place) => at === place % 2);
    }

    // From places as they were drawn to those that are seen.
    seenX = (px) => this.left + ((px - this.left) / (this.right - this.left) - this.x[0]) / (this.x[1] - this.x[0]) * (this.right - this.left);
    seenY = (py) => this.bottom - ((this.bottom - py) / (this.bottom - this.top) - this.y[0]) / (this.y[1] - this.y[0]) * (this.bottom - this.top);

    shareX = (px) => this.x[0] + (px - this.left) / (this.right - this.left) * (this.x[1] - this.x[0]);
    shareY = (py) => this.y[0] + (this.bottom - py) / (this.bottom - this.top) * (this.y[1] - this.y[0]);

    // Where values are seen.
    at(x, y) {
      const clamped = (axis, value) => Math.min(1, Math.max(0, share(axis, value)));
      return [
        this.seenX(this.left + clamped(this.data.x, x) * (this.right - this.left)),
        this.seenY(this.bottom - clamped(this.data.y, y) * (this.bottom - this.top)),
      ];
    }

    holds([x, y], margin = 0) {
      return x >= this.left - margin && x <= this.right + margin && y >= this.top - margin && y <= this.bottom + margin;
    }

    draw() {
      const { isWhole } = this;
      for (const room of this.rooms) {
        room.shapes ??= drawnShapes(room.part);
        const { part, box, name, shapes } = room;
        const edges = { x: box.left, y: box.top, width: box.width, height: box.height };
        for (const [edge, at] of Object.entries(edges)) isWhole ? part.removeAttribute(edge) : part.setAttribute(edge, short(at));
        if (isWhole) part.removeAttribute("viewBox");
        else part.setAttribute("viewBox", [box.left, box.top, box.width, box.height].map(short).join(" "));
        part.setAttribute("overflow", isWhole ? "visible" : "hidden");
        const [x, y] = [name === "beside" ? (at) => at : this.seenX, name === "below" ? (at) => at : this.seenY];
        shapes.forEach((shape) => (isWhole ? restore(shape) : place(shape, x, y)));
      }
      this.ticksX.forEach((it) => it.draw(this.x, this.x[0] === 0 && this.x[1] === 1, [this.left, this.right], true));
      this.ticksY.forEach((it) => it.draw(this.y, this.y[0] === 0 && this.y[1] === 1, [this.bottom, this.top], false));
    }

    // All values of what is not hidden, with where they are seen.
    *points(hidden) {
      for (const series of this.series) {
        if (hidden.has(series.name)) continue;
        for (let row = 0; row < series.rows.length; row++) {
          const values = series.rows[row];
          const isBar = series.role === "bar";
          const x = isBar ? (values[0] + values[1]) / 2 : values[0];
          const y = values[values.length - 1];
          yield { plot: this, series, row, x, y, place: this.at(x, y), span: isBar ? values.slice(0, 2) : null };
        }
      }
    }
  }

  // A view between 0 and 1, no narrower than it may be.
  function settle(view, from, to) {
    const wide = Math.min(1, Math.max(NARROWEST, to - from));
    view[0] = Math.min(1 - wide, Math.max(0, (from + to - wide) / 2));
    view[1] = view[0] + wide;
    if (wide > 0.9999) [view[0], view[1]] = [0, 1];
  }

  const zoomView = (view, factor, at) => settle(view, at - (at - view[0]) * factor, at + (view[1] - at) * factor);
  const panView = (view, by) => {
    const wide = view[1] - view[0];
    const from = Math.min(1 - wide, Math.max(0, view[0] + by * wide));
    settle(view, from, from + wide);
  };

  return { Plot, settle, zoomView, panView, short };
})();
