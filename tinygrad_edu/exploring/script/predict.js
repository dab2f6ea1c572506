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

const near = (x, y, tolerance = 0.006) => x === y || Math.abs(x - y) <= tolerance * Math.abs(y);

/** How exactly an answer was meant: by the digits that were typed. */
function toleranceOf(text) {
  if (text.includes("/")) return 1e-9;
  const digits = text.replace(/e.*$/i, "").replace(/[^\d]/g, "").replace(/^0+/, "").length;
  return Math.max(1e-9, Math.min(0.006, 5 * 10 ** -digits));
}

const keyOf = ({ to, at }) => `${to} ${at}`;

/** The gradient of a node if some edges had other slopes. */
function gradientIf(id, edges, change) {
  const changed = new Set(edges.map(keyOf));
  const adjoint = new Float64Array(COUNT);
  adjoint[ROOT] = 1;
  for (let at = ROOT; at >= id; at--)
    for (const use of USES[at])
      adjoint[at] +=
        adjoint[use.to] * (changed.has(keyOf(use)) ? change(local(use), use) : local(use));
  return adjoint[id];
}

const MOST_PLACES = 300; // where a mistake is looked for
const MOST_WORK = 4e6; // edges to visit for that

/** The links between a node and the root, as lists of edges of one kind. @returns {Use[][]} */
function linksFrom(id) {
  const kinds = new Map();
  const seen = new Set([id]);
  for (let at = id; at <= ROOT; at++)
    if (seen.has(at))
      for (const use of USES[at]) {
        seen.add(use.to);
        kinds.set(kindOf(use), [...(kinds.get(kindOf(use)) ?? []), use]);
      }
  return [...kinds.values()];
}

/** Where a mistake can be made: at a link, or at one of its edges; nowhere if there are too many. */
function placesFrom(id) {
  const links = linksFrom(id);
  const alone = links.filter((edges) => edges.length > 1).flatMap((edges) => edges.map((e) => [e]));
  const all = [...links, ...alone];
  return all.length <= MOST_PLACES && all.length * COUNT < MOST_WORK ? all : [];
}

/** A link in words, with its formula, and its number if it is one edge. */
function linkWords(edges) {
  const [use] = edges;
  const formulas = new Set(edges.map(localFormula));
  const formula = formulas.size === 1 ? [...formulas][0] : null;
  const number = edges.length === 1 ? spelled(local(use)) : null;
  const sides = [slopeOf(use), formula, number === formula ? null : number];
  const end = SAMPLE[use.to] >= 0 ? use.to : DATA.args[use.to][use.at];
  const where = edges.length === 1 && SAMPLE[end] >= 0 ? `, in ${place(end)}` : "";
  return sides.filter(Boolean).join(" = ") + where;
}

/** What can go wrong at a link: another slope, and how to say so. */
const SLIPS = [
  [() => 1, (link) => `One link is missing: ${link}. Multiply by it as well.`],
  [(l) => l / 2, (link) => `There a factor 2 is missing: ${link}.`],
  [(l) => 2 * l, (link) => `There a factor 2 is too many: ${link}.`],
  [(l) => -l, (link) => `One sign is wrong, that of ${link}.`],
  [
    (_, { to }) => state.numbers.values[to],
    (link, { to }) => `At ${label(to)} you used the value instead of its derivative: ${link}.`,
  ],
  [
    (_, { to, at }) => state.numbers.values[DATA.args[to][at]],
    (link, use) => `You used the value of ${plainArgument(use)} instead of the slope: ${link}.`,
  ],
  [() => 0, (link) => `A path is missing, the one through ${link}.`],
];

/**
 * The mistakes that can be made on this graph: the number that each leads to, where it is made (a
 * list of edges, empty if not at a link), and its explanation.
 * @returns {{number: number, edges: Use[], words: string}[]}
 */
