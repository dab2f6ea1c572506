// Why a gradient is what it is: the chain rule of one node, with its numbers.

const MOST_TERMS = 24;
const MOST_PATHS = 64;
const MOST_LINKS = 9; // of a path that is written out

/** The number of paths from each node to the root. */
const WAYS = (() => {
  const ways = new Float64Array(COUNT);
  ways[ROOT] = 1;
  for (let id = ROOT - 1; id >= 0; id--) for (const { to } of USES[id]) ways[id] += ways[to];
  return ways;
})();

/** Every path from a node to the root, as lists of edges. Only for few of them. @returns {Use[][]} */
function pathsFrom(id) {
  const found = [];
  const stack = [{ id, path: [] }];
  while (stack.length) {
    const { id: here, path } = stack.pop();
    if (here === ROOT) found.push(path);
    for (const use of USES[here].slice().reverse())
      stack.push({ id: use.to, path: [...path, use] });
  }
  return found;
}

/** A word that leads to a node. The reader's place in the page is then the reason. */
function link(id, text = called(id)) {
  const click = () => {
    select(id);
    $("why").focus({ preventScroll: $("why").getBoundingClientRect().top > 0 });
  };
  return h("button", { type: "button", class: "link", click }, text);
}

function showReason() {
  const id = state.selected;
  const { values, adjoint } = state.numbers;
  $("node").value = id;
  const parts = [
    h(
      "p",
      { class: "facts" },
      h("span", { class: `role ${kind(id)}` }, kindName(id)),
      h(
        "span",
        {},
        "value ",
        h("b", {}, valueShown(id) ? spelled(values[id]) : "not computed yet"),
      ),
      hasGradient(id) ? h("span", {}, `${gradientOf(id)} `, gradientMark(id)) : null,
    ),
    forwardWords(id),
  ];
  if (!hasGradient(id)) {
    parts.push(
      h(
        "p",
        {},
        DATA.role[id] === "constant"
          ? "A constant. It can't be changed, so its gradient isn't needed."
          : `No gradient flows back to it: ${loss} does not depend on it along any differentiated path.`,
      ),
    );
  } else if (hidden(id)) {
    parts.push(
      h(
        "p",
        {},
        "Its gradient is hidden while you predict it. Take every path from here to ",
        h("b", {}, loss),
        ": multiply along it, then add over the paths.",
      ),
      h("details", {}, h("summary", {}, "A hint: the factors"), termTable(id)),
    );
  } else if (!gradientShown(id)) {
    parts.push(
      h(
        "p",
        {},
        "The backward pass has not reached this node yet. ",
        h(
          "button",
          { type: "button", class: "link", click: () => goToStep(gradientAt[id]) },
          "Go to that step",
        ),
      ),
    );
  } else {
    parts.push(...backwardWords(id));
  }
  $("reason").replaceChildren(...parts.filter(Boolean));
}

const kind = (id) =>
  id === ROOT ? "root" : DATA.role[id] || (isOperation(id) ? "operation" : "leaf");
const kindName = (id) => ({ root: "result", leaf: "number" })[kind(id)] ?? kind(id);
const gradientMark = (id) =>
  h(
    "b",
    { class: `chip ${gradientShown(id) ? sign(state.numbers.adjoint[id]) : "zero"}` },
    hidden(id) ? "?" : gradientShown(id) ? slope(state.numbers.adjoint[id]) : "not yet",
  );
const sign = (x) => (x > 0 ? "plus" : x < 0 ? "minus" : "zero");

function forwardWords(id) {
  const words = computed(id);
  if (DATA.op[id] === "identity")
    return h(
      "p",
      {},
      `It passes on ${label(DATA.args[id][0])} unchanged, as the linear activation does.`,
    );
  if (words && valueShown(id)) {
    const [names, numbers] = words;
    const value = spelled(state.numbers.values[id]);
    const head = names === label(id) ? [names] : [label(id), names];
    return h(
      "p",
      { class: "math" },
      [...head, ...(numbers === value ? [] : [numbers]), value].join(" = "),
    );
  }
  const what = {
    parameter: "Training moves it.",
    input: "It is given.",
    target: "It is the number that the model has to predict.",
  };
  return what[DATA.role[id]] ? h("p", {}, what[DATA.role[id]]) : null;
}

