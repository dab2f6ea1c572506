// Every number as a table: the graph for those who read it by ear.

function showTable() {
  if (!$("numbers").querySelector("details").open) return;
  const { values, adjoint, partials } = state.numbers;
  const rows = DATA.op.map((_, id) =>
    h(
      "tr",
      { "data-id": id },
      h("th", { scope: "row" }, link(id, label(id))),
      h("td", {}, place(id)),
      h("td", {}, kindName(id)),
      h(
        "td",
        {},
        DATA.args[id]
          .slice(0, 12)
          .map(
            (arg, at) =>
              called(arg) +
              (DATA.flows[id][at] && !hidden(arg) ? ` (∂ ${slope(partials[id][at])})` : ""),
          )
          .join(", ") + (DATA.args[id].length > 12 ? ", …" : ""),
      ),
      h("td", { class: "number" }, valueShown(id) ? minus(String(values[id])) : "not yet"),
      h(
        "td",
        { class: "number" },
        !hasGradient(id)
          ? "none"
          : hidden(id)
            ? "?"
            : gradientShown(id)
              ? minus(String(adjoint[id]))
              : "not yet",
      ),
    ),
  );
  $("table").replaceChildren(
    h(
      "caption",
      {},
      `${plural(COUNT, "value")}, each with its arguments and, in parentheses, the local derivatives.`,
    ),
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        ["card", "where", "what", "made from", "value", `d${held(ROOT, POWER)}/d(card)`].map((text) =>
          h("th", { scope: "col" }, text),
        ),
      ),
    ),
    h("tbody", {}, rows),
  );
}
