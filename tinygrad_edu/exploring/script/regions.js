// Regions: what the model answers in the plane of its two inputs, and the samples in it.

/** Whether each sample has two inputs and the same outputs, which can be computed for others. */
const PLANE =
  CONE.length > 0 &&
  DATA.samples.every(({ x, out }) => x.length === 2 && out.length === DATA.samples[0].out.length);
/** As in plots.regions: colours that colour-blind readers can distinguish, and five depths. */
const CLASS_COLOURS = ["input-line", "positive", "parameter-line", "negative", "target-line", "symbol"];
const DEPTHS = [0.12, 0.2, 0.28, 0.36, 0.44];
const ONE_DEPTH = 0.3; // of three classes or more

/** The class of each sample by number, and the names of the classes; of other targets no classes. */
const CLASSES = (() => {
  const none = { of: [], names: [] };
  if (!PLANE) return none;
  const outputs = DATA.samples[0].out.length;
  const named = (count) => Array.from({ length: count }, (_, k) => String(k));
  if (DATA.classes) return { of: DATA.classes, names: named(outputs) };
  const targets = DATA.samples.map(({ y }) => y.map((id) => RECORDED[id]));
  if (outputs > 1)
    return targets.every((row) => row.length === outputs)
      ? { of: targets.map((row) => row.indexOf(Math.max(...row))), names: named(outputs) }
      : none;
  const met = [...new Set(targets.map(([x]) => x))].sort((a, b) => a - b);
  if (DATA.threshold === undefined || met.length > 2 || targets.some((row) => row.length !== 1)) return none;
  const above = targets.map(([x]) => +(x > (met.length === 2 ? (met[0] + met[1]) / 2 : DATA.threshold)));
  return { of: above, names: met.length === 2 ? met.map(exact) : ["below", "above"] };
})();

/** How far each class leads at some outputs: over the threshold, or over the best of the others. */
function leads(outputs) {
  if (outputs.length === 1) return [DATA.threshold - outputs[0], outputs[0] - DATA.threshold];
  return outputs.map((x, k) => x - Math.max(...outputs.filter((_, other) => other !== k)));
}
const leader = (all) => all.indexOf(Math.max(...all));

const answersAt = (inputs) => (
  predict(state.parameters, inputs), DATA.samples[0].out.map((id) => scratch[id])
);

/** The range of an input: all samples, and room around them. */
function breadth(axis) {
  const met = DATA.samples.map(({ x }) => RECORDED[x[axis]]);
  const [low, high] = [Math.min(...met), Math.max(...met)];
  const room = high > low ? 0.12 * (high - low) : 1;
  return [low - room, high + room];
}

/** The numbers of the outputs on a grid, row by row from the top. */
function answersOnGrid(x, y, cells) {
  const at = (n, from, to) => from + ((to - from) * n) / cells;
  const all = [];
  for (let b = 0; b <= cells; b++)
    for (let a = 0; a <= cells; a++)
      all.push(answersAt([x.inverse(at(a, BOX.left, BOX.right)), y.inverse(at(b, BOX.top, BOX.bottom))]));
  return all;
}

/** The colour at a place: the class that leads there, the deeper the farther; or the size of the one
 *  output in seven steps, as heights are in a landscape. */
function painter(grid) {
  const paper = colourOf("--tg-paper");
  if (!CLASSES.names.length) {
    const stops = ["--valley", "--slope", "--height"].map(colourOf);
    const numbers = grid.map(([x]) => x).filter(Number.isFinite);
    const [low, high] = [Math.min(...numbers), Math.max(...numbers)];
    return ([x]) => {
      const share = high > low ? (x - low) / (high - low) : 0;
      const t = (2 * Math.min(RINGS - 1, Math.floor(RINGS * share))) / (RINGS - 1);
      return blended(stops[t < 1 ? 0 : 1], stops[t < 1 ? 1 : 2], t < 1 ? t : t - 1);
    };
  }
  const colours = CLASSES.names.map((_, k) => colourOf(`--tg-${CLASS_COLOURS[k % CLASS_COLOURS.length]}`));
  const most = CLASSES.names.map((_, k) => Math.max(0, ...grid.map((one) => leads(one)[k]).filter(Number.isFinite)));
  return (outputs) => {
    const all = leads(outputs);
    const k = leader(all);
    const step = Math.min(DEPTHS.length - 1, Math.floor((DEPTHS.length * all[k]) / most[k]));
    if (k < 0 || !(step >= 0)) return paper;
    return blended(paper, colours[k], CLASSES.names.length === 2 ? DEPTHS[step] : ONE_DEPTH);
  };
}

/** The border between classes: where one leads at a place and another beside it. */
function borders(pixels, wide) {
  const first = pixels.map((outputs) => leader(leads(outputs)));
  return first.map((k, n) => (n % wide > 0 && first[n - 1] !== k) || (n >= wide && first[n - wide] !== k));
}

function field(x, y) {
  const cells = Math.max(8, Math.min(48, Math.floor(Math.sqrt(1.5e5 / CONE.length))));
  const grid = answersOnGrid(x, y, cells);
  const [wide, high] = [BOX.right - BOX.left, BOX.bottom - BOX.top];
  const between = interpolated(grid, cells, wide, high);
  const paint = painter(grid);
  const border = CLASSES.names.length ? borders(between, wide) : [];
  const ink = colourOf("--tg-ink");
  return painted(wide, high, (n) => (border[n] ? ink : paint(between[n])));
}

