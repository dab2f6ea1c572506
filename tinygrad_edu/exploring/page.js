// The page: a recorded graph that computes for itself.
//
//   1. The graph        what was recorded, and how its nodes belong together
//   2. Arithmetic       one loop forward, one loop backward, over the rows of the table
//   3. Steps and state  where the reader is; everything shown follows from it
//   4. Words            numbers, names and sentences
//   5. Views            picture, reason, curves, landscape, table: each draws the state anew
//   6. Predict          a question, and the likely mistake behind a wrong answer
//   7. Controls         buttons, sliders, keys
//
// Texts reach the page as text nodes only, so a name is never read as HTML.

/** @typedef {{to: number, at: number}} Use  An edge: the consumer, and the place among its arguments. */
/** @typedef {{values: Float64Array, partials: (number|null)[][], adjoint: Float64Array}} Numbers */

const DATA = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);

/**
 * An element with attributes, listeners (functions) and children; texts become text nodes.
 * @returns {any}
 */
function h(tag, attributes = {}, ...children) {
  const svg = ["svg", "g", "path", "line", "circle", "rect", "text", "polyline", "title"];
  const element = svg.includes(tag)
    ? document.createElementNS("http://www.w3.org/2000/svg", tag)
    : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null));
  return element;
}

// ── 1. The graph ─────────────────────────────────────────────────────────────────────────

/** A number as JSON holds it: nan and infinities are words there. */
const read = (x) => (typeof x === "number" ? x : { nan: NaN, inf: Infinity, "-inf": -Infinity }[x]);

const COUNT = DATA.op.length;
const ROOT = COUNT - 1;
const LIVE = DATA.opaque.length === 0;
const RECORDED = Float64Array.from(DATA.data, read);
const PARAMETERS = DATA.parameters;
const SLOT = new Map(PARAMETERS.map((id, slot) => [id, slot]));

/** Of every node, the edges to its consumers along which a gradient flows back. @type {Use[][]} */
const USES = DATA.op.map(() => []);
DATA.args.forEach((args, to) => args.forEach((arg, at) => DATA.flows[to][at] && USES[arg].push({ to, at })));

/** The length of the longest way from the leaves, and of the longest way to the root. */
const LEVEL = new Int32Array(COUNT);
const HEIGHT = new Int32Array(COUNT);
DATA.args.forEach((args, id) => args.forEach((arg) => (LEVEL[id] = Math.max(LEVEL[id], LEVEL[arg] + 1))));
for (let id = ROOT; id >= 0; id--)
  for (const { to } of USES[id]) HEIGHT[id] = Math.max(HEIGHT[id], HEIGHT[to] + 1);

/** The sample that a node belongs to, −1 if to none. */
const SAMPLE = DATA.scope.map((scope) =>
  DATA.samples.findIndex((sample) => DATA.scopes[scope].split("/")[0] === sample.scope));

/** Which nodes are alike: the k-th node of one sample and the k-th of another, if of one row. */
const ALIKE = (() => {
  const met = DATA.samples.map(() => 0);
  return DATA.op.map((op, id) => (SAMPLE[id] < 0 ? `node ${id}` : `${met[SAMPLE[id]]++} ${op} ${DATA.role[id]}`));
})();

const isOperation = (id) => DATA.op[id] !== null;
const hasGradient = (id) => DATA.reached[id] === 1 && DATA.role[id] !== "constant";

// ── 2. Arithmetic ────────────────────────────────────────────────────────────────────────

/** The values of all nodes, oldest first, at some parameters. */
function forward(parameters, values = Float64Array.from(RECORDED)) {
  PARAMETERS.forEach((id, slot) => (values[id] = parameters[slot]));
  if (!LIVE) return values;
  for (let id = 0; id < COUNT; id++)
    if (isOperation(id)) values[id] = ROWS[DATA.op[id]].value(...DATA.args[id].map((arg) => values[arg]));
  return values;
}

/**
 * The chain rule, newest node first: a node's adjoint is the sum, over the edges to its
 * consumers, of (the consumer's adjoint) × (the local derivative along the edge).
 * @returns {Numbers}
 */
function backward(values) {
  const adjoint = new Float64Array(COUNT);
  const partials = DATA.args.map(() => []);
  if (!LIVE) {
    const local = DATA.partials.map((row) => row.map((x) => (x === null ? null : read(x))));
    return { values, partials: local, adjoint: Float64Array.from(DATA.adjoint, read) };
  }
  adjoint[ROOT] = 1;
  for (let id = ROOT; id >= 0; id--) {
    if (!isOperation(id) || !DATA.reached[id]) continue;
    const args = DATA.args[id];
    partials[id] = ROWS[DATA.op[id]].partials(values[id], ...args.map((arg) => values[arg]));
    for (let at = 0; at < args.length; at++)
      if (DATA.flows[id][at]) adjoint[args[at]] += adjoint[id] * partials[id][at];
  }
  return { values, partials, adjoint };
}

const scratch = Float64Array.from(RECORDED);
const lossAt = (parameters) => forward(parameters, scratch)[ROOT];

/** What a sample's output would be for another input: only what leads there is computed. */
const CONE = (() => {
  const out = DATA.samples[0]?.out[0];
  if (out === undefined) return [];
  const needed = new Set([out]);
  for (let id = out; id >= 0; id--) if (needed.has(id)) DATA.args[id].forEach((arg) => needed.add(arg));
  return [...needed].sort((a, b) => a - b);
})();

function predict(parameters, input) {
  const { x, out } = DATA.samples[0];
  PARAMETERS.forEach((id, slot) => (scratch[id] = parameters[slot]));
  scratch[x[0]] = input;
  for (const id of CONE)
    if (isOperation(id)) scratch[id] = ROWS[DATA.op[id]].value(...DATA.args[id].map((arg) => scratch[arg]));
  const answer = scratch[out[0]];
  scratch[x[0]] = RECORDED[x[0]];
  return answer;
}

/** One step of gradient descent on all samples at once: θ − α · ∂loss/∂θ. */
function descended(parameters, rate) {
  const { adjoint } = backward(forward(parameters));
  return parameters.map((x, slot) => x - rate * adjoint[PARAMETERS[slot]]);
}

// ── 3. Steps and state ───────────────────────────────────────────────────────────────────

/** Doubles from base64. */
function unpacked(text) {
  const bytes = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  return Float64Array.from({ length: bytes.length / 8 }, (_, i) => view.getFloat64(8 * i, true));
}

/** The parameters of every epoch as they were recorded; at least those of now. */
const TRAINING = (() => {
  const now = Float64Array.from(PARAMETERS, (id) => RECORDED[id]);
  const all = unpacked(DATA.weights);
  const epochs = Array.from({ length: LIVE ? DATA.epochs : 0 }, (_, i) =>
    all.slice(i * PARAMETERS.length, (i + 1) * PARAMETERS.length));
  return epochs.length ? epochs : [now];
})();

const state = {
  run: TRAINING, // the parameters of every epoch that the slider goes through
  epoch: 0,
  parameters: TRAINING[0].slice(),
  rate: DATA.rate,
  step: 0,
  selected: ROOT,
  together: DATA.samples.length > 1,
  scene: 0,
  asked: -1, // the node whose gradient is to be predicted, and is hidden as long
  numbers: /** @type {Numbers} */ (null),
};

/** The steps: groups of nodes that are computed, then groups that get their gradient. After the
 *  last one comes the end, where all is there and nothing is singled out. */
let STEPS = [];
const END = () => STEPS.length + 1;
let forwardSteps = 0;
/** Of each node, at which step its value and its gradient are there. */
const valueAt = new Int32Array(COUNT);
const gradientAt = new Int32Array(COUNT);

function layOutSteps() {
  const grouped = (ids, order) => {
    const groups = new Map();
    for (const id of ids) {
      const key = state.together ? ALIKE[id] : id;
      groups.set(key, [...(groups.get(key) ?? []), id]);
    }
    return [...groups.values()].sort((a, b) => order(a[0]) - order(b[0]) || SLOT.has(a[0]) - SLOT.has(b[0]) || a[0] - b[0]);
  };
  const all = DATA.op.map((_, id) => id);
  const there = grouped(all.filter(isOperation), (id) => LEVEL[id]);
  const back = grouped(all.filter(hasGradient), (id) => HEIGHT[id]);
  STEPS = [...there, ...back];
  forwardSteps = there.length;
  valueAt.fill(0);
  gradientAt.fill(STEPS.length + 2);
  there.forEach((ids, i) => ids.forEach((id) => (valueAt[id] = i + 1)));
  back.forEach((ids, i) => ids.forEach((id) => (gradientAt[id] = there.length + i + 1)));
}

