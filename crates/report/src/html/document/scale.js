// Scales of figures: where a value lies between the ends of its axis, which value lies where, and round values to mark.
//
// The same as `figures/scale.rs` for any part of an axis. A share of 0 is at the lower end, 1 at the upper one.
"use strict";
crestline.scale = (() => {
  const LEAST = 1e-15, MOST_PERCENT = 99.99999;
  const nines = (percent) => -Math.log10(1 - Math.min(MOST_PERCENT, Math.max(0, percent)) / 100);
  const root = (value) => Math.sign(value) * Math.sqrt(Math.abs(value));
  const log = [(value) => Math.log(Math.max(value, LEAST)), Math.exp];
  const even = [(value) => value, (value) => value];
  const forms = {
    linear: even,
    time: even,
    log,
    log2: log,
    sqrt: [root, (value) => Math.sign(value) * value * value],
    percentile: [nines, (value) => 100 * (1 - 10 ** -value)],
  };

  function share({ kind, ends }, value) {
    const [form] = forms[kind];
    return (form(value) - form(ends[0])) / (form(ends[1]) - form(ends[0]));
  }

  function value({ kind, ends }, share) {
    const [form, back] = forms[kind];
    return back(form(ends[0]) + share * (form(ends[1]) - form(ends[0])));
  }

  // The smallest of 1, 2 and 5 times a power of ten that is not below a step.
  function roundStep(step) {
    const power = 10 ** Math.floor(Math.log10(step));
    return [1, 2, 5, 10].map((factor) => factor * power).find((round) => round >= step * 0.999999) ?? 10 * power;
  }

  function multiples([low, high], step) {
    const found = [];
    for (let place = Math.ceil(low / step - 1e-9); place * step <= high + step * 1e-9 && found.length < 40; place++) found.push(place * step);
    return found;
  }

  const digits = (step) => Math.max(0, Math.min(9, Math.ceil(-Math.log10(step) - 1e-9)));
  const numbers = (values, text) => values.map((value) => ({ value, text: text(value) }));

  function evenTicks(ends, most, least) {
    const step = Math.max(roundStep((ends[1] - ends[0]) / Math.max(1, most - 1)), least);
    return numbers(multiples(ends, step), (value) => (value + 0).toFixed(digits(step)));
  }

  // In few letters: `0.02`, `500`, `20k`, `1M`.
  function short(value) {
    if (value < 0) return "-" + short(-value);
    const [size, unit] = [[1e9, "G"], [1e6, "M"], [1e3, "k"]].find(([size]) => value >= size * (size === 1e3 ? 9.99 : 0.999)) ?? [1, ""];
    return value !== 0 && value < 1e-6 ? value.toExponential(0) : String(Number((value / size).toPrecision(3))) + unit;
  }

  const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400];

  // Seconds as the whole axis counts them: seconds, minutes or hours; with so many digits, and with seconds where they matter.
  function clockText({ ends }, at, after, hasSeconds) {
    const longest = Math.max(Math.abs(ends[0]), Math.abs(ends[1]));
    const two = (value, after) => value.toFixed(after).padStart(after ? 3 + after : 2, "0");
    const seconds = Number(Math.abs(at).toFixed(after));
    const sign = at < 0 && seconds > 0 ? "-" : "";
    if (longest < 120) return sign + seconds.toFixed(after);
    const rest = two(seconds % 60, after);
    if (longest < 7200) return sign + Math.floor(seconds / 60) + ":" + rest;
    return sign + Math.floor(seconds / 3600) + ":" + two(Math.floor(seconds / 60) % 60, 0) + (hasSeconds ? ":" + rest : "");
  }

  // A value of an axis of times, to a tenth of a second where that has a meaning.
  const clock = (axis, at) => clockText(axis, at, at % 1 ? (axis.ends[1] < 120 ? 3 : 1) : 0, true);

  function timeTicks(axis, ends, most) {
    const wanted = (ends[1] - ends[0]) / Math.max(1, most - 1);
    const step = wanted < 1 ? roundStep(wanted) : STEPS.find((step) => step >= wanted) ?? roundStep(wanted / 86400) * 86400;
    return numbers(multiples(ends, step), (at) => clockText(axis, at, digits(step), step < 60));
  }

  const exponents = (low, high, every) => {
    const all = [];
    for (let power = Math.floor(low); power <= Math.ceil(high); power++) if (power % every === 0) all.push(power);
    return all;
  };

  function logTicks(ends, most, least) {
    const holds = (value) => value >= ends[0] * (1 - 1e-9) && value <= ends[1] * (1 + 1e-9);
    const marks = (factors, every) => exponents(Math.log10(ends[0]), Math.log10(ends[1]), every)
      .flatMap((power) => factors.map((factor) => factor * 10 ** power)).filter(holds);
    const fine = marks([1, 2, 5], 1);
    if (fine.length < 3) return evenTicks(ends, most, least);
    if (fine.length <= most) return numbers(fine, short);
    const middle = marks([1, 3], 1);
    if (middle.length > 2 && middle.length <= most) return numbers(middle, short);
    for (let every = 1; every < 40; every++) {
      const found = marks([1], every);
      if (found.length <= most) return numbers(found, short);
    }
    return [];
  }

  function doubledTicks(ends, most, least) {
    const [low, high] = ends.map(Math.log2);
    if (Math.floor(high - Math.ceil(low) + 1) < 3 || high > 50 || low < -13) return logTicks(ends, most, least);
    for (let every = 1; every < 120; every++) {
      const found = exponents(low, high, every).map((power) => 2 ** power).filter((value) => value >= ends[0] && value <= ends[1]);
      if (found.length <= most) return numbers(found, (value) => String(Number(value.toPrecision(4))));
    }
    return [];
  }

  function rootTicks(ends, most) {
    const [low, high] = ends;
    if ((low > 0 && high < 2 * low) || (high < 0 && low > 2 * high)) return evenTicks(ends, most, 0);
    const top = Math.ceil(Math.log10(Math.max(Math.abs(low), Math.abs(high), 1e-8)));
    const round = [0];
    for (const factor of [1, 5, 2]) for (let power = 0; power < 8; power++) round.push(factor * 10 ** (top - power), -factor * 10 ** (top - power));
    round.push(...evenTicks(ends, most, 0).map((tick) => tick.value));
    const place = (value) => share({ kind: "sqrt", ends }, value);
    const kept = [];
    for (const value of round) {
      const isApart = kept.every((other) => Math.abs(place(other) - place(value)) >= 1 / most);
      if (value >= low && value <= high && isApart && kept.length < most) kept.push(value);
    }
    return numbers(kept.sort((a, b) => a - b), short);
  }

  const PERCENTILES = [0, 50, 75, 90, 95, 99, 99.9, 99.99, 99.999, 99.9999];

  function percentileTicks(ends, most) {
    const held = PERCENTILES.filter((value) => value >= ends[0] && value <= ends[1]);
    if (held.length < 2) return evenTicks(ends, most, 0);
    return numbers(held.length <= most ? held : held.filter((value) => value !== 75 && value !== 95).slice(0, most), String);
  }

  // Values to mark between two shares of an axis, no more than `most`.
  function ticks(axis, shares, most) {
    const ends = shares.map((at) => value(axis, at));
    if (axis.names.length) {
      const held = axis.names.filter(([at]) => at >= ends[0] && at <= ends[1]);
      const every = Math.max(1, Math.ceil(held.length / most));
      return held.filter((_, place) => place % every === 0).map(([value, text]) => ({ value, text }));
    }
    const of = {
      linear: () => evenTicks(ends, most, axis.step),
      time: () => timeTicks(axis, ends, most),
      log: () => logTicks(ends, most, axis.step),
      log2: () => doubledTicks(ends, most, axis.step),
      sqrt: () => rootTicks(ends, most),
      percentile: () => percentileTicks(ends, most),
    };
    return of[axis.kind]().filter((tick) => tick.value >= ends[0] - 1e-12 && tick.value <= ends[1] * (1 + 1e-12) + 1e-12);
  }

  return { share, value, ticks, clock };
})();