function mistakes(id) {
  const { values, adjoint } = state.numbers;
  const g = adjoint[id];
  const found = [];
  const add = (number, words, edges = []) => found.push({ number, words, edges });
  for (const edges of placesFrom(id))
    for (const [change, words] of SLIPS)
      add(gradientIf(id, edges, change), words(linkWords(edges), edges[0]), edges);
  add(values[id], `That is the value of ${called(id)}, not its gradient, which says how the loss responds to it.`);
  if (SLOT.has(id))
    add(
      state.parameters[SLOT.get(id)] - state.rate * g,
      `That is ${label(id)} after a step of gradient descent. The question is about the gradient itself.`,
    );
  add(state.rate * g, "That is the step, α × the gradient. Leave the learning rate out.");
  add(-state.rate * g, "That is the step, α × the gradient, with the opposite sign. Leave the learning rate out.");
  addTerms(id, add);
  addPostsRule(id, add);
  for (const power of [1, 2, 3, 4, 5, 6, -1, -2, -3, -4, -5, -6])
    add(g * 10 ** power, "The digits are right, but the decimal point is wrong.");
  const wrong = (x) => Number.isFinite(x) && !near(x, g, 1e-9);
  return found.filter(({ number, edges }) => wrong(number) && (number !== 0 || !edges.length));
}

/** Mistakes in adding: one term, one sample, some of them, their mean. */
function addTerms(id, add) {
  const g = state.numbers.adjoint[id];
  const uses = USES[id];
  const terms = uses.map((use) => state.numbers.adjoint[use.to] * local(use));
  const n = terms.length;
  const all = `${label(id)} is used ${n} times: add all of them.`;
  if (n > 1)
    uses.forEach((use, i) => {
      add(terms[i], `That is only one of ${n} terms, the one through ${through(use)}. ${all}`);
      if (n > 2) add(g - terms[i], `One of ${n} terms is missing, the one through ${through(use)}.`);
      const sum = terms.slice(0, i + 1).reduce((a, b) => a + b, 0);
      if (i > 0 && i < n - 1) add(sum, `That is the sum of the first ${i + 1} of ${n} terms. Some are missing.`);
    });
  if (n > 1) add(terms.reduce((a, b) => a * b, 1), "Add the terms; don't multiply them.");
  DATA.samples.forEach(({ scope }, sample) => {
    const others = linksFrom(id).flat().filter(({ to }) => SAMPLE[to] >= 0 && SAMPLE[to] !== sample);
    if (SAMPLE[id] < 0 && uses.length !== DATA.samples.length && others.length)
      add(gradientIf(id, others, () => 0), `That is the part of ${scope} alone. Add the samples.`);
  });
  for (const [count, things] of new Map([[DATA.samples.length, "samples"], [n, "terms"]]))
    if (count > 1) {
      add(g / count, `That is the mean of the ${count} ${things}. The chain rule adds them.`);
      const [link] = linksFrom(id).filter((edges) => edges.every((use) => near(local(use) * count, 1, 1e-9)));
      if (!link) add(g * count, `That is ${count} times too much, as if a mean were a sum.`);
    }
}

/** The post's rule: Σ (y − ŷ) × x, without the 2/n that the derivative of the mean of squares has. */
function addPostsRule(id, add) {
  const { values, adjoint } = state.numbers;
  const n = DATA.samples.length;
  if (!n || !DATA.samples.every(({ y, out }) => y.length === 1 && out.length === 1)) return;
  const flow = new Float64Array(COUNT);
  DATA.samples.forEach(({ y, out }) => (flow[out[0]] = values[out[0]] - values[y[0]]));
  for (let at = ROOT; at >= id; at--)
    for (const use of USES[at]) if (flow[use.to]) flow[at] += flow[use.to] * local(use);
  if (!near((2 / n) * flow[id], adjoint[id], 1e-9)) return;
  const [{ y, out, x }] = DATA.samples;
  const [guess, target] = [label(out[0]), label(y[0])];
  const last = USES[id].length === n && localFormula(USES[id][0]);
  const times = last === "1" ? "" : ` × ${last || `∂${guess}/∂${label(id)}`}`;
  const because = `The gradient of the mean of the squares, which Keras uses, is 2/n times that of ${guess} − ${target}: here 2/${n}.`;
  for (const [number, difference] of [
    [flow[id], `(${guess} − ${target})`],
    [-flow[id], `(${target} − ${guess})`],
  ])
    add(number, `That is the post's rule, Σ ${difference}${times}; Keras's is 2/n times that${number * adjoint[id] < 0 ? ", with the other sign" : ""}. ${because}`);
}