const valueShown = (id) => valueAt[id] <= state.step;
const gradientShown = (id) => gradientAt[id] <= state.step && !hidden(id);
/** Whether a gradient is kept back because the reader is to predict it. */
const hidden = (id) => state.asked >= 0 && id === state.asked;

function recompute() {
  state.numbers = backward(forward(state.parameters));
}

/** Go to an epoch of the run. */
function goTo(epoch) {
  state.epoch = Math.max(0, Math.min(epoch, state.run.length - 1));
  state.parameters = state.run[state.epoch].slice();
  recompute();
  show();
}

/** Begin a run of the reader's own, at these parameters. */
function startFrom(parameters) {
  state.run = [parameters];
  goTo(0);
}

/** Take steps of gradient descent, which become epochs of a run of the reader's own. */
function descend(steps) {
  const here = state.run[state.epoch].every((x, slot) => Object.is(x, state.parameters[slot]));
  const run = here ? state.run.slice(0, state.epoch + 1) : [state.parameters];
  for (let i = 0; i < steps; i++) run.push(descended(run.at(-1), state.rate));
  state.run = run;
  goTo(run.length - 1);
}

function rewind() {
  state.run = TRAINING;
  state.rate = DATA.rate;
  goTo(0);
}

// ── 4. Words ─────────────────────────────────────────────────────────────────────────────

const minus = (text) => text.replaceAll("-", "−");
/** A number with 4 significant digits, as on the cards (rules.js); a gradient with its sign. */
const spelled = (x) => minus(rounded(x));
const slope = (x) => minus(signed(x));
/** A number as a factor of a product. */
const factor = (x) => (x < 0 ? `(${spelled(x)})` : spelled(x));

const label = (id) => DATA.label[id];
const loss = label(ROOT);
/** The sample or scope that a node stands in, as words; empty for what needs none. */
const place = (id) => (SAMPLE[id] >= 0 ? DATA.samples[SAMPLE[id]].scope : DATA.scopes[DATA.scope[id]] || HOME[id]);
/** Of leaves that share a name, such as the weights of several neurons: the scope that uses them. */
const HOME = (() => {
  const count = new Map();
  PARAMETERS.forEach((id) => count.set(label(id), (count.get(label(id)) ?? 0) + 1));
  return DATA.op.map((_, id) => {
    if (!SLOT.has(id) || count.get(label(id)) < 2) return "";
    const scopes = new Set(USES[id].map(({ to }) =>
      DATA.scopes[DATA.scope[to]].split("/").slice(SAMPLE[to] >= 0 ? 1 : 0).join(", ")));
    return scopes.size === 1 ? [...scopes][0] : "";
  });
})();
const called = (id) => (place(id) ? `${label(id)} of ${place(id)}` : label(id));
/** The name of a derivative, in a line of text. */
const d = (of, by) => `∂${grasped(of)}/∂${grasped(by)}`;
/** The same as a fraction that stands. */
const fraction = (of, by) =>
  h("span", { class: "fraction" }, h("span", {}, `∂${grasped(of)}`), h("span", { class: "unseen" }, "/"), h("span", {}, `∂${grasped(by)}`));
const gradientFraction = (id) => fraction(loss, label(id));
/** Pieces with a sign between them. */
const joined = (pieces, sign) => pieces.flatMap((piece, i) => (i ? [sign, piece] : [piece]));
/** In parentheses if it is a sum or a product, which a sign beside it would tear apart. */
const grasped = (name) => (/ [+−×/] /.test(outermost(name)) ? `(${name})` : name);
/** In parentheses if it is a sum. */
const heldAsFactor = (name) => (/ [+−] |^−/.test(outermost(name)) ? `(${name})` : name);
/** A formula without what stands in parentheses. */
function outermost(name) {
  let depth = 0;
  return [...name].filter((char) => (char === "(" ? depth++ : char === ")" ? --depth : depth) === 0).join("");
}
const gradientOf = (id) => d(loss, label(id));
const plural = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;

/** A formula with its slots filled; `fill(i)` for argument i, `out` for the result. */
function filled(formula, fill, out) {
  return [...formula].map((char) => {
    const slot = char.codePointAt(0) - 0xe000;
    return slot === 0xff ? out : slot >= 0 && slot < 0xff ? fill(slot) : char;
  }).join("");
}

/** What a node computes, in names and then in numbers, such as "w × x" and "2 × 3". */
function computed(id) {
  const formula = DATA.formulas[DATA.formula[id]]?.[0];
  const args = DATA.args[id];
  if (!formula) return null;
  if (args.length > 3) {
    const terms = args.slice(0, 2).map((arg) => factor(state.numbers.values[arg]));
    return [label(id) === DATA.symbol[id] ? `${label(args[0])} + …` : label(id), `${terms.join(" + ")} + … (${args.length} terms)`];
  }
  const hold = /^[\ue000-\ue0fe +−]*$/.test(formula) ? heldAsFactor : grasped; // in a sum products hold
  const names = filled(formula, (i) => hold(label(args[i])), label(id));
  return [names, filled(formula, (i) => factor(state.numbers.values[args[i]]), spelled(state.numbers.values[id]))];
}

/** The local derivative along an edge as a formula of names, null where none is short. */
function localFormula({ to, at }) {
  const formulas = DATA.formulas[DATA.formula[to]]?.[1] ?? [];
  const formula = formulas[Math.min(at, formulas.length - 1)];
  return formula ? filled(formula, (i) => grasped(label(DATA.args[to][i])), label(to)) : null;
}

const local = ({ to, at }) => state.numbers.partials[to][at];

/** The sentence for the step that was just taken. */
function sentence() {
  const { step } = state;
  const total = STEPS.length;
  if (step === 0) return `Start: only the leaves have values. ${plural(forwardSteps, "step")} forward, then ${total - forwardSteps} backward.`;
  if (step > total) return `Done: ${plural(forwardSteps, "step")} forward, ${total - forwardSteps} backward. Every value and every gradient is there.`;
  const ids = STEPS[step - 1];
  const [first] = ids;
  const { values, adjoint } = state.numbers;
  const who = ids.length > 1 ? `in each of ${ids.length} samples; in ${place(first)} it is ` : "";
  if (step <= forwardSteps) {
    const words = computed(first);
    const how = words ? `${words[1]} = ` : "";
    return `Step ${step} of ${total}, forward: ${label(first)} ${who ? who : "= "}${how}${spelled(values[first])}.`;
  }
  const number = hidden(first) ? "yours to predict" : slope(adjoint[first]);
  const shown = ids.length > 1 ? `, in each of ${ids.length} samples; in ${place(first)} it is ${number}` : ` = ${number}`;
  return `Step ${step} of ${total}, backward: ${gradientOf(first)}${shown}.`;
}

// ── 5. Views ─────────────────────────────────────────────────────────────────────────────

/** Draw everything anew from the state. */
function show() {
  showPicture();
  showReason();
  showTraining();
  showCurve();
  showLine();
  showBowl();
  showTable();
  showControls();
}

// ── The reason: why a gradient is what it is ─────────────────────────────────────────────

const MOST_TERMS = 24;
const MOST_PATHS = 64;

/** How many ways lead from each node to the root. */
const WAYS = (() => {
  const ways = new Float64Array(COUNT);
  ways[ROOT] = 1;
  for (let id = ROOT - 1; id >= 0; id--) for (const { to } of USES[id]) ways[id] += ways[to];
  return ways;
})();

/** Every path from a node to the root, as lists of edges. Only for few of them. @returns {Use[][]} */
function pathsFrom(id) {
  const found = [];
  const stack = [{ id, path: [] }];
  while (stack.length) {
    const { id: here, path } = stack.pop();
    if (here === ROOT) found.push(path);
    for (const use of USES[here].slice().reverse()) stack.push({ id: use.to, path: [...path, use] });
  }
  return found;
}

const link = (id, text = called(id)) =>
  h("button", { type: "button", class: "link", click: () => select(id) }, text);

