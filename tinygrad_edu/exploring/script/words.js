// Numbers, names and sentences.

const minus = (text) => text.replaceAll("-", "−");
/** A number with 4 significant digits, as on the cards (rules.js); a gradient with its sign. */
const spelled = (x) => powers(rounded(x));
const slope = (x) => powers(signed(x));
/** 2e+09 as 2·10⁹: in a sentence a power of ten is written as one. */
const powers = (text) =>
  minus(
    text.replace(
      /(?:(?<=^|[^\d.])1)?e([+-])0*(\d+)$/,
      (e, sign, digits) =>
        (e[0] === "1" ? "" : "·") +
        "10" +
        (sign === "-" ? "⁻" : "") +
        [...digits].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]).join(""),
    ),
  );
/** A number in a formula, in parentheses if it is negative or its precedence is too low: 2·10⁹ is a
 *  product. By default, a factor. */
function factor(x, needs = PRODUCT) {
  const text = spelled(x);
  const precedence = text.includes("·") ? PRODUCT : /[⁰¹²³⁴⁵⁶⁷⁸⁹]$/.test(text) ? POWER : NAME;
  return text.startsWith("−") || precedence < needs ? `(${text})` : text;
}

// The precedences of core/spelling.py.
const PRODUCT = 2;
const POWER = 3;
const NAME = 5;

const label = (id) => DATA.label[id];
const loss = label(ROOT);
/** The sample or scope of a node, as words; empty if none is needed. */
const place = (id) =>
  SAMPLE[id] >= 0 ? DATA.samples[SAMPLE[id]].scope : DATA.scopes[DATA.scope[id]] || HOME[id];
/** For leaves that share a name, such as the weights of several neurons: the scope that uses them.
*/
const HOME = (() => {
  const count = new Map();
  PARAMETERS.forEach((id) => count.set(label(id), (count.get(label(id)) ?? 0) + 1));
  return DATA.op.map((_, id) => {
    if (!SLOT.has(id) || count.get(label(id)) < 2) return "";
    const scopes = new Set(
      USES[id].map(({ to }) =>
        DATA.scopes[DATA.scope[to]]
          .split("/")
          .slice(SAMPLE[to] >= 0 ? 1 : 0)
          .join(", "),
      ),
    );
    return scopes.size === 1 ? [...scopes][0] : "";
  });
})();
/** A node in full: its label, its place and, if there are many with its sign, its number. */
function called(id) {
  const bare = isOperation(id) && !DATA.name[id] && label(id) === DATA.symbol[id] && SAMPLE[id] < 0;
  return label(id) + (bare ? ` no. ${id}` : "") + (place(id) ? ` of ${place(id)}` : "");
}
/** The name of the derivative of one node by another, in a line of text. */
const d = (of, by) => `∂${held(of, POWER)}/∂${held(by, POWER)}`;
/** The same as a vertical fraction. */
const fraction = (of, by) =>
  h(
    "span",
    { class: "fraction" },
    h("span", {}, `∂${held(of, POWER)}`),
    h("span", { class: "unseen" }, "/"),
    h("span", {}, `∂${held(by, POWER)}`),
  );
const gradientFraction = (id) => fraction(ROOT, id);
/** Pieces with a sign between them. */
const joined = (pieces, sign) => pieces.flatMap((piece, i) => (i ? [sign, piece] : [piece]));
/** In parentheses if it is a sum. */
const heldAsFactor = (name) => (/ [+−] |^−/.test(outermost(name)) ? `(${name})` : name);
/** A formula without its parts in parentheses. */
function outermost(name) {
  let depth = 0;
  return [...name]
    .filter((char) => (char === "(" ? depth++ : char === ")" ? --depth : depth) === 0)
    .join("");
}
const gradientOf = (id) => d(ROOT, id);
const plural = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;

/**
 * A node's formula with its slots filled: `fill(id, needs)` for each argument and for the node
 * itself, where needs is the precedence that the inserted name or number must have.
 */
function filled(formula, id, fill) {
  return [...formula]
    .map((char) => {
      const code = char.codePointAt(0) - 0xe000;
      if (code < 0 || code > 0xff) return char;
      return fill(code % 32 === 31 ? id : DATA.args[id][code % 32], Math.floor(code / 32));
    })
    .join("");
}
/** A node's name in a formula, in parentheses if its precedence is too low. */
const held = (id, needs) => (DATA.tightness[id] < needs ? `(${label(id)})` : label(id));

/** The formula of a node, in names and then in numbers, such as "w × x" and "2 × 3". */
function computed(id) {
  const formula = DATA.formulas[DATA.formula[id]]?.[0];
  const args = DATA.args[id];
  if (!formula) return null;
  if (args.length > 3) {
    const terms = args.slice(0, 2).map((arg) => factor(state.numbers.values[arg]));
    return [
      label(id) === DATA.symbol[id] ? `${label(args[0])} + …` : label(id),
      `${terms.join(" + ")} + … (${args.length} terms)`,
    ];
  }
  return [
    filled(formula, id, held),
    filled(formula, id, (arg, needs) => factor(state.numbers.values[arg], needs)),
  ];
}

/** The local derivative along an edge as a formula of names, null if it is too long. */
function localFormula({ to, at }) {
  const formulas = DATA.formulas[DATA.formula[to]]?.[1] ?? [];
  const formula = formulas[Math.min(at, formulas.length - 1)];
  return formula ? filled(formula, to, held) : null;
}

const local = ({ to, at }) => state.numbers.partials[to][at];

/** The sentence for the step that was just taken. */
function sentence() {
  const { step } = state;
  const total = STEPS.length;
  if (step === 0)
    return `Start: only the leaves have values. ${plural(forwardSteps, "step")} forward, then ${total - forwardSteps} backward.`;
  if (step > total)
    return `Done: ${plural(forwardSteps, "step")} forward, ${total - forwardSteps} backward. Every value and every gradient is computed.`;
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
  const shown =
    ids.length > 1
      ? `, in each of ${ids.length} samples; in ${place(first)} it is ${number}`
      : ` = ${number}`;
  return `Step ${step} of ${total}, backward: ${gradientOf(first)}${shown}.`;
}
