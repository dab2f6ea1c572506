// A worksheet to print: the graph with its values, every derivative to be filled in; and on a second
// sheet the answers.

const BLANK = "______";
const MOST_QUESTIONS = 24;

/** The nodes to ask about: with a gradient, those of the first sample for all. */
const questions = () =>
  DATA.op
    .map((_, id) => id)
    .filter((id) => hasGradient(id) && id !== ROOT && SAMPLE[id] < 1 && USES[id].length)
    .reverse()
    .slice(0, MOST_QUESTIONS);

/** The picture as it is shown now, its derivatives blank or not. */
function sheetPicture(blank) {
  const scene = sceneShown();
  const copy = scene.svg.cloneNode(true);
  const within = (id) => copy.querySelector(`#${CSS.escape(id)}`);
  if (blank) {
    for (const { what, text } of scene.slots) if (what !== "data") within(text.id).textContent = `d ${BLANK}`;
    for (const { text } of scene.links) if (text) within(text.id).textContent = "∂ ___";
    for (const title of copy.querySelectorAll("title")) title.remove();
    for (const part of copy.querySelectorAll(".chip, .edge"))
      part.setAttribute("class", part.getAttribute("class").replace(/(positive|negative)-\d/, "none"));
  }
  for (const part of copy.querySelectorAll("[id]")) part.removeAttribute("id");
  return copy;
}

/** One sheet: the picture, the values that are given, and a line for every link and gradient. */
function sheet(blank) {
  const { values, adjoint } = state.numbers;
  const given = (x) => (blank ? BLANK : slope(x));
  const ids = questions();
  const links = ids.flatMap((id) => USES[id].slice(0, 1));
  return h(
    "div",
    { class: "sheet" },
    h("h2", {}, blank ? DATA.title : `${DATA.title}: the answers`),
    h("p", { class: "math" }, formulas()),
    sheetPicture(blank),
    h("h3", {}, "1. How fast does each operation change with its argument?"),
    h("ul", { class: "lines math" }, links.map((use) => h("li", {}, `${slopeOf(use)} = ${given(local(use))}`))),
    h("h3", {}, `2. How fast does ${loss} change with each number? Start at ${loss}.`),
    h(
      "ul",
      { class: "lines math" },
      ids.map((id) =>
        h("li", {}, `${label(id)} = ${spelled(values[id])},  ${gradientOf(id)} = ${given(adjoint[id])}`),
      ),
    ),
    h("p", {}, DATA.samples.length > 1 ? `In ${DATA.samples[0].scope}; a number that several samples use gets the sum over all ${DATA.samples.length}.` : ""),
  );
}

function printWorksheet() {
  state.step = END();
  show();
  $("sheet").replaceChildren(sheet(true), sheet(false));
  $("sheet").hidden = false;
  document.body.classList.add("printing-sheet");
  const done = () => {
    document.body.classList.remove("printing-sheet");
    $("sheet").hidden = true;
    $("sheet").replaceChildren();
  };
  addEventListener("afterprint", done, { once: true });
  print();
}
