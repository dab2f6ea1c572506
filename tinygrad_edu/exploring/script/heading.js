// What the page says about the whole graph, below its title.

/** The formulas of what has a name, from the result back; the first sample stands for all. */
function formulas() {
  if (DATA.headline) return DATA.headline;
  const plain = (id) => !isSign(id);
  const ids = DATA.op.map((_, id) => id).reverse();
  const texts = ids
    .map((id) => (DATA.op[id] === "identity" ? DATA.args[id][0] : id)) // whose copy has the name
    .filter((id) => isOperation(id) && SAMPLE[id] < 1 && DATA.args[id].every(plain) && computed(id))
    .map((id) => `${label(id)} = ${computed(id)[0]}`)
    .filter((text) => text.length < 60 && text.split(" = ")[0] !== text.split(" = ")[1]);
  return [...new Set(texts)].slice(0, 4).join(",  ");
}

/** What the kinds of cards are, with the names of the first of each. */
function legend() {
  const words = {
    input: "is given",
    target: "is to be predicted",
    parameter: "is what training moves",
  };
  return Object.entries(words)
    .map(([role, what]) => {
      const names = [
        ...new Set(
          DATA.op
            .map((_, id) => id)
            .filter((id) => DATA.role[id] === role && SAMPLE[id] < 1)
            .map(bare),
        ),
      ];
      return names.length
        ? h(
            "span",
            {},
            h(
              "span",
              { class: `role ${role}` },
              names.slice(0, 4).join(", ") + (names.length > 4 ? ", …" : ""),
            ),
            ` ${names.length > 1 ? what.replace(/^is/, "are") : what}`,
          )
        : null;
    })
    .filter(Boolean);
}

/** What the page is about: the formulas of what has a name, and how much there is. */
function lead() {
  const n = DATA.samples.length;
  const graph = `${plural(COUNT, "value")}, ${plural(PARAMETERS.length, "parameter")}${n ? `, ${plural(n, "sample")}` : ""}.`;
  return `${graph} Forward, each value is computed from those before it. Backward, each gradient d is computed from those after it, by multiplying with the local slopes ∂: it says how fast ${loss} grows when a number grows.`;
}
