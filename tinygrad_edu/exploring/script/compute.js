// Arithmetic: one loop forward, one loop backward, over the rows of the table.

/** The values of all nodes, oldest first, at some parameters. */
function forward(parameters, values = Float64Array.from(RECORDED)) {
  PARAMETERS.forEach((id, slot) => (values[id] = parameters[slot]));
  if (!LIVE) return values;
  for (let id = 0; id < COUNT; id++)
    if (isOperation(id))
      values[id] = ROWS[DATA.op[id]].value(...DATA.args[id].map((arg) => values[arg]));
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
  for (let id = out; id >= 0; id--)
    if (needed.has(id)) DATA.args[id].forEach((arg) => needed.add(arg));
  return [...needed].sort((a, b) => a - b);
})();

function predict(parameters, input) {
  const { x, out } = DATA.samples[0];
  PARAMETERS.forEach((id, slot) => (scratch[id] = parameters[slot]));
  scratch[x[0]] = input;
  for (const id of CONE)
    if (isOperation(id))
      scratch[id] = ROWS[DATA.op[id]].value(...DATA.args[id].map((arg) => scratch[arg]));
  const answer = scratch[out[0]];
  scratch[x[0]] = RECORDED[x[0]];
  return answer;
}

/** One step of gradient descent on all samples at once: θ − α · dloss/dθ. */
function descended(parameters, rate) {
  const { adjoint } = backward(forward(parameters));
  return parameters.map((x, slot) => x - rate * adjoint[PARAMETERS[slot]]);
}