/** @returns {HTMLElement[]} */
function backwardWords(id) {
  const { adjoint } = state.numbers;
  const g = adjoint[id];
  if (id === ROOT)
    return [
      h(
        "p",
        {},
        `The backward pass starts here: if ${loss} grows by 1, ${loss} grows by 1. So its gradient is 1.`,
      ),
    ];
  const parts = [h("p", { class: "meaning" }, meaning(id, g))];
  const uses = USES[id];
  const kinds = new Map(); // edges of one kind: the same consumer in every sample
  for (const use of uses) {
    kinds.set(kindOf(use), [...(kinds.get(kindOf(use)) ?? []), use]);
  }
  const whole = pathTable(id);
  const terms = [...kinds.values()].slice(0, 4).map((group) => {
    const [use] = group;
    const home = group.length > 1 ? SAMPLE[use.to] : SAMPLE[id];
    return h(
      "span",
      { class: "term" },
      group.length > 1 ? over(group.length, "samples") : null,
      gradientFraction(use.to, home),
      " × ",
      slopeFraction(use, home),
    );
  });
  parts.push(
    h(
      "h3",
      {},
      uses.length > 1
        ? "The chain rule: multiply along an edge, add over the edges"
        : "The chain rule: multiply along the edge",
    ),
  );
  if (uses.length > 1)
    parts.push(
      h(
        "p",
        {},
        `${label(id)} is used ${uses.length} times. A change of ${label(id)} takes all of these paths, and its effects on ${loss} add up.`,
      ),
    );
  parts.push(
    h(
      "p",
      { class: "math" },
      gradientFraction(id),
      " = ",
      joined(terms, " + "),
      kinds.size > 4 ? " + …" : null,
    ),
  );
  parts.push(termTable(id));
  const agreeing = [...kinds.values()].filter(
    (group) => new Set(group.map(localFormula)).size === 1,
  );
  const why = localReasons(agreeing.map((group) => group[0]));
  if (why) parts.push(why);
  if (whole) parts.push(...whole);
  return parts;
}

/** A sum sign with its index. */
const over = (count, things) =>
  h(
    "span",
    { class: "over" },
    h("span", { class: "sigma" }, "Σ"),
    h("small", {}, `${count} ${things}`),
  );

function meaning(id, g) {
  if (Number.isNaN(g))
    return `It is nan: somewhere on a path a number is undefined. Follow the terms that are nan.`;
  if (g === 0) return `A small change of ${label(id)} does not change ${loss}.`;
  return `It means: raise ${called(id)} by a little ε, and ${loss} ${g > 0 ? "rises" : "falls"} by ${spelled(Math.abs(g))} × ε.`;
}

/** An edge in a list: its end, and which of its arguments, if several are the same number. */
const through = (use) => {
  const which = plainArgument(use);
  const same = which === label(DATA.args[use.to][use.at]) || argument(use)[0] !== "(";
  return called(use.to) + (same ? "" : `, ${which}`);
};

/** One row per edge: the gradient at its end, times the local derivative. */
function termTable(id) {
  const { adjoint } = state.numbers;
  const all = USES[id].map((use) => ({ use, product: adjoint[use.to] * local(use) }));
  const shown =
    all.length > MOST_TERMS
      ? [...all].sort((a, b) => Math.abs(b.product) - Math.abs(a.product)).slice(0, MOST_TERMS)
      : all;
  const rest = all.filter((term) => !shown.includes(term));
  const alike = new Set(all.map(({ use }) => kindOf(use))).size === 1;
  const to = all[0].use.to;
  const rows = shown.map(({ use, product }) =>
    h(
      "tr",
      {},
      h(
        "th",
        { scope: "row" },
        link(use.to, alike ? place(use.to) || label(use.to) : through(use)),
      ),
      h("td", {}, hidden(use.to) ? "?" : slope(adjoint[use.to])),
      h("td", {}, "×"),
      h("td", {}, slope(local(use))),
      h("td", {}, "="),
      hidden(id) ? h("td", {}, "?") : h("td", { class: sign(product) }, slope(product)),
    ),
  );
  if (rest.length)
    rows.push(
      h(
        "tr",
        {},
        h("th", { scope: "row" }, `${plural(rest.length, "smaller term")}, added`),
        h("td", { colspan: 4 }),
        h("td", {}, hidden(id) ? "?" : slope(rest.reduce((sum, term) => sum + term.product, 0))),
      ),
    );
  const heads = alike
    ? [gradientFraction(to), "×", slopeFraction(all[0].use)]
    : ["from its end", "×", "along the edge"];
  return h(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": `Terms of ${gradientOf(id)}` },
    h(
      "table",
      { class: "terms" },
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          h("th", { scope: "col" }, alike && place(to) ? "in" : "through"),
          ...heads.map((text) => h("th", { scope: "col" }, text)),
          h("th", {}, "="),
          h("th", { scope: "col" }, "product"),
        ),
      ),
      h("tbody", {}, rows),
      h(
        "tfoot",
        {},
        h(
          "tr",
          {},
          h("th", { scope: "row" }, all.length > 1 ? "the sum" : "together"),
          h("td", { colspan: 4 }),
          h("td", {}, gradientMark(id)),
        ),
      ),
    ),
  );
}