function showReason() {
  const id = state.selected;
  const { values, adjoint } = state.numbers;
  $("node").value = id;
  const parts = [
    h("p", { class: "facts" },
      h("span", { class: `role ${kind(id)}` }, kindName(id)),
      h("span", {}, "value ", h("b", {}, valueShown(id) ? spelled(values[id]) : "not computed yet")),
      hasGradient(id) ? h("span", {}, `${gradientOf(id)} `, gradientMark(id)) : null),
    forwardWords(id),
  ];
  if (!hasGradient(id)) {
    parts.push(h("p", {}, DATA.role[id] === "constant"
      ? "A constant. It cannot be changed, so nobody asks for its gradient."
      : `No gradient flows back to it: ${loss} does not depend on it by any way that is differentiated.`));
  } else if (hidden(id)) {
    parts.push(h("p", {}, "Its gradient is hidden while you predict it. The numbers that you need are in the graph: take each way from here to ", h("b", {}, loss), "."));
  } else if (!gradientShown(id)) {
    parts.push(h("p", {}, "The way back has not come here yet. ",
      h("button", { type: "button", class: "link", click: () => goToStep(gradientAt[id]) }, "Go to that step")));
  } else {
    parts.push(...backwardWords(id));
  }
  $("reason").replaceChildren(...parts.filter(Boolean));
}

const kind = (id) => (id === ROOT ? "root" : DATA.role[id] || (isOperation(id) ? "operation" : "leaf"));
const kindName = (id) => ({ root: "result", leaf: "number" })[kind(id)] ?? kind(id);
const gradientMark = (id) =>
  h("b", { class: `chip ${sign(state.numbers.adjoint[id])}` },
    hidden(id) ? "?" : gradientShown(id) ? slope(state.numbers.adjoint[id]) : "not yet");
const sign = (x) => (x > 0 ? "plus" : x < 0 ? "minus" : "zero");

function forwardWords(id) {
  const words = computed(id);
  if (DATA.op[id] === "identity") return h("p", {}, `It passes on ${label(DATA.args[id][0])} unchanged, as the linear activation does.`);
  if (words && valueShown(id)) {
    const [names, numbers] = words;
    const value = spelled(state.numbers.values[id]);
    const head = names === label(id) ? [names] : [label(id), names];
    return h("p", { class: "math" }, [...head, ...(numbers === value ? [] : [numbers]), value].join(" = "));
  }
  const what = { parameter: "Training moves it.", input: "It is given.", target: "It is what the model is to predict." };
  return what[DATA.role[id]] ? h("p", {}, what[DATA.role[id]]) : null;
}

/** @returns {HTMLElement[]} */
function backwardWords(id) {
  const { adjoint } = state.numbers;
  const g = adjoint[id];
  if (id === ROOT)
    return [h("p", {}, `Here the way back begins: if ${loss} grows by 1, ${loss} grows by 1. So its gradient is 1.`)];
  const parts = [h("p", { class: "meaning" }, meaning(id, g))];
  const uses = USES[id];
  const kinds = new Map(); // edges of one kind: the same consumer in every sample
  for (const use of uses) {
    const key = `${ALIKE[use.to]} ${use.at}`;
    kinds.set(key, [...(kinds.get(key) ?? []), use]);
  }
  const whole = pathTable(id);
  const terms = [...kinds.values()].slice(0, 4).map((group) => h("span", { class: "term" },
    group.length > 1 ? over(group.length, "samples") : null,
    gradientFraction(group[0].to), " × ", fraction(label(group[0].to), label(id))));
  parts.push(h("h3", {}, uses.length > 1 ? "The chain rule: multiply along an edge, add over the edges" : "The chain rule: multiply along the edge"));
  parts.push(h("p", { class: "math" }, gradientFraction(id), " = ", joined(terms, " + "), kinds.size > 4 ? " + …" : null));
  parts.push(termTable(id));
  const why = localReasons([...kinds.values()].map((group) => group[0]));
  if (why) parts.push(why);
  if (whole) parts.push(...whole);
  return parts;
}

/** A sum sign that says over what. */
const over = (count, things) =>
  h("span", { class: "over" }, h("span", { class: "sigma" }, "Σ"), h("small", {}, `${count} ${things}`));

function meaning(id, g) {
  if (Number.isNaN(g)) return `It is nan: somewhere on the way a number is not defined. Follow the terms that are nan.`;
  if (g === 0) return `A small change of ${label(id)} does not change ${loss}.`;
  return `It means: raise ${called(id)} by a little ε, and ${loss} ${g > 0 ? "rises" : "falls"} by ${spelled(Math.abs(g))} × ε.`;
}

/** One row per edge: what comes from its end, times the local derivative. */
function termTable(id) {
  const { adjoint } = state.numbers;
  const all = USES[id].map((use) => ({ use, product: adjoint[use.to] * local(use) }));
  const shown = all.length > MOST_TERMS
    ? [...all].sort((a, b) => Math.abs(b.product) - Math.abs(a.product)).slice(0, MOST_TERMS)
    : all;
  const rest = all.filter((term) => !shown.includes(term));
  const alike = new Set(all.map(({ use }) => `${ALIKE[use.to]} ${use.at}`)).size === 1;
  const to = all[0].use.to;
  const rows = shown.map(({ use, product }) => h("tr", {},
    h("th", { scope: "row" }, link(use.to, alike ? place(use.to) || label(use.to) : called(use.to))),
    h("td", {}, hidden(use.to) ? "?" : slope(adjoint[use.to])), h("td", {}, "×"), h("td", {}, slope(local(use))),
    h("td", {}, "="), h("td", { class: sign(product) }, slope(product))));
  if (rest.length) rows.push(h("tr", {}, h("th", { scope: "row" }, `${plural(rest.length, "smaller term")}, added`),
    h("td", { colspan: 4 }), h("td", {}, slope(rest.reduce((sum, term) => sum + term.product, 0)))));
  const heads = alike ? [gradientFraction(to), "×", fraction(label(to), label(id))] : ["from its end", "×", "along the edge"];
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": `Terms of ${gradientOf(id)}` },
    h("table", { class: "terms" },
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, alike && place(to) ? "in" : "through"),
        ...heads.map((text) => h("th", { scope: "col" }, text)), h("th", {}, "="), h("th", { scope: "col" }, "product"))),
      h("tbody", {}, rows),
      h("tfoot", {}, h("tr", {}, h("th", { scope: "row" }, all.length > 1 ? "the sum" : "together"),
        h("td", { colspan: 4 }), h("td", {}, gradientMark(id))))));
}

/** Why the local derivatives are what they are: one line for each kind of edge. */
function localReasons(uses) {
  const lines = uses.slice(0, 4).map((use) => {
    const formula = localFormula(use);
    const names = computed(use.to);
    if (!formula || !names) return null;
    const by = fraction(label(use.to), label(DATA.args[use.to][use.at]));
    const what = names[0] === label(use.to) ? "" : ` because ${label(use.to)} = ${names[0]}`;
    return h("li", {}, h("span", { class: "math" }, by, ` = ${formula}`), what);
  }).filter(Boolean);
  return lines.length ? h("ul", { class: "because" }, lines) : null;
}

/** The paths all the way to the root as a table, if they are few and all of one kind. */
function pathTable(id) {
  if (HEIGHT[id] < 2 || WAYS[id] > MOST_PATHS) return null;
  const paths = pathsFrom(id).map((path) => path.filter(({ to }) => DATA.op[to] !== "identity"));
  const kindOf = (path) => path.map(({ to, at }) => `${ALIKE[to]} ${SAMPLE[to] < 0 ? "" : at}`).join();
  if (new Set(paths.map(kindOf)).size !== 1 || paths[0].length > 9) return null;
  const [first] = paths;
  const from = (path, i) => (i ? path[i - 1].to : id);
  const product = (path) => path.reduceRight((sofar, use) => sofar * local(use), 1);
  const columns = first.map((use, i) => ({ use, name: () => fraction(label(use.to), label(from(first, i))), formula: localFormula(use) })).reverse();
  const rows = paths.map((path) => h("tr", {},
    h("th", { scope: "row" }, place(id) || place(path[0].to) || `through ${label(path[0].to)}`),
    path.slice().reverse().map((use, i) => h("td", {}, (i ? "× " : "") + (local(use) < 0 ? `(${spelled(local(use))})` : spelled(local(use))))),
    h("td", { class: sign(product(path)) }, `= ${slope(product(path))}`)));
  const short = columns.map(({ formula, use }) => heldAsFactor(formula ?? spelled(local(use)))).filter((text) => text !== "1");
  const sum = () => (paths.length > 1 ? over(paths.length, place(id) ? "paths" : "samples") : null);
  return [
    h("h3", {}, `All the way back from ${loss}`),
    h("p", { class: "math" }, gradientFraction(id), " = ", sum(), joined(columns.map(({ name }) => name()), " × ")),
    h("p", { class: "math" }, "= ", sum(), short.join(" × ") || "1"),
    h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": `Every path from ${loss} to ${label(id)}` },
      h("table", { class: "terms paths" },
        h("thead", {}, h("tr", {}, h("th", { scope: "col" }, place(id) || place(first[0].to) ? "in" : "way"),
          columns.map(({ name, formula }) => h("th", { scope: "col" }, name(), formula ? h("small", {}, `= ${formula}`) : null)), h("th", { scope: "col" }, "product"))),
        h("tbody", {}, rows),
        h("tfoot", {}, h("tr", {}, h("th", { scope: "row" }, paths.length > 1 ? "the sum" : "together"),
          h("td", { colspan: columns.length }), h("td", {}, gradientMark(id)))))),
  ];
}

