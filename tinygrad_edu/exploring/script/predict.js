// Predict, then see: a question, and the likely mistake behind a wrong answer.

/** A number as people write it: 1/7, −3,5, 2e9; NaN if it is none. */
function readAnswer(text) {
  const [top, bottom, ...more] = text
    .replace(/[\s_'\u202f\u00a0]/g, "")
    .replace(/[−–]/g, "-")
    .replace(",", ".")
    .split("/");
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

/** The likely mistakes on this graph, each as (the number it leads to, its explanation), the most *
likely first.
 * @returns {[number, string][]}
 */
function mistakes(id) {
  const { values, adjoint } = state.numbers;
  const g = adjoint[id];
  const uses = USES[id];
  const terms = uses.map((use) => adjoint[use.to] * local(use));
  const found = [
    [-g, "The size is right, but the sign is wrong. Ask whether the loss rises or falls if this number grows a little."],
    [
      values[id],
      `That is the value of ${called(id)}, not its gradient, which says how the loss responds to it.`,
    ],
    [
      state.parameters[SLOT.get(id)] - state.rate * g,
      `That is ${label(id)} after a step of gradient descent. The question is about the gradient itself.`,
    ],
    [state.rate * g, "That is the step, α × the gradient. Leave the learning rate out."],
    [
      -state.rate * g,
      "That is the step, α × the gradient, with the opposite sign. Leave the learning rate out.",
    ],
  ];
  if (terms.length > 1) {
    uses.forEach((use, n) =>
      found.push([
        terms[n],
        `That is only one of ${terms.length} terms, the one through ${called(use.to)}. ${label(id)} is used ${terms.length} times: add all of them.`,
      ]),
    );
    found.push([
      g / terms.length,
      `That is the mean of the ${terms.length} terms. The chain rule adds them.`,
    ]);
    found.push([
      g * terms.length,
      `That is ${terms.length} times too much: one factor 1/${terms.length} is missing or counted twice.`,
    ]);
    const firsts = terms
      .slice(0, -1)
      .map((_, n) => terms.slice(0, n + 1).reduce((a, b) => a + b, 0));
    firsts
      .slice(1)
      .forEach((sum, n) =>
        found.push([
          sum,
          `That is the sum of the first ${n + 2} of ${terms.length} terms. Some are missing.`,
        ]),
      );
    found.push([terms.reduce((a, b) => a * b, 1), "Add the terms; don't multiply them."]);
  }
  if (uses.length)
    found.push(
      [
        local(uses[0]),
        `That is only the last link, ${d(uses[0].to, id)}. Multiply it by the gradient that arrives there, ${gradientOf(uses[0].to)}.`,
      ],
      [
        adjoint[uses[0].to],
        `That is ${gradientOf(uses[0].to)}, the gradient that arrives at ${called(uses[0].to)}. It still has to be multiplied by the local derivative${uses.length > 1 ? ", and the terms added" : ""}.`,
      ],
    );
  for (const use of onTheWay(id)) {
    // one representative of each kind of edge between here and the root
    const same = (other) =>
      ALIKE[other.to] === ALIKE[use.to] && (SAMPLE[use.to] < 0 || other.at === use.at);
    const link = d(use.to, DATA.args[use.to][use.at]);
    const formula = localFormula(use);
    found.push(
      [
        gradientIf(id, (other, l) => (same(other) ? 1 : l)),
        `One link is missing: ${link}${formula ? ` = ${formula}` : ""}. Multiply by it as well.`,
      ],
      [
        gradientIf(id, (other, l) => (same(other) ? values[other.to] : l)),
        `At ${label(use.to)} you used the value instead of its derivative: ${link}${formula ? ` = ${formula}` : ""}.`,
      ],
      [
        gradientIf(id, (other, l) => (same(other) ? l / 2 : l)),
        `A factor 2 is missing: ${link}${formula ? ` = ${formula}` : ""}.`,
      ],
      [
        gradientIf(id, (other, l) => (same(other) ? -l : l)),
        `One sign is wrong, that of ${link}${formula ? ` = ${formula}` : ""}.`,
      ],
    );
  }
  for (const other of new Set([...PARAMETERS, ...DATA.args[id]]))
    if (other !== id && hasGradient(other))
      found.push([
        adjoint[other],
        `That is the gradient of ${called(other)}. The question is about ${called(id)}.`,
      ]);
  for (const power of [1, 2, 3, -1, -2, -3])
    found.push([g * 10 ** power, "The digits are right, but the decimal point is wrong."]);
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
  if (Number.isNaN(guess)) return verdict("", "Enter a number, such as −12.5 or 2/7.");
  if (near(guess, g) || (Number.isNaN(g) && /nan/i.test($("guess").value)))
    return reveal("right", "Right.");
  const likely = [
    ...new Set(
      mistakes(id)
        .filter(([x]) => near(guess, x))
        .map(([, words]) => words),
    ),
  ].slice(0, 2);
  const far = `Not quite. ${sign(guess) !== sign(g) ? "The sign is wrong too. " : ""}Start at ${loss} with 1, multiply by the local derivative on each edge of a path back to ${label(id)}, and add over the paths.`;
  verdict("wrong", ...(likely.length ? likely : [far]));
}

/** Show the reply to an answer; several possible mistakes have a line each. */
function verdict(mark, ...words) {
  $("verdict").className = mark;
  $("verdict").replaceChildren(...words.map((said, n) => h("p", {}, n ? "Or: " : "", said)));
}

function reveal(mark, word) {
  const id = state.asked;
  state.asked = -1;
  select(id);
  verdict(
    mark,
    h(
      "span",
      {},
      `${word} ${gradientOf(id)} = ${slope(state.numbers.adjoint[id])}. `,
      link(id, "Why?"),
    ),
  );
}

function showQuiz() {
  const id = state.asked;
  $("guess-label").textContent = id < 0 ? "" : `${gradientOf(id)} =`;
  for (const name of ["guess", "guess-label", "reveal"]) $(name).hidden = id < 0;
  $("answer").querySelector("[type=submit]").textContent = id < 0 ? "Hide it and ask me" : "Check";
  $("question").textContent =
    id < 0
      ? "Choose a card. Its gradient is hidden, and you guess it."
      : `What is ${gradientOf(id)}${place(id) ? ` in ${place(id)}` : ""}? All other numbers are on the page. Three digits are enough.`;
}