/** Why the local derivatives are what they are: one line for each kind of edge. */
function localReasons(uses) {
  const lines = uses
    .slice(0, 4)
    .map((use) => {
      const formula = localFormula(use);
      const names = computed(use.to);
      if (!formula || !names) return null;
      const by = plainArgument(use);
      const times = formula === "1" ? "" : `${heldAsFactor(formula)} × `;
      const what =
        (names[0] === label(use.to) ? "" : `, because ${label(use.to)} = ${names[0]}`) +
        `: ε more of ${by} is ${times}ε ${formula.startsWith("−") ? "of" : "more of"} ${label(use.to)}`;
      return h("li", {}, h("span", { class: "math" }, slopeFraction(use), ` = ${formula}`), what);
    })
    .filter(Boolean);
  return lines.length ? h("ul", { class: "because" }, lines) : null;
}

/** The paths all the way to the root as a table, if they are few and all of one kind. */
function pathTable(id) {
  if (HEIGHT[id] < 2 || HEIGHT[id] > 2 * MOST_LINKS || WAYS[id] > MOST_PATHS) return null;
  const paths = pathsFrom(id).map((path) => path.filter(({ to }) => DATA.op[to] !== "identity"));
  if (new Set(paths.map((path) => path.map(kindOf).join())).size !== 1 || paths[0].length > MOST_LINKS) return null;
  const [first] = paths;
  // Several paths of one kind are those of the samples, unless they only differ in a place of a sum.
  const sampled = (path) => path.map(({ to }) => place(to)).find((where, i) => SAMPLE[path[i].to] >= 0);
  const where = paths.map(sampled);
  const perSample = paths.length > 1 && new Set(where).size === paths.length;
  const named = (path, n) =>
    perSample ? where[n] : paths.length > 1 ? `path ${n + 1}` : `through ${label(path[0].to)}`;
  const product = (path) => path.reduceRight((sofar, use) => sofar * local(use), 1);
  const columns = first
    .map((use) => ({ use, name: () => slopeFraction(use), formula: localFormula(use) }))
    .reverse();
  const rows = paths.map((path, n) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, named(path, n)),
      path
        .slice()
        .reverse()
        .map((use, i) => h("td", {}, (i ? "× " : "") + factor(local(use)))),
      h("td", { class: sign(product(path)) }, `= ${slope(product(path))}`),
    ),
  );
  // A formula for all paths, if they have one.
  const one = (i, of) => new Set(paths.map((path) => of(path.at(-1 - i)))).size === 1;
  const factors = columns.map(({ formula, use }, i) =>
    formula && one(i, localFormula)
      ? heldAsFactor(formula)
      : one(i, local)
        ? factor(local(use))
        : null,
  );
  const formulas = factors.includes(null) ? null : factors.filter((text) => text !== "1");
  const sum = () => (paths.length > 1 ? over(paths.length, perSample ? "samples" : "paths") : null);
  return [
    h("h3", {}, paths.length > 1 ? `Every path back from ${loss}` : `The path back from ${loss}`),
    h(
      "p",
      { class: "math" },
      gradientFraction(id),
      " = ",
      sum(),
      joined(
        columns.map(({ name }) => name()),
        " × ",
      ),
    ),
    formulas && h("p", { class: "math" }, "= ", sum(), formulas.join(" × ") || "1"),
    h(
      "div",
      {
        class: "scroll",
        tabindex: 0,
        role: "region",
        "aria-label": `Every path from ${loss} to ${label(id)}`,
      },
      h(
        "table",
        { class: "terms paths" },
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            h("th", { scope: "col" }, perSample ? "in" : "path"),
            columns.map(({ name, formula }, i) =>
              h(
                "th",
                { scope: "col" },
                name(),
                formula && one(i, localFormula) ? h("small", {}, `= ${formula}`) : null,
              ),
            ),
            h("th", { scope: "col" }, "product"),
          ),
        ),
        h("tbody", {}, rows),
        h(
          "tfoot",
          {},
          h(
            "tr",
            {},
            h("th", { scope: "row" }, paths.length > 1 ? "the sum" : "together"),
            h("td", { colspan: columns.length }),
            h("td", {}, gradientMark(id)),
          ),
        ),
      ),
    ),
  ].filter(Boolean);
}