// ── Training: where we are, the sliders, the next step ───────────────────────────────────

const MOST_SLIDERS = 6;
const sliders = new Map();

function showTraining() {
  const last = state.run.length - 1;
  const mine = state.run !== TRAINING;
  const moved = !state.run[state.epoch].every((x, slot) => Object.is(x, state.parameters[slot]));
  $("where").textContent = !LIVE
    ? `Live sliders are off: ${DATA.opaque.join(", ")} runs in Python only. The numbers are those that were recorded.`
    : moved ? "You have moved the parameters. A step of gradient descent goes on from here."
    : mine ? "A run of your own, by gradient descent on all samples at once."
    : last ? "The training as it was recorded." : "No training was recorded. Take steps of gradient descent, or move the parameters.";
  $("epochs").hidden = last === 0;
  $("epoch").max = last;
  $("epoch").value = state.epoch;
  $("epoch-said").textContent = `${state.epoch} of ${last}, ${loss} ${spelled(state.numbers.values[ROOT])}`;
  $("epoch").setAttribute("aria-valuetext", $("epoch-said").textContent);
  for (const [slot, parts] of sliders) {
    parts.row.hidden = slot >= MOST_SLIDERS && PARAMETERS[slot] !== state.selected;
    if (!parts.row.hidden) showSlider(parts, slot < 0 ? state.rate : state.parameters[slot]);
  }
  const updates = PARAMETERS.map((id, slot) => [id, slot]).filter(([id, slot]) => slot < MOST_SLIDERS || id === state.selected).map(([id, slot]) => {
    const g = state.numbers.adjoint[id];
    const [x, next] = [state.parameters[slot], state.parameters[slot] - state.rate * g];
    return hidden(id) ? h("p", {}, `${called(id)} ← ?`)
      : h("p", {}, `${called(id)} ← ${spelled(x)} − ${spelled(state.rate)} × ${factor(g)} = ${spelled(next)}`);
  });
  $("update").replaceChildren(...(LIVE && PARAMETERS.length ? [h("p", { class: "plain" }, `One step of gradient descent: θ ← θ − α × ∂${loss}/∂θ`), ...updates] : []));
}

function showSlider({ range, field, log }, x) {
  field.value = String(+x.toPrecision(7));
  if (!log && Number.isFinite(x) && (x < +range.min || x > +range.max)) {
    range.min = Math.min(+range.min, x);
    range.max = Math.max(+range.max, x);
  }
  range.value = log ? Math.log10(x) : x;
  range.setAttribute("aria-valuetext", spelled(x));
}

/** A slider with a field beside it; slot −1 is the learning rate, on a logarithmic scale. */
function makeSlider(slot) {
  const rate = slot < 0;
  const name = rate ? "α, the learning rate" : called(PARAMETERS[slot]);
  const [low, high] = rate ? [Math.log10(DATA.rate || 0.01) - 3, Math.log10(DATA.rate || 0.01) + 2] : extent(slot);
  const change = (x) => {
    if (!Number.isFinite(x) || (rate && x < 0)) return showTraining();
    if (rate) state.rate = x;
    else state.parameters[slot] = x;
    recompute();
    show();
  };
  const range = h("input", { type: "range", min: low, max: high, step: "any", "aria-label": name,
    input: (event) => change(rate ? 10 ** event.target.value : +event.target.value) });
  const field = h("input", { type: "text", inputmode: "text", autocomplete: "off", "aria-label": `${name}, as a number`,
    change: (event) => change(readAnswer(event.target.value)) });
  const row = h("div", { class: "slider" }, h("span", { "aria-hidden": "true" }, name), range, field);
  sliders.set(slot, { row, range, field, log: rate });
  return row;
}

/** The range of a parameter: what training ran through, and room around it. */
function extent(slot) {
  const met = [...TRAINING, ...state.run, state.parameters].map((row) => row[slot]).filter(Number.isFinite);
  const [low, high] = [Math.min(...met, Infinity), Math.max(...met, -Infinity)];
  const room = high > low ? 0.25 * (high - low) : Math.max(1, Math.abs(high) || 0);
  return Number.isFinite(low) ? [low - room, high + room] : [-1, 1];
}

// ── Charts: the loss over the epochs, the line through the points, the landscape ─────────

const WIDTH = 420;
const HIGH = 300;
const BOX = { left: 62, right: WIDTH - 14, top: 26, bottom: HIGH - 44 };

/** Round numbers between two others, about as many as wanted. */
function ticks(low, high, wanted = 5) {
  const rough = (high - low) / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough);
  const first = Math.ceil(low / step);
  return Array.from({ length: Math.max(0, Math.floor(high / step) - first + 1) }, (_, i) => (first + i) * step);
}

/** A scale from numbers to places, with its ticks; logarithmic if asked. */
function scale(low, high, from, to, log = false) {
  const f = log ? Math.log10 : (x) => x;
  if (!(f(high) > f(low))) [low, high] = log ? [low / 10, high * 10] : [low - 1, high + 1];
  const [a, b] = [f(low), f(high)];
  const place = (x) => from + ((f(x) - a) / (b - a)) * (to - from);
  const inverse = (p) => a + ((p - from) / (to - from)) * (b - a);
  const decades = ticks(a, b, 4).filter(Number.isInteger).map((n) => 10 ** n);
  return Object.assign(place, { inverse, ticks: log ? decades : ticks(low, high) });
}

/** The frame of a chart: axes, ticks and names; the rest is drawn into it. */
function chart(x, y, xName, yName, text, ...inside) {
  const marks = [
    ...x.ticks.map((t) => h("g", { class: "tick" },
      h("line", { x1: x(t), x2: x(t), y1: BOX.top, y2: BOX.bottom }),
      h("text", { x: x(t), y: BOX.bottom + 16, "text-anchor": "middle" }, spelled(t)))),
    ...y.ticks.map((t) => h("g", { class: "tick" },
      h("line", { x1: BOX.left, x2: BOX.right, y1: y(t), y2: y(t) }),
      h("text", { x: BOX.left - 6, y: y(t) + 4, "text-anchor": "end" }, spelled(t)))),
  ];
  return h("svg", { viewBox: `0 0 ${WIDTH} ${HIGH}`, class: "chart", role: "img", "aria-label": text },
    marks, inside,
    h("text", { class: "axis", x: (BOX.left + BOX.right) / 2, y: HIGH - 8, "text-anchor": "middle" }, xName),
    h("text", { class: "axis", x: 4, y: 12 }, yName));
}

const points = (pairs) => pairs.map(([x, y]) => `${x.toFixed(2)},${y.toFixed(2)}`).join(" ");
/** The place in the chart's own units where it was pointed at. */
function pointed(event) {
  const frame = event.currentTarget.getBoundingClientRect();
  return [((event.clientX - frame.left) / frame.width) * WIDTH, ((event.clientY - frame.top) / frame.height) * HIGH];
}

/** The losses of the run, computed once for each run; of a long one at most 600 epochs. */
const losses = { run: null, list: [] };
function lossesOfRun() {
  if (losses.run !== state.run) {
    const every = Math.ceil(state.run.length / Math.min(600, Math.max(2, 2e6 / COUNT)));
    losses.run = state.run;
    losses.list = state.run.map((row, epoch) => [epoch, row])
      .filter(([epoch]) => epoch % every === 0 || epoch === state.run.length - 1)
      .map(([epoch, row]) => [epoch, lossAt(row)]);
  }
  return losses.list;
}

