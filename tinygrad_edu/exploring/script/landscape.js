// The landscape: the loss over two parameters, and the path of the training.

const axes = [0, 1];
const drawn = { key: "" };
const RINGS = 7;

const MOST_RISE = 4; // a run that diverges is shown as far as the loss is this many times the first

/** The epochs of a run whose loss has not risen much: those that a landscape can show. */
function tameRows() {
  const list = lossesOfRun();
  const most = MOST_RISE * Math.abs(list[0][1]);
  const tame = list.filter(([, value]) => Math.abs(value) <= most).map(([epoch]) => state.run[epoch]);
  return tame.length ? tame : [state.run[0]];
}

/** The range of the landscape: everything that the run reached, and room around it. */
function span(slot) {
  const start = state.run === TRAINING ? [] : [TRAINING[0]];
  const met = [...start, ...tameRows(), ...(state.run.includes(state.parameters) ? [] : [moved()])]
    .map((row) => row[slot])
    .filter((x) => Number.isFinite(x) && Math.abs(x) < 1e9);
  const [low, high] = [Math.min(...met), Math.max(...met)];
  const room = high > low ? 0.2 * (high - low) : Math.max(1, Math.abs(high));
  return [low - room, high + room];
}

/** Where the reader moved the parameters; else the start. */
function moved() {
  const here = state.run[state.epoch].every((x, slot) => Object.is(x, state.parameters[slot]));
  return here ? state.run[0] : state.parameters;
}

/** The largest curvature of the loss here: the steps of gradient descent diverge from α = 2/λ on. */
function curvature() {
  const here = state.parameters;
  const slopes = (at) => {
    const { adjoint } = backward(forward(at));
    return PARAMETERS.map((id) => adjoint[id]);
  };
  const h = 1e-3 * Math.max(1, ...here.map(Math.abs));
  let direction = PARAMETERS.map((_, slot) => 1 + slot / 7);
  let bend = 0;
  for (let n = 0; n < 60; n++) {
    const size = Math.hypot(...direction);
    const at = (sign) => here.map((x, slot) => x + (sign * h * direction[slot]) / size);
    const [above, below] = [slopes(at(1)), slopes(at(-1))];
    const next = above.map((x, slot) => (x - below[slot]) / (2 * h));
    const before = bend;
    bend = next.reduce((sum, x, slot) => sum + (x * direction[slot]) / size, 0);
    if (!Number.isFinite(bend) || Math.hypot(...next) === 0) return 0;
    if (n > 2 && Math.abs(bend - before) < 1e-9 * Math.abs(bend)) break;
    direction = next;
  }
  return bend;
}

/** Whether steps of this size converge, by the curvature; nothing where that cannot be said. */
function boundWords() {
  if (RULE || !DATA.plain || PARAMETERS.length > 60 || COUNT > 3000) return [];
  const bound = 2 / curvature();
  if (!(bound > 0) || !Number.isFinite(bound)) return [];
  const limit = powers(rounded(bound, 6));
  const words = state.rate > bound
    ? `α = ${spelled(state.rate)} is more than 2/λ = ${limit}, where λ is the steepest curvature here: every step leaps over the valley and lands higher on the other side, so the loss grows from step to step. Below ${limit}, steps come down.`
    : `Steps come down as long as α = ${spelled(state.rate)} stays below 2/λ = ${limit}, where λ is the steepest curvature here.`;
  return [h("p", { id: "bound", class: state.rate > bound ? "" : "hint" }, words)];
}

function showBowl() {
  $("bowl-card").hidden = !LIVE || PARAMETERS.length < 2;
  if ($("bowl-card").hidden) return;
  const [i, j] = axes;
  const known = gradientShown(PARAMETERS[i]) && gradientShown(PARAMETERS[j]);
  const { theme } = document.documentElement.dataset;
  if (!changed("bowl", state.run, state.numbers, state.rate, i, j, known, theme)) return;
  const [xs, ys] = [span(i), span(j)];
  const x = scale(...xs, BOX.left, BOX.right);
  const y = scale(...ys, BOX.bottom, BOX.top);
  const held = state.parameters.filter((_, slot) => slot !== i && slot !== j);
  const key = JSON.stringify([i, j, xs, ys, [...held], theme]);
  if (drawn.key !== key) Object.assign(drawn, { key, picture: heat(x, y) });
  const clamp = (v) => Math.max(-2000, Math.min(2000, v));
  const at = (row) => [clamp(x(row[i])), clamp(y(row[j]))];
  const finite = state.run.filter((row) => Number.isFinite(row[i]) && Number.isFinite(row[j]));
  const thin = Math.ceil(finite.length / 600);
  const here = at(state.parameters);
  const { adjoint, values } = state.numbers;
  const slope = [
    -adjoint[PARAMETERS[i]] * Math.abs(x(1) - x(0)),
    adjoint[PARAMETERS[j]] * Math.abs(y(1) - y(0)),
  ];
  const steep = Math.hypot(...slope);
  const arrow =
    steep > 0 && Number.isFinite(steep) && known
      ? slope.map((s) => (34 * s) / steep)
      : null;
  const names = [i, j].map((slot) => called(PARAMETERS[slot]));
  const picture = chart(
    x,
    y,
    names[0],
    names[1],
    `The loss over ${names[0]} and ${names[1]}: the stronger the colour, the higher. Now ${names[0]} is ${spelled(state.parameters[i])}, ${names[1]} is ${spelled(state.parameters[j])} and ${loss} ${spelled(values[ROOT])}.`,
    inside(
      h("polyline", {
        class: "way",
        points: points(finite.filter((_, n) => n % thin === 0).map(at)),
      }),
      h("circle", { class: "start", cx: at(state.run[0])[0], cy: at(state.run[0])[1], r: 3.5 }),
      arrow ? h("path", { class: "arrow", d: arrowPath(here, arrow) }) : [],
      h("circle", { class: "dot", cx: here[0], cy: here[1], r: 6 }),
    ),
  );
  picture.addEventListener("click", (event) => {
    const [px, py] = pointed(event);
    if (px < BOX.left || px > BOX.right || py < BOX.top || py > BOX.bottom) return;
    const parameters = state.parameters.slice();
    parameters[i] = x.inverse(px);
    parameters[j] = y.inverse(py);
    startFrom(parameters);
  });
  $("bowl").replaceChildren(
    h("div", { class: "landscape" }, drawn.picture, picture),
    h(
      "p",
      { class: "hint" },
      "The stronger the colour, the higher the loss. The orange line is the path of the training, and the arrow points straight downhill. Choose any point to start there.",
    ),
    ...boundWords(),
  );
}

