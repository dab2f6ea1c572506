// Buttons, sliders, keys; and the start.

/** Draw everything anew from the state. */
function show() {
  showPicture();
  showReason();
  showTraining();
  showCurve();
  showSlope();
  showLine();
  showRegions();
  showBowl();
  $("views").hidden = [...document.querySelectorAll("#views > figure")].every((view) => view.hidden);
  showTable();
  showControls();
  setText($("said"), sentence());
  remember();
}

/** The address holds the epoch, the step and what is chosen, so that a link leads back to them. */
let remembering = 0;
function remember() {
  clearTimeout(remembering);
  remembering = setTimeout(() => {
    const { step, selected, epoch, run } = state;
    const at = { epoch: run === TRAINING ? epoch : null, step: step === END() ? null : step, node: selected };
    const parts = Object.entries(at).filter(([, n]) => n !== null);
    if (location.protocol !== "about:")
      history.replaceState(null, "", `#${parts.map(([name, n]) => `${name}=${n}`).join("&")}`);
  }, 300);
}

/** Go to what the address says, as far as there is such a place. */
function recall() {
  const said = new URLSearchParams(location.hash.slice(1));
  const whole = (name, most) => {
    const n = Number(said.get(name) ?? NaN);
    return Number.isInteger(n) && n >= 0 && n <= most ? n : null;
  };
  const epoch = whole("epoch", TRAINING.length - 1);
  if (epoch !== null) Object.assign(state, { run: TRAINING, epoch, parameters: TRAINING[epoch].slice() });
  state.step = whole("step", END()) ?? state.step;
  state.selected = whole("node", ROOT) ?? state.selected;
  recompute();
}

/** The card that shows a node alone in a picture, if there is one. */
const cardOf = (scene, id) =>
  scene.cards.find(({ nodes }) => nodes.length === 1 && nodes[0] === id);

/** Whether a picture is one of the sample of a node, or shows its card; else the node is in the card
 *  of the other samples. */
const shows = (scene, id) =>
  SAMPLE[id] < 0 || !DATA.samples.some(({ scope }) => scope === scene.label)
    ? scene.cards.some(({ nodes }) => nodes.includes(id))
    : scene.label === DATA.samples[SAMPLE[id]].scope;

/** Select a node: show its explanation, and a picture that contains its card. */
function select(id) {
  const within = document.activeElement?.closest(".picture");
  state.selected = id;
  if (!shows(SCENES[state.scene], id)) {
    const other = SCENES.findIndex((scene) => shows(scene, id));
    if (other >= 0) Object.assign(state, { scene: other, wanted: SCENES[other].label });
    fitPicture();
  }
  show();
  bringIntoView(id);
  if (within) cardOf(sceneShown(), id)?.group.focus({ preventScroll: true });
}

/** Go to a step; what it computes is then asked about, in this picture if it is there. */
function goToStep(step) {
  state.step = Math.max(0, Math.min(step, END()));
  const now = STEPS[state.step - 1] ?? [];
  const here = now.find((id) => shows(SCENES[state.scene], id));
  select(!now.length || now.includes(state.selected) ? state.selected : (here ?? now[0]));
}

/** Something that runs by itself until it is done or stopped. */
const playing = { timer: 0, button: null, word: "" };

function stop() {
  clearInterval(playing.timer);
  if (playing.button) {
    playing.button.textContent = playing.word;
    playing.button.setAttribute("aria-pressed", "false");
    $("said").setAttribute("aria-live", "polite");
  }
  Object.assign(playing, { timer: 0, button: null });
}

function play(button, every, advance) {
  const mine = playing.button === button;
  stop();
  if (mine) return;
  Object.assign(playing, { button, word: button.textContent });
  button.textContent = "Pause";
  $("said").setAttribute("aria-live", button === $("play") ? "polite" : "off"); // epochs fly by
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
  play(
    $("train"),
    calm.matches ? 1000 : 60,
    () => (goTo(state.epoch + stride), state.epoch < state.run.length - 1),
  );
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
  for (const name of ["descend", "descend-more", "rewind"])
    $(name).hidden = !LIVE || !PARAMETERS.length;
  showQuiz();
}

function theme(name) {
  document.documentElement.dataset.theme = name;
  $("theme").textContent = name === "dark" ? "Light" : "Dark";
  if (state.numbers) {
    showRegions();
    showBowl();
  }
}