function showCurve() {
  $("curve-card").hidden = state.run.length < 2;
  if (state.run.length < 2) return;
  const all = lossesOfRun().filter(([, value]) => Number.isFinite(value));
  if (!all.length) return $("curve").replaceChildren(h("p", {}, "No epoch has a finite loss."));
  const now = state.numbers.values[ROOT];
  const values = all.map(([, value]) => value);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const log = low > 0 && high / low > 50;
  const x = scale(0, state.run.length - 1, BOX.left, BOX.right);
  const y = scale(log ? low : Math.min(0, low), high, BOX.bottom, BOX.top, log);
  const here = Number.isFinite(now) && (!log || now > 0) ? [x(state.epoch), Math.max(BOX.top, Math.min(BOX.bottom, y(now)))] : null;
  const picture = chart(x, y, "epoch", log ? `${loss}, each line 10 times` : loss,
    `The loss falls from ${spelled(all[0][1])} to ${spelled(all.at(-1)[1])} in ${plural(state.run.length - 1, "epoch")}; now ${spelled(now)}.`.replace("falls", all.at(-1)[1] < all[0][1] ? "falls" : "goes"),
    h("polyline", { class: "curve", points: points(all.map(([epoch, value]) => [x(epoch), y(value)])) }),
    here ? h("line", { class: "here", x1: here[0], x2: here[0], y1: BOX.top, y2: BOX.bottom }) : null,
    here ? h("circle", { class: "dot", cx: here[0], cy: here[1], r: 6 }) : null);
  picture.addEventListener("click", (event) => goTo(Math.round(x.inverse(pointed(event)[0]))));
  $("curve").replaceChildren(picture);
}

const ONE_LINE = CONE.length > 0 && DATA.samples.every(({ x, y, out }) => x.length === 1 && y.length === 1 && out.length === 1);

function showLine() {
  $("line-card").hidden = !ONE_LINE;
  if (!ONE_LINE) return;
  const { values } = state.numbers;
  const met = DATA.samples.map(({ x, y, out }) => [values[x[0]], values[y[0]], values[out[0]]]);
  const xs = met.map(([x]) => x);
  const ys = met.map(([, y]) => y);
  const room = (Math.max(...xs) - Math.min(...xs)) * 0.15 || 1;
  const x = scale(Math.min(...xs) - room, Math.max(...xs) + room, BOX.left, BOX.right);
  const spread = Math.max(...ys) - Math.min(...ys) || 1;
  const y = scale(Math.min(0, ...ys) - 0.1 * spread, Math.max(...ys) + 0.2 * spread, BOX.bottom, BOX.top);
  const count = LIVE ? 60 : 0;
  const curve = Array.from({ length: count + 1 }, (_, i) => {
    const at = BOX.left + ((BOX.right - BOX.left) * i) / (count || 1);
    return [at, y(LIVE ? predict(state.parameters, x.inverse(at)) : NaN)];
  }).filter(([, at]) => Number.isFinite(at) && Math.abs(at) < 1e5);
  const name = (ids, other) => DATA.name[ids[0]].replace(/[₀-₉\d]+$/, "") || other;
  $("line").replaceChildren(chart(x, y, name(DATA.samples[0].x, "input"), name(DATA.samples[0].y, "target"),
    `${plural(met.length, "sample")}: the targets as points, the model's prediction as a line. The errors are ${met.slice(0, 12).map(([, target, out]) => slope(out - target)).join(", ")}.`,
    h("g", { class: "clip" },
      met.filter(([, , out]) => Number.isFinite(out)).map(([a, target, out]) => h("line", { class: `error ${sign(out - target)}`, x1: x(a), x2: x(a), y1: y(target), y2: Math.max(-1e4, Math.min(1e4, y(out))) })),
      h("polyline", { class: "curve", points: points(curve) }),
      met.map(([a, target]) => h("circle", { class: "target", cx: x(a), cy: y(target), r: 5 })))));
}

// ── The landscape: the loss over two parameters, and the way that training took ──────────

const axes = [0, 1];
const drawn = { key: "" };

/** What the landscape spans: all that the runs met, and room around it. */
function span(slot) {
  const met = [...TRAINING, ...state.run, state.parameters].map((row) => row[slot]).filter((x) => Number.isFinite(x) && Math.abs(x) < 1e9);
  const [low, high] = [Math.min(...met), Math.max(...met)];
  const room = high > low ? 0.2 * (high - low) : Math.max(1, Math.abs(high));
  return [low - room, high + room];
}

function showBowl() {
  $("bowl-card").hidden = !LIVE || PARAMETERS.length < 2;
  if ($("bowl-card").hidden) return;
  const [i, j] = axes;
  const [xs, ys] = [span(i), span(j)];
  const x = scale(...xs, BOX.left, BOX.right);
  const y = scale(...ys, BOX.bottom, BOX.top);
  const held = state.parameters.filter((_, slot) => slot !== i && slot !== j);
  const key = JSON.stringify([i, j, xs, ys, [...held], document.documentElement.dataset.theme]);
  if (drawn.key !== key) Object.assign(drawn, { key, picture: heat(x, y) });
  const clamp = (v) => Math.max(-2000, Math.min(2000, v));
  const at = (row) => [clamp(x(row[i])), clamp(y(row[j]))];
  const finite = state.run.filter((row) => Number.isFinite(row[i]) && Number.isFinite(row[j]));
  const thin = Math.ceil(finite.length / 600);
  const here = at(state.parameters);
  const { adjoint, values } = state.numbers;
  const slope = [-adjoint[PARAMETERS[i]] * Math.abs(x(1) - x(0)), adjoint[PARAMETERS[j]] * Math.abs(y(1) - y(0))];
  const steep = Math.hypot(...slope);
  const arrow = steep > 0 && Number.isFinite(steep) && !hidden(PARAMETERS[i]) && !hidden(PARAMETERS[j])
    ? slope.map((s) => (34 * s) / steep) : null;
  const names = [i, j].map((slot) => called(PARAMETERS[slot]));
  const picture = chart(x, y, names[0], names[1],
    `The loss over ${names[0]} and ${names[1]}: the stronger the colour, the lower. Now ${names[0]} is ${spelled(state.parameters[i])}, ${names[1]} is ${spelled(state.parameters[j])} and ${loss} ${spelled(values[ROOT])}.`,
    h("polyline", { class: "way", points: points(finite.filter((_, n) => n % thin === 0).map(at)) }),
    h("circle", { class: "start", cx: at(state.run[0])[0], cy: at(state.run[0])[1], r: 3.5 }),
    arrow ? h("path", { class: "arrow", d: arrowPath(here, arrow) }) : null,
    h("circle", { class: "dot", cx: here[0], cy: here[1], r: 6 }));
  picture.addEventListener("click", (event) => {
    const [px, py] = pointed(event);
    if (px < BOX.left || px > BOX.right || py < BOX.top || py > BOX.bottom) return;
    const parameters = state.parameters.slice();
    parameters[i] = x.inverse(px);
    parameters[j] = y.inverse(py);
    startFrom(parameters);
  });
  $("bowl").replaceChildren(h("div", { class: "landscape" }, drawn.picture, picture),
    h("p", { class: "hint" }, "The stronger the colour, the lower the loss. The orange line is the way of the training, the arrow points straight downhill from here. Choose any place to start there."));
}

/** An arrow from a place: its line and its head. */
function arrowPath([x, y], [dx, dy]) {
  const tip = [x + dx, y + dy];
  const wing = (turn) => [tip[0] - 0.28 * dx + turn * 0.2 * dy, tip[1] - 0.28 * dy - turn * 0.2 * dx];
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
  const depth = (value) => Math.max(0, 1 + Math.log10((value - low) / (high - low) + 1e-5) / 3.5);
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim().match(/[0-9a-f]{2}/gi).map((hex) => parseInt(hex, 16));
  const [deep, tall] = [colour("--deep"), colour("--tall")];
  const canvas = h("canvas", { width: BOX.right - BOX.left, height: BOX.bottom - BOX.top, "aria-hidden": "true" });
  const paint = canvas.getContext("2d");
  const image = paint.createImageData(canvas.width, canvas.height);
  for (let v = 0; v < canvas.height; v++)
    for (let u = 0; u < canvas.width; u++) {
      const [gu, gv] = [(u / canvas.width) * cells, (v / canvas.height) * cells];
      const [a, b] = [Math.floor(gu), Math.floor(gv)];
      const at = (n, m) => grid[(b + m) * (cells + 1) + a + n];
      const [fu, fv] = [gu - a, gv - b];
      const value = (1 - fv) * ((1 - fu) * at(0, 0) + fu * at(1, 0)) + fv * ((1 - fu) * at(0, 1) + fu * at(1, 1));
      const t = Number.isFinite(value) ? Math.floor(depth(value) * 14) / 14 : 1;
      const p = 4 * (v * canvas.width + u);
      for (let c = 0; c < 3; c++) image.data[p + c] = deep[c] + (tall[c] - deep[c]) * Math.min(1, t);
      image.data[p + 3] = 255;
    }
  paint.putImageData(image, 0, 0);
  return canvas;
}