const RATIOS = [
  [-1, "The size is right, but the sign is wrong. Ask whether the loss rises or falls if this number grows a little."],
  [1 / 2, "That is half of the gradient: a factor 2 is missing."],
  [2, "That is twice the gradient: a factor 2 is too many."],
];
const MOST_ALTERNATIVES = 3;

/**
 * What is wrong with an answer: only what is sure. A link is blamed only if no other place explains
 * the number as well; up to three explanations are alternatives.
 * @returns {{words: string[], blamed: Use[][]}}
 */
function diagnosed(id, guess, tolerance) {
  const g = state.numbers.adjoint[id];
  const likely = mistakes(id).filter(({ number }) => near(guess, number, tolerance));
  const ratio = RATIOS.find(([r]) => near(guess, r * g, tolerance));
  const explanations = [...new Map(likely.map((mistake) => [mistake.words, mistake])).values()];
  if (ratio) {
    const elsewhere = explanations.filter(({ edges }) => !edges.length).map(({ words }) => words);
    return { words: [ratio[1] + twos(id, ratio[0]), ...elsewhere.slice(0, 2)], blamed: [] };
  }
  if (explanations.length > 0 && explanations.length <= MOST_ALTERNATIVES)
    return {
      words: explanations.map(({ words }) => words),
      blamed: explanations.map(({ edges }) => edges),
    };
  if (!explanations.length) {
    const other = secondary(id).find(([number]) => near(guess, number, tolerance));
    if (other) return { words: [other[1]], blamed: [] };
  }
  return {
    words: [
      `Not quite. ${sign(guess) !== sign(g) ? "The sign is wrong too. " : ""}Start at ${loss} with 1, multiply by the local derivative on each edge of a path back to ${label(id)}, and add over the paths.`,
    ],
    blamed: [],
  };
}

/** If a factor 2 is missing, the links that have one: a fact, not a guess. */
function twos(id, ratio) {
  if (ratio !== 1 / 2) return "";
  const have = linksFrom(id)
    .filter((edges) => /(^|[^\d.])2 × /.test(localFormula(edges[0]) ?? "") || local(edges[0]) === 2)
    .map(linkWords);
  return have.length === 1 || have.length === 2 ? ` A factor 2 is in ${have.join("; and in ")}.` : "";
}

/** Numbers that stand near the gradient: a link, the gradient that arrives, that of another node. */
function secondary(id) {
  const { adjoint } = state.numbers;
  const [use] = USES[id];
  const others = [...new Set([...PARAMETERS, ...DATA.args[id]])].filter((other) => other !== id && hasGradient(other));
  return [
    ...(use
      ? [
          [local(use), `That is only the last link, ${slopeOf(use)}. Multiply it by the gradient that arrives there, ${gradientOf(use.to)}.`],
          [
            adjoint[use.to],
            `That is ${gradientOf(use.to)}, the gradient that arrives at ${called(use.to)}. It still has to be multiplied by the local derivative${USES[id].length > 1 ? ", and the terms added" : ""}.`,
          ],
        ]
      : []),
    ...others.map((other) => [
      adjoint[other],
      `That is the gradient of ${called(other)}. The question is about ${called(id)}.`,
    ]),
  ];
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
  verdict("wrong", ...diagnosed(id, guess, toleranceOf($("guess").value)).words);
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
