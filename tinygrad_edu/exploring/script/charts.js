// Charts: the loss over the epochs, the line through the points, the gradient as a slope.

const WIDTH = 440;
const HIGH = 300;
const BOX = { left: 84, right: WIDTH - 14, top: 26, bottom: HIGH - 44 };

/** Round numbers between two others, about as many as wanted. */
function ticks(low, high, wanted = 5) {
  const rough = (high - low) / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough);
  const first = Math.ceil(low / step);
  const count = Math.max(0, Math.min(20, Math.floor(high / step) - first + 1)) || 0;
  return [...new Set(Array.from({ length: count }, (_, i) => (first + i) * step))];
}

/** Numbers as texts that differ, with as few digits as that needs. */
function tickTexts(numbers) {
  const texts = (digits) => numbers.map((x) => powers(rounded(x + 0, digits)));
  const few = [4, 6, 8, 10, 12, 15].find((digits) => new Set(texts(digits)).size === numbers.length);
  return texts(few ?? 15);
}

/** A scale from numbers to places, with its ticks; logarithmic if asked. */
function scale(low, high, from, to, log = false) {
  const f = log ? Math.log10 : (x) => x;
  if (!(f(high) > f(low))) [low, high] = log ? [low / 10, high * 10] : [low - 1, high + 1];
  const [a, b] = [f(low), f(high)];
  const place = (x) => from + ((f(x) - a) / (b - a)) * (to - from);
  const inverse = (p) => a + ((p - from) / (to - from)) * (b - a);
  const limits = [low, high];
  const decades = ticks(a, b, 4)
    .filter(Number.isInteger)
    .map((n) => 10 ** n);
  return Object.assign(place, { inverse, limits, ticks: log ? decades : ticks(low, high) });
}

const ROOM = 9; // characters beside an axis
/** A longer text is as wide as that. */
const squeezed = (text) =>
  text.length > ROOM ? { textLength: BOX.left - 10, lengthAdjust: "spacingAndGlyphs" } : {};