// ── Every number as a table: the graph for those who read it by ear ──────────────────────

function showTable() {
  if (!$("numbers").querySelector("details").open) return;
  const { values, adjoint, partials } = state.numbers;
  const rows = DATA.op.map((_, id) => h("tr", { "data-id": id },
    h("th", { scope: "row" }, link(id, label(id))), h("td", {}, place(id)), h("td", {}, kindName(id)),
    h("td", {}, DATA.args[id].slice(0, 12).map((arg, at) =>
      called(arg) + (DATA.flows[id][at] && !hidden(arg) ? ` (∂ ${slope(partials[id][at])})` : "")).join(", ") + (DATA.args[id].length > 12 ? ", …" : "")),
    h("td", { class: "number" }, valueShown(id) ? minus(String(values[id])) : "not yet"),
    h("td", { class: "number" }, !hasGradient(id) ? "none" : hidden(id) ? "?" : gradientShown(id) ? minus(String(adjoint[id])) : "not yet")));
  $("table").replaceChildren(
    h("caption", {}, `${plural(COUNT, "value")}, each with what it was made from and, in brackets, the local derivatives.`),
    h("thead", {}, h("tr", {}, ["card", "where", "what", "made from", "value", `∂${loss}/∂card`].map((text) => h("th", { scope: "col" }, text)))),
    h("tbody", {}, rows));
}

// ── 6. Predict ───────────────────────────────────────────────────────────────────────────

/** A number as people write it: 1/7, −3,5, 2e9; NaN if it is none. */
function readAnswer(text) {
  const [top, bottom, ...more] = text.replace(/[\s_'\u202f\u00a0]/g, "").replace(/[−–]/g, "-").replace(",", ".").split("/");
  const part = (word) => (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(word) ? Number(word) : NaN);
  return more.length ? NaN : bottom === undefined ? part(top) : part(top) / part(bottom);
}

const near = (x, y) => x === y || Math.abs(x - y) <= 0.006 * Math.abs(y);

/** The gradient if every local derivative of one kind were another number. */
function gradientIf(id, change) {
  const adjoint = new Float64Array(COUNT);
  adjoint[ROOT] = 1;
  for (let at = ROOT; at >= id; at--)
    for (const use of USES[at]) adjoint[at] += adjoint[use.to] * change(use, local(use));
  return adjoint[id];
}

/**
 * What a reader may have done who answers so: every likely mistake on this very graph, as
 * (the number it leads to, the words for it), the likeliest first.
 * @returns {[number, string][]}
 */
function mistakes(id) {
  const { values, adjoint } = state.numbers;
  const g = adjoint[id];
  const uses = USES[id];
  const terms = uses.map((use) => adjoint[use.to] * local(use));
  const found = [
    [-g, "The size is right, the sign is not. Ask which way the loss goes when it grows a little."],
    [values[id], `That is the value of ${called(id)}, not its gradient: how much there is of it, not how the loss answers to it.`],
    [state.parameters[SLOT.get(id)] - state.rate * g, `That is ${label(id)} after a step of gradient descent. Asked for is the gradient itself.`],
    [state.rate * g, "That is the step, α × the gradient. Leave the learning rate out."],
    [-state.rate * g, "That is the step, α × the gradient, with its sign turned. Leave the learning rate out."],
  ];
  if (terms.length > 1) {
    uses.forEach((use, n) => found.push([terms[n],
      `That is only one of ${terms.length} terms, the one through ${called(use.to)}. ${label(id)} is used ${terms.length} times: add all of them.`]));
    found.push([g / terms.length, `That is the mean of the ${terms.length} terms. The chain rule adds them.`]);
    found.push([g * terms.length, `That is ${terms.length} times too much: one factor 1/${terms.length} is missing or counted twice.`]);
    const firsts = terms.slice(0, -1).map((_, n) => terms.slice(0, n + 1).reduce((a, b) => a + b, 0));
    firsts.slice(1).forEach((sum, n) => found.push([sum, `That is the sum of the first ${n + 2} of ${terms.length} terms. Some are left.`]));
    found.push([terms.reduce((a, b) => a * b, 1), "The terms are to be added, not multiplied."]);
  }
  if (uses.length)
    found.push([local(uses[0]), `That is only the last link, ${d(label(uses[0].to), label(id))}. Multiply it by what comes back from there, ${gradientOf(uses[0].to)}.`],
      [adjoint[uses[0].to], `That is ${gradientOf(uses[0].to)}, what comes back to ${called(uses[0].to)}. It still has to be multiplied by the local derivative${uses.length > 1 ? ", and the terms added" : ""}.`]);
  for (const use of onTheWay(id)) { // one representative of each kind of edge between here and the root
    const same = (other) => ALIKE[other.to] === ALIKE[use.to] && (SAMPLE[use.to] < 0 || other.at === use.at);
    const link = d(label(use.to), label(DATA.args[use.to][use.at]));
    const formula = localFormula(use);
    found.push(
      [gradientIf(id, (other, l) => (same(other) ? 1 : l)), `One link is missing: ${link}${formula ? ` = ${formula}` : ""}. Multiply by it as well.`],
      [gradientIf(id, (other, l) => (same(other) ? values[other.to] : l)), `At ${label(use.to)} you took the value where its derivative belongs: ${link}${formula ? ` = ${formula}` : ""}.`],
      [gradientIf(id, (other, l) => (same(other) ? l / 2 : l)), `A factor 2 is missing: ${link}${formula ? ` = ${formula}` : ""}.`],
      [gradientIf(id, (other, l) => (same(other) ? -l : l)), `One sign is wrong, that of ${link}${formula ? ` = ${formula}` : ""}.`]);
  }
  for (const other of new Set([...PARAMETERS, ...uses.map(({ to }) => to), ...DATA.args[id]]))
    if (other !== id && hasGradient(other)) found.push([adjoint[other], `That is the gradient of ${called(other)}. Asked for is that of ${called(id)}.`]);
  for (const power of [1, 2, 3, -1, -2, -3])
    found.push([g * 10 ** power, "The digits are right; the decimal point is not."]);
  return found.filter(([x]) => Number.isFinite(x) && !near(x, g));
}

/** One edge of each kind that lies between a node and the root; at most 12. */
function onTheWay(id) {
  const met = new Map();
  const seen = new Set([id]);
  for (let at = id; at <= ROOT; at++)
    if (seen.has(at))
      for (const use of USES[at]) {
        seen.add(use.to);
        const key = `${ALIKE[use.to]} ${SAMPLE[use.to] < 0 ? "" : use.at}`;
        if (!met.has(key) && DATA.op[use.to] !== "identity") met.set(key, use);
      }
  return [...met.values()].slice(0, 12);
}

function ask(id) {
  state.asked = id;
  state.step = END();
  $("asked").value = id;
  $("guess").value = "";
  $("verdict").replaceChildren();
  select(id);
  $("guess").focus({ preventScroll: true });
}

function answer() {
  const id = state.asked;
  if (id < 0) return ask(+$("asked").value);
  const guess = readAnswer($("guess").value);
  const g = state.numbers.adjoint[id];
  if (Number.isNaN(guess)) return verdict("", "A number is needed, such as −12.5 or 2/7.");
  if (near(guess, g) || (Number.isNaN(g) && /nan/i.test($("guess").value))) return reveal("right", "Right.");
  const likely = [...new Set(mistakes(id).filter(([x]) => near(guess, x)).map(([, words]) => words))].slice(0, 3);
  const far = `Not quite. ${sign(guess) !== sign(g) ? "The sign is wrong too. " : ""}Begin at ${loss} with 1, multiply by the local derivative on each edge of a way back to ${label(id)}, and add over the ways.`;
  verdict("wrong", ...(likely.length ? likely : [far]));
}

/** What is said of an answer; of several possible mistakes, each in a line of its own. */
function verdict(mark, ...words) {
  $("verdict").className = mark;
  $("verdict").replaceChildren(...words.map((said, n) => h("p", {}, n ? "Or: " : "", said)));
}

function reveal(mark, word) {
  const id = state.asked;
  state.asked = -1;
  select(id);
  verdict(mark, h("span", {}, `${word} ${gradientOf(id)} = ${slope(state.numbers.adjoint[id])}. `, link(id, "Why?")));
}

function showQuiz() {
  const id = state.asked;
  $("guess-label").textContent = id < 0 ? "" : `${gradientOf(id)} =`;
  for (const name of ["guess", "guess-label", "reveal"]) $(name).hidden = id < 0;
  $("answer").querySelector("[type=submit]").textContent = id < 0 ? "Hide it and ask me" : "Check";
  $("question").textContent = id < 0
    ? "Choose a card. Its gradient is hidden, and you say what it is."
    : `What is ${gradientOf(id)}${place(id) ? ` in ${place(id)}` : ""}? All other numbers are on the page. Three digits are enough.`;
}

// ── The picture ──────────────────────────────────────────────────────────────────────────

/** Every picture with its elements at hand; the first ones show one sample each. */
const SCENES = DATA.scenes.map((scene, number) => {
  const frame = document.querySelectorAll(".picture")[number];
  const svg = frame.querySelector("svg");
  const element = (id) => document.getElementById(scene.prefix + id);
  const named = (id) => document.getElementById(id);
  return {
    ...scene, frame, svg,
    size: [svg.viewBox.baseVal.width, svg.viewBox.baseVal.height],
    slots: scene.slots.map((slot) => ({ ...slot, group: named(slot.id), text: named(slot.text), room: named(slot.text).textContent })),
    links: scene.links.map((link) => ({ ...link, group: named(link.id), text: named(link.text) })),
    cards: scene.cards.map(([id, nodes]) => ({ nodes, group: element(id) })).filter(({ group }) => group),
  };
});

const largest = (numbers) => numbers.reduce((top, x) => (Number.isFinite(x) && Math.abs(x) > top ? Math.abs(x) : top), 0);
const tint = (x, top) => shade(x, top, RULES.thresholds);

function showPicture() {
  const { values, adjoint } = state.numbers;
  SCENES.forEach(({ frame }, number) => (frame.hidden = number !== state.scene));
  const scene = SCENES[state.scene];
  $("scene").value = state.scene;
  $("scene-note").textContent = scene.note;
  const flow = ([arg, at, to]) => (DATA.flows[to][at] ? adjoint[to] * local({ to, at }) : null);
  const flows = scene.links.map(({ edges }) => edges.map(flow).filter((x) => x !== null))
    .map((all) => (all.length ? all.reduce((sum, x) => sum + x) : null));
  const [tops, most] = [largest(adjoint), largest(flows.filter((x) => x !== null))];
  const strongest = (nodes, numbers) => nodes.map((id) => numbers[id]).reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a));

  for (const { what, nodes, group, text, room } of scene.slots) {
    if (what === "data") {
      setText(text, nodes.every(valueShown) ? fitted(room, "", (digits) => rounded(strongest(nodes, values), digits)) : "·");
    } else {
      const there = nodes.every(gradientShown);
      const x = there ? strongest(nodes, adjoint) : null;
      setText(text, there ? fitted(room, "∂ ", (digits) => signed(x, digits)) : nodes.some(hidden) ? "∂ ?" : "∂");
      setClass(group, `chip ${there ? tint(x, tops) : "zero"}${nodes.some(hidden) ? " asked" : ""}`);
    }
  }
  const now = new Set(STEPS[state.step - 1] ?? []);
  const back = state.step > forwardSteps;
  scene.links.forEach(({ what, edges, group, text }, n) => {
    const there = edges.every(([arg, , to]) => gradientShown(arg) || (hidden(arg) && gradientAt[arg] <= state.step && what !== "flow") || !DATA.flows[to].some(Boolean));
    const lit = edges.some(([arg, , to]) => (back ? now.has(arg) && DATA.flows[to].some(Boolean) : now.has(to)));
    const chosen = edges.some(([arg]) => arg === state.selected);
    setClass(group, `edge ${there && !edges.some(([arg]) => hidden(arg)) ? tint(flows[n], most) : "none"}${lit ? " now" : ""}${chosen ? " chosen" : ""}`);
    if (text && what) setText(text, !there ? "" : what === "flow" ? `∂ ${signed(flows[n])}` : signed(local({ to: edges[0][2], at: edges[0][1] })));
  });
  for (const { nodes, group } of scene.cards) {
    const alone = nodes.length === 1;
    group.classList.toggle("now", nodes.some((id) => now.has(id)) && alone);
    group.classList.toggle("chosen", nodes.includes(state.selected) && alone);
    group.setAttribute("tabindex", nodes.includes(state.selected) ? 0 : -1);
    group.setAttribute("aria-pressed", nodes.includes(state.selected));
    const [id] = nodes;
    group.setAttribute("aria-label", !alone ? `${plural(nodes.length, "value")} folded into one card`
      : `${called(id)}, ${kindName(id)}, ${valueShown(id) ? spelled(values[id]) : "not computed yet"}` +
        (hasGradient(id) && gradientShown(id) ? `, gradient ${slope(adjoint[id])}` : ""));
  }
  if (!scene.cards.some(({ nodes }) => nodes.includes(state.selected))) scene.cards[0]?.group.setAttribute("tabindex", 0);
}

