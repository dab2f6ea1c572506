// The recorded graph: what was written into the page, and how its nodes belong together.
//
// The files of this folder are one script, in this order: arithmetic, graph, compute, state, words;
// then the views, each of which draws the state anew: picture, reason, training, charts, landscape,
// regions, table; then predict, and controls, which starts it all.
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
    else if (value !== null && value !== false)
      element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null));
  return element;
}

/** A number as JSON stores it: nan and infinities are strings there. */
const read = (x) => (typeof x === "number" ? x : { nan: NaN, inf: Infinity, "-inf": -Infinity }[x]);

const COUNT = DATA.op.length;
const ROOT = COUNT - 1;
const LIVE = DATA.opaque.length === 0;
const RECORDED = Float64Array.from(DATA.data, read);
const PARAMETERS = DATA.parameters;
const SLOT = new Map(PARAMETERS.map((id, slot) => [id, slot]));

/** Of every node, the edges to its consumers along which a gradient flows back. @type {Use[][]} */
const USES = DATA.op.map(() => []);
DATA.args.forEach((args, to) =>
  args.forEach((arg, at) => DATA.flows[to][at] && USES[arg].push({ to, at })),
);

/** The length of the longest way from the leaves, and of the longest way to the root. */
const LEVEL = new Int32Array(COUNT);
const HEIGHT = new Int32Array(COUNT);
DATA.args.forEach((args, id) =>
  args.forEach((arg) => (LEVEL[id] = Math.max(LEVEL[id], LEVEL[arg] + 1))),
);
for (let id = ROOT; id >= 0; id--)
  for (const { to } of USES[id]) HEIGHT[id] = Math.max(HEIGHT[id], HEIGHT[to] + 1);

/** The sample that a node belongs to, −1 if to none. */
const SAMPLE = DATA.scope.map((scope) =>
  DATA.samples.findIndex((sample) => DATA.scopes[scope].split("/")[0] === sample.scope),
);

/** Of every node the number of its kind: corresponding nodes of the samples are of one kind. */
const ALIKE = DATA.alike;

const isOperation = (id) => DATA.op[id] !== null;
const hasGradient = (id) => DATA.reached[id] === 1 && DATA.role[id] !== "constant";