/** The frame of a chart: axes, ticks and names; the rest is drawn into it. */
function chart(x, y, xName, yName, text, ...inside) {
  const texts = [tickTexts(x.ticks), tickTexts(y.ticks)];
  const marks = [
    ...x.ticks.map((t, n) =>
      h(
        "g",
        { class: "tick" },
        h("line", { x1: x(t), x2: x(t), y1: BOX.top, y2: BOX.bottom }),
        h("text", { x: x(t), y: BOX.bottom + 16, "text-anchor": "middle" }, texts[0][n]),
      ),
    ),
    ...y.ticks.map((t, n) =>
      h(
        "g",
        { class: "tick" },
        h("line", { x1: BOX.left, x2: BOX.right, y1: y(t), y2: y(t) }),
        h("text", { x: BOX.left - 6, y: y(t) + 4, "text-anchor": "end", ...squeezed(texts[1][n]) }, texts[1][n]),
      ),
    ),
  ];
  return h(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HIGH}`, class: "chart", role: "img", "aria-label": text },
    marks,
    inside,
    h(
      "text",
      { class: "axis", x: (BOX.left + BOX.right) / 2, y: HIGH - 8, "text-anchor": "middle" },
      xName,
    ),
    h("text", { class: "axis", x: 4, y: 12 }, yName),
  );
}

/** What is drawn within the axes only. */
const inside = (...marks) => {
  const [wide, high] = [BOX.right - BOX.left, BOX.bottom - BOX.top];
  const frame = { x: BOX.left, y: BOX.top, width: wide, height: high };
  return h("svg", { ...frame, viewBox: `${BOX.left} ${BOX.top} ${wide} ${high}` }, marks.flat());
};

const points = (pairs) => pairs.map(([x, y]) => `${x.toFixed(2)},${y.toFixed(2)}`).join(" ");
/** The place in the chart's own units where it was pointed at. */
function pointed(event) {
  const frame = event.currentTarget.getBoundingClientRect();
  return [
    ((event.clientX - frame.left) / frame.width) * WIDTH,
    ((event.clientY - frame.top) / frame.height) * HIGH,
  ];
}

/** The losses of the run, computed once for each run; of a long one at most 600 epochs. */
const losses = { run: null, list: [] };
function lossesOfRun() {
  if (losses.run !== state.run) {
    const every = Math.ceil(state.run.length / Math.min(600, Math.max(2, 2e6 / COUNT)));
    losses.run = state.run;
    losses.list = state.run
      .map((row, epoch) => [epoch, row])
      .filter(([epoch]) => epoch % every === 0 || epoch === state.run.length - 1)
      .map(([epoch, row]) => [epoch, lossAt(row)]);
  }
  return losses.list;
}

function showCurve() {
  $("curve-card").hidden = state.run.length < 2;
  if (state.run.length < 2 || !changed("curve", state.run, state.numbers)) return;
  const all = lossesOfRun().filter(([, value]) => Number.isFinite(value));
  if (!all.length) return $("curve").replaceChildren(h("p", {}, "No epoch has a finite loss."));
  const now = state.numbers.values[ROOT];
  const values = all.map(([, value]) => value);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const log = low > 0 && high / low > 50;
  const x = scale(0, epochName(state.run.length - 1), BOX.left, BOX.right);
  const y = scale(log ? low : Math.min(0, low), high, BOX.bottom, BOX.top, log);
  const here =
    Number.isFinite(now) && (!log || now > 0)
      ? [x(epochName(state.epoch)), Math.max(BOX.top, Math.min(BOX.bottom, y(now)))]
      : null;
  const picture = chart(
    x,
    y,
    "epoch",
    log ? `${loss}, on a logarithmic scale` : loss,
    `The loss falls from ${spelled(all[0][1])} to ${spelled(all.at(-1)[1])} in ${plural(epochName(state.run.length - 1), "epoch")}; now ${spelled(now)}.`.replace(
      "falls",
      all.at(-1)[1] < all[0][1] ? "falls" : "goes",
    ),
    h("polyline", {
      class: "curve",
      points: points(all.map(([epoch, value]) => [x(epochName(epoch)), y(value)])),
    }),
    here
      ? h("line", { class: "here", x1: here[0], x2: here[0], y1: BOX.top, y2: BOX.bottom })
      : null,
    here ? h("circle", { class: "dot", cx: here[0], cy: here[1], r: 6 }) : null,
  );
  picture.addEventListener("click", (event) => {
    const share = x.inverse(pointed(event)[0]) / epochName(state.run.length - 1);
    goTo(Math.round(share * (state.run.length - 1)));
  });
  $("curve").replaceChildren(picture);
}

const ONE_LINE =
  CONE.length > 0 &&
  DATA.samples.every(({ x, y, out }) => x.length === 1 && y.length === 1 && out.length === 1);

function showLine() {
  $("line-card").hidden = !ONE_LINE;
  if (!ONE_LINE || !changed("line", state.numbers)) return;
  const { values } = state.numbers;
  const met = DATA.samples.map(({ x, y, out }) => [values[x[0]], values[y[0]], values[out[0]]]);
  const xs = met.map(([x]) => x);
  const ys = met.map(([, y]) => y);
  const room = (Math.max(...xs) - Math.min(...xs)) * 0.15 || 1;
  const x = scale(Math.min(...xs) - room, Math.max(...xs) + room, BOX.left, BOX.right);
  const spread = Math.max(...ys) - Math.min(...ys) || 1;
  const y = scale(
    Math.min(0, ...ys) - 0.1 * spread,
    Math.max(...ys) + 0.2 * spread,
    BOX.bottom,
    BOX.top,
  );
  const count = 60;
  const curve = Array.from({ length: count + 1 }, (_, i) => {
    const at = BOX.left + ((BOX.right - BOX.left) * i) / count;
    return [at, y(predict(state.parameters, [x.inverse(at)]))];
  }).filter(([, at]) => Number.isFinite(at) && Math.abs(at) < 1e5);
  const name = (ids, other) => DATA.name[ids[0]].replace(/[₀-₉\d]+$/, "") || other;
  $("line").replaceChildren(
    chart(
      x,
      y,
      name(DATA.samples[0].x, "input"),
      name(DATA.samples[0].y, "target"),
      `${plural(met.length, "sample")}: the targets as points, the model's prediction as a line. The errors are ${met
        .slice(0, 12)
        .map(([, target, out]) => slope(out - target))
        .join(", ")}.`,
      inside(
        met
          .filter(([, , out]) => Number.isFinite(out))
          .map(([a, target, out]) =>
            h("line", {
              class: `error ${sign(out - target)}`,
              x1: x(a),
              x2: x(a),
              y1: y(target),
              y2: Math.max(-1e4, Math.min(1e4, y(out))),
            }),
          ),
        h("polyline", { class: "curve", points: points(curve) }),
        met.map(([a, target]) => h("circle", { class: "target", cx: x(a), cy: y(target), r: 5 })),
      ),
    ),
  );
}

/** The loss as one parameter alone changes: its gradient is the slope of this curve. */
function showSlope() {
  $("slope-card").hidden = !LIVE || !PARAMETERS.length;
  if ($("slope-card").hidden) return;
  if (SLOT.has(state.selected)) state.sloped = SLOT.get(state.selected);
  const slot = state.sloped;
  const id = PARAMETERS[slot];
  if (!changed("slope", state.run, state.numbers, slot, gradientShown(id))) return;
  const row = state.parameters.slice();
  const [now, here, g] = [row[slot], state.numbers.values[ROOT], state.numbers.adjoint[id]];
  const x = scale(...span(slot), BOX.left, BOX.right);
  const count = Math.max(12, Math.min(80, Math.floor(4e5 / COUNT)));
  const curve = Array.from({ length: count + 1 }, (_, i) => {
    row[slot] = x.inverse(BOX.left + ((BOX.right - BOX.left) * i) / count);
    return [row[slot], lossAt(row)];
  }).filter(([, value]) => Number.isFinite(value));
  const values = [...curve.map(([, value]) => value), ...(Number.isFinite(here) ? [here] : [])];
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const y = scale(low - 0.15 * (high - low), high, BOX.bottom, BOX.top);
  const tangent = x.limits.map((at) => [x(at), y(here + g * (at - now))]);
  const known = gradientShown(id) && Number.isFinite(g) && Number.isFinite(here);
  $("slope-name").textContent = `The loss as ${called(id)} alone changes`;
  const picture = chart(
    x,
    y,
    called(id),
    loss,
    `The loss as ${called(id)} alone changes. At ${spelled(now)} it is ${spelled(here)}${known ? `, and its slope there is the gradient, ${slope(g)}` : ""}.`,
    inside(
      h("polyline", {
        class: "curve",
        points: points(curve.map(([at, value]) => [x(at), y(value)])),
      }),
      known ? h("polyline", { class: `tangent ${sign(g)}`, points: points(tangent) }) : null,
      Number.isFinite(here) ? h("circle", { class: "dot", cx: x(now), cy: y(here), r: 6 }) : null,
    ),
  );
  $("slope").replaceChildren(
    picture,
    h(
      "p",
      { class: "hint" },
      known
        ? `The straight line touches the curve at the current value. Its slope is ${gradientOf(id)} = ${slope(g)}.`
        : "The slope of the curve at the current value is the gradient.",
    ),
  );
}