const pen = document.createElement("canvas").getContext("2d");
/** The longest of some writings of a number, with 4 digits to 1, that its place has room for. */
function fitted(room, mark, write) {
  pen.font = "11px Helvetica, Arial, sans-serif";
  const wide = Math.max(pen.measureText(room).width, pen.measureText(`${mark}-123456`).width) + 3;
  const texts = [4, 3, 2, 1].map((digits) => mark + write(digits));
  return texts.find((text) => pen.measureText(text).width <= wide) ?? texts.at(-1);
}

const setText = (element, text) => element.textContent !== text && (element.textContent = text);
const setClass = (element, names) => element.getAttribute("class") !== names && element.setAttribute("class", names);

/** Make cards and edges answer to the mouse, to touch and to the keyboard. */
function wirePictures() {
  for (const { svg, cards, links } of SCENES) {
    svg.setAttribute("role", "group");
    for (const { nodes, group } of cards) {
      group.setAttribute("role", "button");
      const choose = () => select(nodes.includes(state.selected) && nodes.length === 1 ? nodes[0] : nodes.at(-1));
      group.addEventListener("click", choose);
      group.addEventListener("keydown", (event) => event.key === "Enter" && choose());
    }
    for (const { edges, group } of links) {
      const line = group.querySelector("path");
      if (line) group.prepend(h("path", { class: "grip", d: line.getAttribute("d") })); // easier to hit
      group.addEventListener("click", () => select(edges[0][0]));
      group.append(h("title", {}));
      group.addEventListener("pointerenter", () => (group.querySelector("title").textContent = edgeWords(edges)));
    }
  }
}

/** What an edge brings, in full digits. */
function edgeWords(edges) {
  const [[arg, at, to]] = edges;
  const { adjoint } = state.numbers;
  if (!DATA.flows[to][at]) return "No gradient flows here.";
  if (!gradientShown(arg)) return "The way back has not come here yet.";
  if (edges.length > 1) return `${edges.length} edges bring ${minus(String(edges.reduce((sum, [, i, k]) => sum + (DATA.flows[k][i] ? adjoint[k] * local({ to: k, at: i }) : 0), 0)))}`;
  const l = local({ to, at });
  return minus(`${gradientOf(to)} × ${d(label(to), label(arg))} = ${adjoint[to]} × ${l} = ${adjoint[to] * l}`);
}

/** The size of the picture: 1 is its own, "fit" fits it into its frame. */
let zoom = "fit";

function fitPicture() {
  for (const { svg, size } of SCENES) {
    const [wide] = size;
    const frame = $("stages").clientWidth - 2;
    const factor = zoom === "fit" ? Math.min(1.25, Math.max(frame / wide, 0.55)) : zoom;
    svg.style.width = `${Math.round(wide * factor)}px`;
    svg.style.height = "auto";
  }
}

function zoomBy(factor) {
  const { svg, size } = SCENES[state.scene];
  zoom = Math.max(0.2, Math.min(4, (parseFloat(svg.style.width) / size[0]) * factor));
  fitPicture();
}

/** Bring a node's card into the frame, without moving the page. */
function bringIntoView(id) {
  const card = SCENES[state.scene].cards.find(({ nodes }) => nodes.includes(id));
  if (!card) return;
  const frame = $("stages").getBoundingClientRect();
  const box = card.group.getBoundingClientRect();
  const by = (low, high, from, to) => (low < from + 20 ? low - from - 60 : high > to - 20 ? high - to + 60 : 0);
  $("stages").scrollBy({
    left: by(box.left, box.right, frame.left, frame.right),
    top: by(box.top, box.bottom, frame.top, frame.bottom),
    behavior: calm.matches ? "auto" : "smooth",
  });
}

