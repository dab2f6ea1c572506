// Training: the current epoch, the sliders, the next step.

const MOST_SLIDERS = 6;
const sliders = new Map();

function showTraining() {
  const last = state.run.length - 1;
  const mine = state.run !== TRAINING;
  const moved = !state.run[state.epoch].every((x, slot) => Object.is(x, state.parameters[slot]));
  $("where").textContent = !LIVE
    ? `Live sliders are off: ${DATA.opaque.join(", ")} can only run in Python. The page shows the recorded numbers.`
    : moved
      ? `You have moved the parameters. The next step of ${STEPPER} starts here.`
      : mine
        ? `Your own run, by ${STEPPER} on all samples at once.`
        : last
          ? `The recorded training${DATA.optimizer ? ` by ${DATA.optimizer}` : ""}. ${ownSteps()}`
          : `No training was recorded. Take steps of ${STEPPER}, or move the parameters.`;
  $("epochs").hidden = last === 0;
  $("epoch").max = last;
  $("epoch").value = state.epoch;
  $("epoch-said").textContent =
    `${epochName(state.epoch)} of ${epochName(last)}, ${loss} ${spelled(state.numbers.values[ROOT])}`;
  $("epoch").setAttribute("aria-valuetext", $("epoch-said").textContent);
  for (const [slot, parts] of sliders) {
    parts.row.hidden = slot >= MOST_SLIDERS && PARAMETERS[slot] !== state.selected;
    if (!parts.row.hidden) showSlider(parts, slot < 0 ? state.rate : state.parameters[slot]);
  }
  const updates = PARAMETERS.map((_, slot) => slot)
    .filter((slot) => slot < MOST_SLIDERS || PARAMETERS[slot] === state.selected)
    .map((slot) => h("p", {}, updateWords(slot)));
  $("update").replaceChildren(
    ...(LIVE && PARAMETERS.length
      ? [
          h(
            "p",
            { class: "plain" },
            RULE
              ? `One step of ${STEPPER}, from here:`
              : `One step of gradient descent: θ ← θ − α × d${held(ROOT, POWER)}/dθ`,
          ),
          ...updates,
        ]
      : []),
  );
}

/** Which rule the page's own steps follow, where that is not obvious. */
function ownSteps() {
  const scheduled = DATA.scheduled ? " A schedule changed its α; your own steps keep the one below." : "";
  if (!DATA.optimizer || DATA.plain) return scheduled.trim();
  return RULE
    ? `Steps of your own are those of ${DATA.optimizer}, which begins anew.${scheduled}`
    : `Steps of your own are plain gradient descent: this ${DATA.optimizer} can only run in Python.${scheduled}`;
}

/** The next step of one parameter: w ← 0 − 0.01 × (−400000) = 4000. */
function updateWords(slot) {
  const id = PARAMETERS[slot];
  if (RULE) {
    const row = state.run[state.epoch];
    const moved = !row.every((x, at) => Object.is(x, state.parameters[at]));
    const next = descended(moved ? state.parameters : row, state.rate)[slot];
    const from = `${called(id)} from ${spelled(state.parameters[slot])}`;
    return `${from} to ${gradientShown(id) ? spelled(next) : "?"}`;
  }
  const g = state.numbers.adjoint[id];
  const [x, next] = [state.parameters[slot], state.parameters[slot] - state.rate * g];
  const known = gradientShown(id) ? `${factor(g)} = ${spelled(next)}` : "?";
  return `${called(id)} ← ${spelled(x)} − ${factor(state.rate)} × ${known}`;
}

function showSlider({ range, field, log }, x) {
  field.value = String(+x.toPrecision(7));
  if (!log && Number.isFinite(x) && (x < +range.min || x > +range.max)) {
    range.min = Math.min(+range.min, x);
    range.max = Math.max(+range.max, x);
  }
  range.value = log ? Math.log10(x || 1e-300) : x;
  range.setAttribute("aria-valuetext", spelled(x));
}

/** A slider with a field beside it; slot −1 is the learning rate, on a logarithmic scale. */
function makeSlider(slot) {
  const rate = slot < 0;
  const name = rate ? "α, the learning rate" : called(PARAMETERS[slot]);
  const [low, high] = rate
    ? [Math.log10(DATA.rate || 0.01) - 3, Math.log10(DATA.rate || 0.01) + 2]
    : extent(slot);
  const change = (x) => {
    if (!Number.isFinite(x) || (rate && x < 0)) return showTraining();
    if (rate) state.rate = x;
    else state.parameters[slot] = x;
    recompute();
    show();
  };
  const range = h("input", {
    type: "range",
    min: low,
    max: high,
    step: "any",
    "aria-label": name,
    input: (event) => change(rate ? 10 ** event.target.value : +event.target.value),
  });
  const field = h("input", {
    type: "text",
    inputmode: "text",
    autocomplete: "off",
    "aria-label": `${name}, as a number`,
    change: (event) => change(readAnswer(event.target.value)),
  });
  const row = h(
    "div",
    { class: "slider" },
    h("span", { "aria-hidden": "true" }, name),
    range,
    field,
  );
  sliders.set(slot, { row, range, field, log: rate });
  return row;
}

/** The range of a parameter: what training ran through, and room around it. */
function extent(slot) {
  const met = [...TRAINING, ...state.run, state.parameters]
    .map((row) => row[slot])
    .filter(Number.isFinite);
  const [low, high] = [Math.min(...met, Infinity), Math.max(...met, -Infinity)];
  const room = high > low ? 0.25 * (high - low) : Math.max(1, Math.abs(high) || 0);
  return Number.isFinite(low) ? [low - room, high + room] : [-1, 1];
}
