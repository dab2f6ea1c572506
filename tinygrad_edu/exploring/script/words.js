// Numbers, names and sentences.

const minus = (text) => text.replaceAll("-", "−");
/** A number with 4 significant digits, as on the cards (rules.js); a gradient with its sign. A zero
 *  has none. */
const spelled = (x) => powers(rounded(x + 0));
const slope = (x) => powers(signed(x));
/** All digits of a number; in parentheses as a factor, if it is negative. */
const exact = (x) => minus(String(x));
const exactFactor = (x) => (x < 0 ? `(${exact(x)})` : exact(x));
const raised = (digits) => [...String(digits)].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]).join("");
/** 2e+09 as 2·10⁹: in a sentence a power of ten is written as one. */
const powers = (text) =>
  minus(
    text.replace(
      /(?:(?<=^|[^\d.])1)?e([+-])0*(\d+)$/,
      (e, sign, digits) =>
        (e[0] === "1" ? "" : "·") +
        "10" +
        (sign === "-" ? "⁻" : "") +
        raised(digits),
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
const SUM = 1;
const PRODUCT = 2;
const POWER = 3;
const NAME = 5;

const label = (id) => DATA.label[id];
const loss = label(ROOT);
/** The sample or scope of a node, as words; empty if none is needed. */
const place = (id) =>
  SAMPLE[id] >= 0 ? DATA.samples[SAMPLE[id]].scope : DATA.scopes[DATA.scope[id]] || HOME[id];
/** A node's label without its number among those of one name. */
const bare = (id) => label(id).replace(/₍[₀-₉]+₎$/, "");
/** Whether a node has neither a name nor a formula in names, but only the sign of its operation. */
const isSign = (id) =>
  isOperation(id) && !DATA.name[id] && [DATA.sign[id], `(${DATA.sign[id]})`].includes(bare(id));
/** How often each of some texts occurs. */
const counted = (texts) => texts.reduce((all, t) => all.set(t, (all.get(t) ?? 0) + 1), new Map());
/** For leaves that share a name, such as the weights of several neurons: the scope that uses them.
*/
const HOME = (() => {
  const count = counted(PARAMETERS.map(bare));
  return DATA.op.map((_, id) => {
    if (!SLOT.has(id) || count.get(bare(id)) < 2) return "";
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
/** A node in full, unlike any other: its name and its place, else also its number. */
const called = (() => {
  const at = (name, id) => name + (place(id) ? ` of ${place(id)}` : "");
  const texts = DATA.op.map((_, id) => at(bare(id), id));
  const count = counted(texts);
  const full = texts.map((text, id) => (count.get(text) === 1 ? text : at(label(id), id)));
  const met = new Map(); // equal constants, say, have one label
  const names = full.map((text) => {
    met.set(text, (met.get(text) ?? 0) + 1);
    return met.get(text) > 1 ? `${text} (${met.get(text)})` : text;
  });
  return (id) => names[id];
})();

/** A node's symbol within a formula, in parentheses if its precedence is too low. A node of a sample
 *  that the formula does not belong to has the number of its sample: ŷ⁽²⁾. */
function held(id, needs, home = SAMPLE[id]) {
  const indexed = SAMPLE[id] >= 0 && SAMPLE[id] !== home;
  const text = DATA.tightness[id] < (indexed ? NAME : needs) ? `(${label(id)})` : label(id);
  return indexed ? `${text}⁽${raised(SAMPLE[id] + 1)}⁾` : text;
}

// Two symbols: dL/dx is a gradient, over all paths; ∂y/∂x is the local slope along one edge.

/** The name of an edge's argument; which one, if the operation takes the same number twice. */
function argument({ to, at }, home = SAMPLE[DATA.args[to][at]]) {
  const args = DATA.args[to];
  const arg = args[at];
  if (args.indexOf(arg) === args.lastIndexOf(arg)) return held(arg, POWER, home);
  const nth = args.slice(0, at + 1).filter((other) => other === arg).length;
  return `(${nth}${{ 1: "st", 2: "nd", 3: "rd" }[nth % 100 > 10 && nth % 100 < 20 ? 0 : nth % 10] ?? "th"} ${label(arg)})`;
}
/** An edge's argument in a sentence, without parentheses. */
const plainArgument = (use) => argument(use).replace(/^\((.*)\)$/, "$1");
const gradientParts = (id, home) => [`d${held(ROOT, POWER)}`, `d${held(id, POWER, home)}`];
const slopeParts = (use, home) => [`∂${held(use.to, POWER, home)}`, `∂${argument(use, home)}`];
/** The name of a gradient and of a local slope in a line of text. */
const gradientOf = (id) => gradientParts(id).join("/");
const slopeOf = (use) => slopeParts(use).join("/");
/** The same as a vertical fraction. */
const fraction = ([above, below]) =>
  h(
    "span",
    { class: "fraction" },
    h("span", {}, above),
    h("span", { class: "unseen" }, "/"),
    h("span", {}, below),
  );
const gradientFraction = (id, home) => fraction(gradientParts(id, home));
const slopeFraction = (use, home) => fraction(slopeParts(use, home));
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
/** The formula of a node, in names and then in numbers, such as "w × x" and "2 × 3". */
function computed(id) {
  const formula = DATA.formulas[DATA.formula[id]]?.[0];
  const args = DATA.args[id];
  if (!formula) return null;
  if (args.length > 3 && isSum(id)) {
    const terms = args.slice(0, 2).map((arg) => factor(state.numbers.values[arg], SUM));
    return [
      label(id).startsWith("Σ ") ? label(id) : `${held(args[0], SUM, SAMPLE[id])} + …`,
      `${terms.join(" + ")} + … (${args.length} terms)`,
    ];
  }
  return [
    filled(formula, id, (arg, needs) => held(arg, needs, SAMPLE[id])),
    filled(formula, id, (arg, needs) => factor(state.numbers.values[arg], needs)),
  ];
}
/** The kind of an edge, the same for corresponding edges of the samples: those into a sum are of one
 *  kind, though in different places. */
function kindOf({ to, at }) {
  const collects = SAMPLE[to] < 0 && SAMPLE[DATA.args[to][at]] >= 0;
  return `${ALIKE[to]} ${collects && (isSum(to) || DATA.op[to] === "add") ? "" : at}`;
}
const isSum = (id) => DATA.op[id]?.startsWith("sum/");

/** The local derivative along an edge as a formula of names, null if it is too long. */
function localFormula({ to, at }) {
  const formulas = DATA.formulas[DATA.formula[to]]?.[1] ?? [];
  const formula = formulas[isSum(to) ? 0 : at];
  return formula ? filled(formula, to, (arg, needs) => held(arg, needs, SAMPLE[to])) : null;
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
  const { values } = state.numbers;
  if (state.byLayer) {
    const way = step <= forwardSteps ? "forward" : "backward";
    const what = way === "forward" ? plural(ids.length, "value") : plural(ids.length, "gradient");
    return `Step ${step} of ${total}, ${way}: ${LAYER[first] || "the loss"}, ${what}.`;
  }
  const who = ids.length > 1 ? `in each of ${ids.length} samples; in ${place(first)} it is ` : "";
  if (step <= forwardSteps) {
    const words = computed(first);
    const how = words ? `${words[1]} = ` : "";
    return `Step ${step} of ${total}, forward: ${label(first)} ${who ? who : "= "}${how}${spelled(values[first])}.`;
  }
  const [before, within] =
    ids.length > 1 ? [`, in each of ${ids.length} samples`, `; in ${place(first)} it is `] : ["", " = "];
  return `Step ${step} of ${total}, backward: ${gradientOf(first)}${before}${within}${gradientSum(first)}.`;
}

const MOST_TERMS_SAID = 4;
/** The arithmetic of a gradient: 0.1429 × (−20000) = −2857; a term for each edge. */
function gradientSum(id) {
  if (hidden(id)) return "yours to predict";
  const { adjoint } = state.numbers;
  const known = (to) => (hidden(to) ? "?" : factor(adjoint[to]));
  const terms = USES[id].map((use) => `${known(use.to)} × ${factor(local(use))}`);
  if (id === ROOT) return slope(adjoint[id]);
  const more = terms.length > MOST_TERMS_SAID ? [`… (${terms.length} terms)`] : [];
  return `${[...terms.slice(0, MOST_TERMS_SAID), ...more].join(" + ")} = ${spelled(adjoint[id])}`;
}

/** The contribution of edges, with all digits. */
function edgeWords(edges) {
  const [[arg, at, to]] = edges;
  const sources = new Set(edges.map(([from]) => from)).size;
  if (sources > 1) return `${edges.length} edges from ${sources} values`;
  const { adjoint } = state.numbers;
  if (!DATA.flows[to][at]) return "No gradient flows here.";
  if (!gradientShown(arg)) return "The backward pass has not reached this edge yet.";
  const products = edges
    .filter(([, at, to]) => DATA.flows[to][at])
    .map(([, at, to]) => adjoint[to] * local({ to, at }));
  if (edges.length > 1)
    return `${edges.length} edges contribute ${exact(products.reduce((sum, x) => sum + x, 0))}`;
  const use = { to, at };
  return (
    `${gradientOf(to)} × ${slopeOf(use)} = ` +
    `${exact(adjoint[to])} × ${exactFactor(local(use))} = ${exact(products[0])}`
  );
}