// ── 7. Controls ──────────────────────────────────────────────────────────────────────────

function select(id) {
  state.selected = id;
  follow(id);
  show();
  bringIntoView(id);
}

/** Show the picture of the sample that a node belongs to, if this one has no card of it. */
function follow(id) {
  const shown = SCENES[state.scene].cards.some(({ nodes }) => nodes.length === 1 && nodes[0] === id);
  const other = SCENES.findIndex(({ cards }) => cards.some(({ nodes }) => nodes.length === 1 && nodes[0] === id));
  if (!shown && other >= 0) state.scene = other;
}

function goToStep(step, speak = true) {
  state.step = Math.max(0, Math.min(step, END()));
  const now = STEPS[state.step - 1];
  if (now) {
    const here = now.find((id) => SCENES[state.scene].cards.some(({ nodes }) => nodes.length === 1 && nodes[0] === id));
    if (!now.includes(state.selected)) state.selected = here ?? now[0];
    if (here === undefined) follow(state.selected);
  }
  if (speak) $("said").textContent = sentence();
  show();
  bringIntoView(state.selected);
}

/** Something that runs by itself until it is done or stopped. */
const playing = { timer: 0, button: null, word: "" };

function stop() {
  clearInterval(playing.timer);
  if (playing.button) {
    playing.button.textContent = playing.word;
    playing.button.setAttribute("aria-pressed", "false");
  }
  Object.assign(playing, { timer: 0, button: null });
}

function play(button, every, advance) {
  const mine = playing.button === button;
  stop();
  if (mine) return;
  Object.assign(playing, { button, word: button.textContent });
  button.textContent = "Pause";
  button.setAttribute("aria-pressed", "true");
  playing.timer = setInterval(() => advance() || stop(), every);
}

const calm = matchMedia("(prefers-reduced-motion: reduce)");

function playSteps() {
  if (state.step === END()) goToStep(0);
  play($("play"), calm.matches ? 2400 : 1200, () => (goToStep(state.step + 1), state.step < END()));
}

function playEpochs() {
  if (state.epoch === state.run.length - 1) goTo(0);
  const stride = Math.max(1, Math.round(state.run.length / (calm.matches ? 12 : 100)));
  play($("train"), calm.matches ? 1000 : 60, () => (goTo(state.epoch + stride), state.epoch < state.run.length - 1));
}

function showControls() {
  const { step } = state;
  $("step").max = END();
  $("step").value = step;
  $("step").style.setProperty("--turn", `${(100 * forwardSteps) / END()}%`);
  $("step").setAttribute("aria-valuetext", sentence());
  $("first").disabled = $("back").disabled = step === 0;
  $("last").disabled = $("forth").disabled = step === END();
  $("train").hidden = state.run.length < 2;
  for (const name of ["descend", "descend-more", "rewind"]) $(name).hidden = !LIVE || !PARAMETERS.length;
  showQuiz();
}

function theme(name) {
  document.documentElement.dataset.theme = name;
  $("theme").textContent = name === "dark" ? "Light" : "Dark";
  if (state.numbers) showBowl();
}

function start() {
  $("notice").hidden = LIVE;
  $("notice").textContent = LIVE ? "" : `The row ${DATA.opaque.join(", ")} runs in Python only. This page shows the numbers that were recorded; live sliders are off.`;
  const options = (ids) => ids.map((id) => h("option", { value: id }, called(id)));
  const all = DATA.op.map((_, id) => id);
  const first = [...PARAMETERS, ...all.filter((id) => !SLOT.has(id)).reverse()];
  $("node").append(...options(first.slice(0, 2000)));
  $("asked").append(...options(first.filter((id) => hasGradient(id) && id !== ROOT && USES[id].length).slice(0, 500)));
  $("quiz").hidden = !$("asked").options.length;
  for (const id of ["across", "up"]) $(id).append(...PARAMETERS.map((node, slot) => h("option", { value: slot }, called(node))));
  $("axes").hidden = PARAMETERS.length < 3;
  $("up").value = 1;
  $("training").hidden = !PARAMETERS.length;
  if (LIVE && PARAMETERS.length) $("sliders").append(...PARAMETERS.slice(0, 500).map((_, slot) => makeSlider(slot)), makeSlider(-1));
  if (PARAMETERS.length > MOST_SLIDERS) $("sliders").append(h("p", { class: "hint" }, `These are ${MOST_SLIDERS} of ${PARAMETERS.length} parameters. Choose another one, and its slider is here too.`));
  $("scene").append(...SCENES.map(({ label: name }, number) => h("option", { value: number }, name)));
  $("which").hidden = SCENES.length < 2;
  wirePictures();
  fitPicture();
  addEventListener("resize", fitPicture);
  $("together-label").hidden = DATA.samples.length < 2;
  theme(matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  layOutSteps();
  state.step = END();
  state.selected = PARAMETERS.find((id) => DATA.name[id] === "b") ?? PARAMETERS[0] ?? ROOT;
  recompute();
  $("formulas").textContent = formulas();
  $("lead").textContent = lead();
  show();
  $("said").textContent = sentence();
}

/** The formulas of what has a name, from the result back: those of the first sample stand for all. */
function formulas() {
  const plain = (id) => DATA.name[id] || !isOperation(id) || label(id) !== DATA.symbol[id];
  return DATA.op.map((_, id) => id).reverse()
    .filter((id) => isOperation(id) && SAMPLE[id] < 1 && (DATA.name[id] || DATA.label[id] !== DATA.symbol[id]))
    .filter((id) => DATA.args[id].every(plain) && computed(id) && computed(id)[0] !== label(id) && DATA.op[id] !== "identity")
    .map((id) => `${label(id)} = ${computed(id)[0]}`).filter((text, n, all) => all.indexOf(text) === n && text.length < 60).slice(0, 4).join(",  ");
}

/** What the page is about: the formulas of what has a name, and how much there is. */
function lead() {
  const n = DATA.samples.length;
  const graph = `${plural(COUNT, "value")}, ${plural(PARAMETERS.length, "parameter")}${n ? `, ${plural(n, "sample")}` : ""}.`;
  return `${graph} Go forward, and every value is computed from those before it. Go backward, and every gradient is computed from those after it.`;
}

const on = (id, event, listener) => $(id).addEventListener(event, listener);
on("first", "click", () => goToStep(0));
on("back", "click", () => goToStep(state.step - 1));
on("forth", "click", () => goToStep(state.step + 1));
on("last", "click", () => goToStep(END()));
on("play", "click", playSteps);
on("step", "input", () => (stop(), goToStep(+$("step").value)));
on("together", "change", () => {
  const there = state.step === END();
  state.together = $("together").checked;
  layOutSteps();
  goToStep(there ? END() : 0);
});
on("scene", "change", () => ((state.scene = +$("scene").value), show()));
on("smaller", "click", () => zoomBy(0.8));
on("larger", "click", () => zoomBy(1.25));
on("fit", "click", () => ((zoom = "fit"), fitPicture()));
on("node", "change", () => select(+$("node").value));
on("epoch", "input", () => (stop(), goTo(+$("epoch").value)));
on("descend", "click", () => descend(1));
on("descend-more", "click", () => descend(100));
on("train", "click", playEpochs);
on("rewind", "click", () => (stop(), rewind()));
for (const [n, id] of [[0, "across"], [1, "up"]]) on(id, "change", () => ((axes[n] = +$(id).value), showBowl()));
on("answer", "submit", (event) => (event.preventDefault(), answer()));
on("reveal", "click", () => reveal("", "Here it is."));
on("asked", "change", () => state.asked >= 0 && ask(+$("asked").value));
on("theme", "click", () => theme(document.documentElement.dataset.theme === "dark" ? "light" : "dark"));
on("help", "click", () => $("keys").showModal());
$("numbers").querySelector("details").addEventListener("toggle", showTable);

const KEYS = {
  ArrowRight: () => goToStep(state.step + 1),
  ArrowLeft: () => goToStep(state.step - 1),
  ArrowDown: () => select((state.selected + 1) % COUNT),
  ArrowUp: () => select((state.selected + COUNT - 1) % COUNT),
  Home: () => goToStep(0),
  End: () => goToStep(END()),
  " ": playSteps,
  g: () => LIVE && descend(1),
  r: rewind,
  "?": () => $("keys").showModal(),
};

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, select, textarea, dialog");
  const pressing = event.key === " " && event.target.closest("button, summary, a");
  const act = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!act || typing || pressing || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  if (!["ArrowDown", "ArrowUp"].includes(event.key) && event.key !== " ") stop();
  act();
});

start();
