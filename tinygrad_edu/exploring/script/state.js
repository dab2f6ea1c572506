// Where the reader is: parameters, epoch, step. Everything shown follows from it.

/** Doubles from base64. */
function unpacked(text) {
  const bytes = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  return Float64Array.from({ length: bytes.length / 8 }, (_, i) => view.getFloat64(8 * i, true));
}

/** The parameters of every epoch as they were recorded; at least the current ones. */
const TRAINING = (() => {
  const now = Float64Array.from(PARAMETERS, (id) => RECORDED[id]);
  const all = unpacked(DATA.weights);
  const epochs = Array.from({ length: LIVE ? DATA.epochs.length : 0 }, (_, i) =>
    all.slice(i * PARAMETERS.length, (i + 1) * PARAMETERS.length),
  );
  return epochs.length ? epochs : [now];
})();

const state = {
  run: TRAINING, // the parameters of every epoch that the slider goes through
  epoch: 0,
  parameters: TRAINING[0].slice(),
  rate: DATA.rate,
  step: 0,
  selected: ROOT,
  sloped: 0, // the parameter whose slope is drawn: the last one chosen
  together: DATA.samples.length > 1,
  byLayer: false,
  scene: 0,
  wanted: DATA.scenes?.[0]?.label, // what the reader wants to see: a narrow window may show the whole
  unfolded: false, // whether the reader unfolded a card, so that the picture need not fit
  asked: -1, // the node whose gradient is to be predicted, and is hidden as long
  numbers: /** @type {Numbers} */ (null),
};

/** The steps: groups of nodes that are computed, then groups that get their gradient. After the
 *  last one comes the end, with everything computed and nothing highlighted. */
let STEPS = [];
const END = () => STEPS.length + 1;
let forwardSteps = 0;
/** Of each node, at which step its value and its gradient are there. */
const valueAt = new Int32Array(COUNT);
const gradientAt = new Int32Array(COUNT);

/** The layer of a node: the scope within its sample, for leaves that of their use; empty for the rest,
 *  which is the loss. */
const LAYER = (() => {
  const own = DATA.scope.map((scope, id) =>
    SAMPLE[id] >= 0 ? DATA.scopes[scope].split("/")[1] ?? "" : "",
  );
  return own.map((name, id) => (!isOperation(id) && USES[id].length ? own[USES[id][0].to] : name));
})();
/** Whether the layers come one after the other, so that each can be a step. */
const LAYERED =
  new Set(LAYER).size > 2 ||
  (new Set(LAYER).size === 2 &&
    DATA.args.every((args, id) => LAYER[id] === "" || args.every((arg) => !isOperation(arg) || LAYER[arg] !== "")));

function layOutSteps() {
  const grouped = (ids, order) => {
    const groups = new Map();
    for (const id of ids) {
      const key = state.byLayer ? LAYER[id] : state.together ? ALIKE[id] : id;
      groups.set(key, [...(groups.get(key) ?? []), id]);
    }
    if (state.byLayer) {
      const last = new Map([...groups].map(([key, all]) => [key, Math.max(...all.map(order))]));
      return [...groups].sort((a, b) => last.get(a[0]) - last.get(b[0])).map(([, all]) => all);
    }
    return [...groups.values()].sort(
      (a, b) => order(a[0]) - order(b[0]) || SLOT.has(a[0]) - SLOT.has(b[0]) || a[0] - b[0],
    );
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
/** Whether a gradient is hidden because the reader has to predict it. */
const hidden = (id) => state.asked >= 0 && id === state.asked;

/** The parts that a view was drawn from, when it was last drawn. */
const drawnFrom = new Map();
/** Whether a view has to be drawn anew: one of its parts is another one. The numbers are an object
 *  of their own for each computation. */
function changed(view, ...parts) {
  const before = drawnFrom.get(view);
  drawnFrom.set(view, parts);
  return !before || parts.some((part, i) => !Object.is(part, before[i]));
}

function recompute() {
  state.numbers = backward(forward(state.parameters));
}

/** The number of an epoch: of a long training with many weights not all of them are kept. */
const epochName = (n) => (state.run === TRAINING && DATA.epochs.length ? DATA.epochs[n] : n);

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
  const run = here ? state.run.slice(0, state.epoch + 1) : [state.parameters.slice()];
  for (let i = 0; i < steps; i++) run.push(descended(run.at(-1), state.rate));
  state.run = run;
  goTo(run.length - 1);
}

function rewind() {
  state.run = TRAINING;
  state.rate = DATA.rate;
  goTo(0);
}