function start() {
  $("notice").hidden = LIVE;
  $("notice").textContent = LIVE
    ? ""
    : `The row ${DATA.opaque.join(", ")} runs in Python only. This page shows the numbers that were recorded; live sliders are off.`;
  const options = (ids) => ids.map((id) => h("option", { value: id }, called(id)));
  const all = DATA.op.map((_, id) => id);
  const first = [...PARAMETERS, ...all.filter((id) => !SLOT.has(id)).reverse()];
  $("node").append(...options(first.slice(0, 2000)));
  $("asked").append(
    ...options(
      first.filter((id) => hasGradient(id) && id !== ROOT && USES[id].length).slice(0, 500),
    ),
  );
  $("quiz").hidden = !$("asked").options.length;
  for (const id of ["across", "up"])
    $(id).append(...PARAMETERS.map((node, slot) => h("option", { value: slot }, called(node))));
  $("axes").hidden = PARAMETERS.length < 3;
  $("up").value = 1;
  $("training").hidden = !PARAMETERS.length;
  if (LIVE && PARAMETERS.length)
    $("sliders").append(
      ...PARAMETERS.slice(0, 500).map((_, slot) => makeSlider(slot)),
      makeSlider(-1),
    );
  if (PARAMETERS.length > MOST_SLIDERS)
    $("sliders").append(
      h(
        "p",
        { class: "hint" },
        `These are ${MOST_SLIDERS} of ${PARAMETERS.length} parameters. Choose another one, and its slider is here too.`,
      ),
    );
  const names = [...new Set(SCENES.map(({ label: name }) => name))];
  $("scene").append(...names.map((name) => h("option", { value: name }, name)));
  $("which").hidden = names.length < 2;
  fitPicture();
  addEventListener("resize", () => (fitPicture(), show()));
  $("together-label").hidden = DATA.samples.length < 2;
  $("by-label").hidden = !LAYERED;
  theme(matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  layOutSteps();
  state.step = END();
  state.selected = PARAMETERS.find((id) => DATA.name[id] === "b") ?? PARAMETERS[0] ?? ROOT;
  recall();
  $("formulas").textContent = formulas();
  $("legend").replaceChildren(...legend());
  $("lead").textContent = lead();
  select(state.selected);
  addEventListener("hashchange", () => (recall(), select(state.selected)));
}

const on = (id, event, listener) => $(id).addEventListener(event, listener);
on("first", "click", () => goToStep(0));
on("back", "click", () => goToStep(state.step - 1));
on("forth", "click", () => goToStep(state.step + 1));
on("last", "click", () => goToStep(END()));
on("play", "click", playSteps);
on("step", "input", () => (stop(), goToStep(+$("step").value)));
/** Lay out the steps anew after a choice of theirs changed; at the end one stays at the end. */
function stepAnew() {
  const there = state.step === END();
  state.together = $("together").checked;
  state.byLayer = $("by").value === "layer";
  layOutSteps();
  goToStep(there ? END() : 0);
}
on("together", "change", stepAnew);
on("by", "change", stepAnew);
on("scene", "change", () => {
  state.wanted = $("scene").value;
  state.scene = SCENES.findIndex(({ label: name }) => name === state.wanted);
  state.unfolded = false;
  fitPicture();
  show();
});
on("smaller", "click", () => zoomBy(0.8));
on("larger", "click", () => zoomBy(1.25));
on("fit", "click", () => ((zoom = "whole"), (state.unfolded = false), fitPicture(), show()));
on("node", "change", () => select(+$("node").value));
on("epoch", "input", () => (stop(), goTo(+$("epoch").value)));
on("descend", "click", () => descend(1));
on("descend-more", "click", () => descend(100));
on("train", "click", playEpochs);
on("rewind", "click", () => (stop(), rewind()));
for (const [n, id] of [
  [0, "across"],
  [1, "up"],
])
  on(id, "change", () => ((axes[n] = +$(id).value), showBowl()));
on("answer", "submit", (event) => (event.preventDefault(), answer()));
on("reveal", "click", () => reveal("", "Here it is."));
on("asked", "change", () => state.asked >= 0 && ask(+$("asked").value));
on("theme", "click", () =>
  theme(document.documentElement.dataset.theme === "dark" ? "light" : "dark"),
);
on("worksheet", "click", printWorksheet);
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