/** The mark of a class at a place: a disc, a square, a diamond, a triangle. */
function mark(k, x, y) {
  const of = (...pairs) => `M${pairs.map(([a, b]) => `${x + a},${y + b}`).join("L")}Z`;
  const shapes = [
    `M${x - 5},${y}a5,5 0 1,0 10,0a5,5 0 1,0 -10,0Z`,
    of([-4.6, -4.6], [4.6, -4.6], [4.6, 4.6], [-4.6, 4.6]),
    of([0, -6.2], [6.2, 0], [0, 6.2], [-6.2, 0]),
    of([0, -5.8], [5.8, 4.6], [-5.8, 4.6]),
  ];
  return shapes[k % shapes.length];
}

function showRegions() {
  $("regions-card").hidden = !PLANE;
  const { theme } = document.documentElement.dataset;
  if (!PLANE || !changed("regions", state.numbers, SAMPLE[state.selected], theme)) return;
  const { values } = state.numbers;
  const [first] = DATA.samples;
  const x = scale(...breadth(0), BOX.left, BOX.right);
  const y = scale(...breadth(1), BOX.bottom, BOX.top);
  const names = first.x.map(label);
  const answered = DATA.samples.map(({ out }) => out.map((id) => values[id]));
  const wrong = CLASSES.of.map((k, n) => leader(leads(answered[n])) !== k);
  const dots = DATA.samples.map((sample, n) => dot(sample, n, x, y, wrong[n]));
  const words = regionWords(names, answered, wrong);
  $("regions").replaceChildren(
    h(
      "div",
      { class: "landscape" },
      field(x, y),
      chart(x, y, names[0], names[1], words.join(" "), inside(dots)),
    ),
    h("p", { class: "hint" }, ...regionLegend(wrong)),
  );
}

/** A sample in the plane; choosing it leads to its output in the graph. */
function dot({ x: [a, b], out, scope }, n, x, y, wrong) {
  const at = [x(RECORDED[a]), y(RECORDED[b])];
  const k = CLASSES.names.length ? CLASSES.of[n] : null;
  const chosen = SAMPLE[state.selected] === n;
  return h(
    "g",
    { class: "sample", click: () => select(out[0]) },
    h("title", {}, `${scope}: ${out.map((id) => `${label(id)} = ${spelled(state.numbers.values[id])}`).join(", ")}`),
    h("path", { d: mark(k ?? 0, ...at), fill: `var(--tg-${k === null ? "target-line" : CLASS_COLOURS[k % CLASS_COLOURS.length]})` }),
    wrong ? h("circle", { class: "wrong", cx: at[0], cy: at[1], r: 9 }) : null,
    chosen ? h("circle", { class: "chosen", cx: at[0], cy: at[1], r: 12 }) : null,
  );
}

/** The picture in words. */
function regionWords(names, answered, wrong) {
  const count = DATA.samples.length;
  const plane = `The plane of ${names[0]} and ${names[1]}, with ${plural(count, "sample")}.`;
  const middle = [0, 1].map((axis) => (breadth(axis)[0] + breadth(axis)[1]) / 2);
  const there = answersAt(middle);
  const at = `In the middle, at ${names[0]} = ${spelled(middle[0])} and ${names[1]} = ${spelled(middle[1])}, `;
  const outputs = DATA.samples[0].out.map((id, k) => `${label(id)} is ${spelled(there[k])}`).join(", ");
  if (!CLASSES.names.length) return [plane, `${at}${outputs}.`];
  const right = CLASSES.names.map((name, k) => {
    const mine = CLASSES.of.map((of, n) => [of, n]).filter(([of]) => of === k);
    return `class ${name}: ${mine.filter(([, n]) => !wrong[n]).length} of ${mine.length} right`;
  });
  return [plane, `${right.join("; ")}.`, `${at}${outputs}: class ${CLASSES.names[leader(leads(there))]}.`];
}

/** What the colours mean, and how many samples are on the wrong side. */
function regionLegend(wrong) {
  const name = label(DATA.samples[0].out[0]);
  if (!CLASSES.names.length)
    return [`The stronger the colour, the larger ${name}. Choose a sample, and the graph shows it.`];
  const marks = CLASSES.names.map((of, k) =>
    h(
      "span",
      { class: "class" },
      h("svg", { viewBox: "-8 -8 16 16", width: 14, height: 14, "aria-hidden": "true" },
        h("path", { d: mark(k, 0, 0), fill: `var(--tg-${CLASS_COLOURS[k % CLASS_COLOURS.length]})` })),
      ` class ${of} `,
    ),
  );
  const count = wrong.filter(Boolean).length;
  const side = count
    ? `${count} of ${wrong.length} samples, ringed, ${count === 1 ? "is" : "are"} on the wrong side.`
    : `All ${wrong.length} samples are on the right side.`;
  const border =
    DATA.samples[0].out.length === 1
      ? `At the border ${name} is ${exact(DATA.threshold)}; the deeper the colour, the farther it is from that.`
      : "In each region, that class has the largest output.";
  return [...marks, `${side} ${border} Choose a sample, and the graph shows it.`];
}