/** An arrow from a place: its line and its head. */
function arrowPath([x, y], [dx, dy]) {
  const tip = [x + dx, y + dy];
  const wing = (turn) => [
    tip[0] - 0.28 * dx + turn * 0.2 * dy,
    tip[1] - 0.28 * dy - turn * 0.2 * dx,
  ];
  return `M${x},${y}L${tip}M${wing(1)}L${tip}L${wing(-1)}`;
}

/** The loss on a grid, in bands; between its points it is interpolated. */
function heat(x, y) {
  const cells = Math.max(12, Math.min(56, Math.floor(Math.sqrt(4e5 / COUNT))));
  const [i, j] = axes;
  const row = state.parameters.slice();
  const grid = [];
  for (let b = 0; b <= cells; b++)
    for (let a = 0; a <= cells; a++) {
      row[i] = x.inverse(BOX.left + ((BOX.right - BOX.left) * a) / cells);
      row[j] = y.inverse(BOX.top + ((BOX.bottom - BOX.top) * b) / cells);
      grid.push(lossAt(row));
    }
  const finite = grid.filter(Number.isFinite);
  const [low, high] = [Math.min(...finite), Math.max(...finite)];
  // Rings as those of plots.bowl: each is a quarter as high above the valley as the next.
  const depth = (value) => {
    const ring = RINGS + Math.ceil(Math.log((value - low) / (high - low)) / Math.log(4));
    return Math.max(0, Math.min(RINGS - 1, ring - 1)) / (RINGS - 1);
  };
  const stops = ["--valley", "--slope", "--height"].map(colourOf);
  const [wide, tall] = [BOX.right - BOX.left, BOX.bottom - BOX.top];
  const between = interpolated(grid.map((value) => [value]), cells, wide, tall);
  return painted(wide, tall, (n) => {
    const t = 2 * (Number.isFinite(between[n][0]) ? depth(between[n][0]) : 1);
    return blended(stops[t < 1 ? 0 : 1], stops[t < 1 ? 1 : 2], t < 1 ? t : t - 1);
  });
}

/** The red, green and blue of a custom property. */
const colourOf = (name) =>
  getComputedStyle(document.body)
    .getPropertyValue(name)
    .trim()
    .match(/[0-9a-f]{2}/gi)
    .map((hex) => parseInt(hex, 16));
const blended = (from, to, share) => from.map((c, i) => c + (to[i] - c) * share);

/** The numbers of a grid at each pixel, between its points in proportion. */
function interpolated(grid, cells, wide, high) {
  const pixels = [];
  for (let v = 0; v < high; v++)
    for (let u = 0; u < wide; u++) {
      const [gu, gv] = [(u / wide) * cells, (v / high) * cells];
      const [a, b] = [Math.floor(gu), Math.floor(gv)];
      const [fu, fv] = [gu - a, gv - b];
      const corner = b * (cells + 1) + a;
      const [one, two] = [grid[corner], grid[corner + 1]];
      const [three, four] = [grid[corner + cells + 1], grid[corner + cells + 2]];
      pixels.push(
        one.map((x, k) => (1 - fv) * ((1 - fu) * x + fu * two[k]) + fv * ((1 - fu) * three[k] + fu * four[k])),
      );
    }
  return pixels;
}

/** A canvas with a colour for each pixel, row by row. */
function painted(wide, high, colour) {
  const canvas = h("canvas", { width: wide, height: high, "aria-hidden": "true" });
  const paint = canvas.getContext("2d");
  const image = paint.createImageData(wide, high);
  for (let n = 0; n < wide * high; n++) image.data.set([...colour(n), 255], 4 * n);
  paint.putImageData(image, 0, 0);
  return canvas;
}
