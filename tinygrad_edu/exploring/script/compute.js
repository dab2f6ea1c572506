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

/** What the outputs of the first sample are computed from; nothing if other samples or its target
 *  are part of it, because then they can't be computed for other inputs alone. */
const CONE = (() => {
  const [first] = DATA.samples;
  if (!LIVE || !first?.out.length) return [];
  const needed = new Set(first.out);
  for (let id = Math.max(...first.out); id >= 0; id--)
    if (needed.has(id)) DATA.args[id].forEach((arg) => needed.add(arg));
  const alone = [...needed].every((id) => SAMPLE[id] <= 0 && !first.y.includes(id));
  return alone ? [...needed].sort((a, b) => a - b) : [];
})();

/** What a sample's first output would be for other inputs; all of them are then in `scratch`. */
function predict(parameters, inputs) {
  const { x, out } = DATA.samples[0];
  PARAMETERS.forEach((id, slot) => (scratch[id] = parameters[slot]));
  x.forEach((id, axis) => (scratch[id] = inputs[axis]));
  for (const id of CONE)
    if (isOperation(id))
      scratch[id] = ROWS[DATA.op[id]].value(...DATA.args[id].map((arg) => scratch[arg]));
  const answer = scratch[out[0]];
  for (const id of x) scratch[id] = RECORDED[id];
  return answer;
}

/** The optimiser's memory after the step that led to some parameters, and the number of that step. */
const MEMORY = new WeakMap();

/** One step of the optimiser that trained the model, on all samples at once; without one, of
 *  gradient descent: θ − α · dloss/dθ. Where it has no memory of the steps before, it begins anew. */
function descended(parameters, rate) {
  const { adjoint } = backward(forward(parameters));
  const g = PARAMETERS.map((id) => adjoint[id]);
  if (!RULE) return parameters.map((x, slot) => x - rate * g[slot]);
  const { t, memory } = MEMORY.get(parameters) ?? { t: 0, memory: g.map(() => RULE.start) };
  const steps = g.map((_, slot) =>
    RULE.step(parameters[slot], g[slot], rate, t + 1, ...memory[slot]),
  );
  const after = Float64Array.from(steps, ([x]) => x);
  MEMORY.set(after, { t: t + 1, memory: steps.map(([, ...kept]) => kept) });
  return after;
}
/** The name of the rule of these steps. */
const STEPPER = RULE || (DATA.plain && DATA.optimizer) ? DATA.optimizer : "gradient descent";
