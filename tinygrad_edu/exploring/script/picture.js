// The picture of the graph: its numbers, its colours, and its highlights.

/** Every picture; the first ones show one sample each. Its elements are there when it is first shown,
 *  for a page of many pictures would otherwise be slow to open. */
const SCENES = DATA.scenes.map((scene) => ({
  ...scene,
  cards: scene.cards.map(([id, nodes]) => ({ id: scene.prefix + id, nodes })),
}));
const FRAMES = [...document.querySelectorAll("#stages > *")];

const SMALL = [8, 9, 10].map((size) => `.node > text[font-size="${size}.00"]`).join();
/** Small text is shown larger than the layout knew: it grows to both sides. */
function centre(text) {
  if (text.getAttribute("text-anchor") !== "start") return;
  pen.font = `${parseFloat(text.getAttribute("font-size"))}px Helvetica, Arial, sans-serif`;
  text.setAttribute("x", +text.getAttribute("x") + pen.measureText(text.textContent).width / 2);
  text.setAttribute("text-anchor", "middle");
}

/** The picture that is shown now, with its elements at hand. */
function sceneShown() {
  const scene = SCENES[state.scene];
  if (!scene.svg) {
    scene.frame = FRAMES[state.scene];
    if (scene.frame.content) {
      const frame = h("div", { class: "picture" }, scene.frame.content);
      scene.frame.replaceWith(frame);
      scene.frame = frame;
    }
    scene.svg = scene.frame.querySelector("svg");
    scene.svg.querySelectorAll(SMALL).forEach(centre);
    for (const slot of scene.slots)
      Object.assign(slot, { group: $(slot.id), text: $(slot.text), room: $(slot.text).textContent });
    for (const link of scene.links) Object.assign(link, { group: $(link.id), text: $(link.text) });
    for (const card of scene.cards) card.group = $(card.id);
    wirePicture(scene);
  }
  for (const frame of $("stages").children) frame.hidden = frame !== scene.frame;
  return scene;
}

const largest = (numbers) =>
  numbers.reduce((top, x) => (Number.isFinite(x) && Math.abs(x) > top ? Math.abs(x) : top), 0);
const tint = (x, top) => shade(x, top, RULES.thresholds);

function showPicture() {
  const { values, adjoint } = state.numbers;
  const scene = sceneShown();
  $("scene").value = scene.label;
  $("scene-note").textContent = scene.note;
  const flow = ([arg, at, to]) => (DATA.flows[to][at] ? adjoint[to] * local({ to, at }) : null);
  const flows = scene.links
    .map(({ edges }) => edges.map(flow).filter((x) => x !== null))
    .map((all) => (all.length ? all.reduce((sum, x) => sum + x) : null));
  const trained = (_, id) => DATA.role[id] !== "input" && DATA.role[id] !== "target";
  const carried = flows.filter((x, n) => x !== null && scene.links[n].coloured);
  const [tops, most] = [largest(adjoint.filter(trained)), largest(carried)];
  const strongest = (nodes, numbers) =>
    nodes.map((id) => numbers[id]).reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a));

  for (const { what, nodes, group, text, room, coloured } of scene.slots) {
    if (what === "data") {
      setText(
        text,
        nodes.every(valueShown)
          ? fitted(room, "", (digits) => rounded(strongest(nodes, values) + 0, digits))
          : "·",
      );
    } else {
      const there = nodes.every(gradientShown);
      const x = there ? strongest(nodes, adjoint) : null;
      setText(
        text,
        there
          ? fitted(room, "d ", (digits) => signed(x, digits))
          : nodes.some(hidden)
            ? "d ?"
            : "d",
      );
      setClass(
        group,
        `chip ${!coloured ? "none" : there ? tint(x, tops) : "zero"}${nodes.some(hidden) ? " asked" : ""}`,
      );
    }
  }
  const now = new Set(STEPS[state.step - 1] ?? []);
  const back = state.step > forwardSteps;
  scene.links.forEach(({ what, edges, group, text, coloured }, n) => {
    const there = edges.every(
      ([arg, , to]) =>
        gradientShown(arg) ||
        (hidden(arg) && gradientAt[arg] <= state.step && what !== "flow") ||
        !DATA.flows[to].some(Boolean),
    );
    const lit = edges.some(([arg, , to]) =>
      back ? now.has(arg) && DATA.flows[to].some(Boolean) : now.has(to),
    );
    const chosen = edges.some(([arg]) => arg === state.selected);
    setClass(
      group,
      `edge ${there && !edges.some(([arg]) => hidden(arg)) ? tint(coloured || flows[n] === null ? flows[n] : 0, most) : "none"}${lit ? " now" : ""}${chosen ? " chosen" : ""}`,
    );
    if (text && what)
      setText(
        text,
        !there
          ? ""
          : what === "flow"
            ? `d ${signed(flows[n])}`
            : signed(local({ to: edges[0][2], at: edges[0][1] })),
      );
  });
  for (const { nodes, group } of scene.cards) {
    const alone = nodes.length === 1;
    group.classList.toggle("now", nodes.some((id) => now.has(id)));
    group.classList.toggle("chosen", nodes.includes(state.selected));
    group.setAttribute("tabindex", nodes.includes(state.selected) ? 0 : -1);
    group.setAttribute("aria-pressed", nodes.includes(state.selected));
    const [id] = nodes;
    group.setAttribute(
      "aria-label",
      !alone
        ? `${plural(nodes.length, "value")} folded into one card; press Enter to unfold it`
        : `${called(id)}, ${kindName(id)}, ${valueShown(id) ? spelled(values[id]) : "not computed yet"}` +
            (hasGradient(id) && gradientShown(id) ? `, gradient ${slope(adjoint[id])}` : ""),
    );
  }
  if (!scene.cards.some(({ nodes }) => nodes.includes(state.selected)))
    scene.cards[0]?.group.setAttribute("tabindex", 0);
}

const pen = document.createElement("canvas").getContext("2d");
/** A number with as many digits, from 4 down to 1, as its place has room for. */
function fitted(room, mark, write) {
  pen.font = "11px Helvetica, Arial, sans-serif";
  const wide = Math.max(pen.measureText(room).width, pen.measureText(`${mark}-123456`).width) + 6;
  const texts = [4, 3, 2, 1].map((digits) => mark + write(digits));
  return texts.find((text) => pen.measureText(text).width <= wide) ?? texts.at(-1);
}

const setText = (element, text) => element.textContent !== text && (element.textContent = text);
const setClass = (element, names) =>
  element.getAttribute("class") !== names && element.setAttribute("class", names);

/** Make cards and edges answer to the mouse, to touch and to the keyboard. */
function wirePicture({ svg, cards, links }) {
  svg.setAttribute("role", "group");
  for (const { nodes, group } of cards) {
    group.setAttribute("role", "button");
    const choose = () => (nodes.length > 1 ? unfold(nodes) : select(nodes[0]));
    group.addEventListener("click", choose);
    tell(group, () => cardWords(nodes));
    group.addEventListener("keydown", (event) => event.key === "Enter" && choose());
  }
  for (const { edges, group } of links) {
    const line = group.querySelector("path");
    if (line) group.prepend(h("path", { class: "grip", d: line.getAttribute("d") })); // easier to hit
    group.addEventListener("click", () => select(edges[0][0]));
    tell(group, () => edgeWords(edges));
  }
}

/** A tooltip that is computed when it is needed. */
function tell(group, words) {
  const title = h("title", {});
  group.append(title);
  group.addEventListener("pointerenter", () => (title.textContent = words()));
}

/** The numbers of a card, with all digits. */
function cardWords(nodes) {
  const { values, adjoint } = state.numbers;
  return (
    nodes
      .slice(0, 6)
      .map(
        (id) =>
          `${called(id)} = ${valueShown(id) ? minus(String(values[id])) : "not computed yet"}` +
          (hasGradient(id) && gradientShown(id)
            ? `, ${gradientOf(id)} = ${minus(String(adjoint[id]))}`
            : ""),
      )
      .join("\n") + (nodes.length > 6 ? "\n…" : "")
  );
}

/** The size of the picture: 1 is its own, at which its smallest text can be read. Otherwise the
 *  picture is the one that is folded least among those that are not wider than the frame ("width"),
 *  or not higher either ("whole"). */
let zoom = "width";

/** The width and the height that the frame has room for. */
function room() {
  const most = (id) => parseFloat(getComputedStyle($(id)).maxHeight);
  const around = $("graph").offsetHeight - $("stages").offsetHeight;
  return [$("stages").clientWidth, most("stages") || most("graph") - around || Infinity].map((x) => x - 2);
}

/** The pictures of what is shown now, the least folded first; all samples as one card are the last. */
function alternatives() {
  const name = state.wanted;
  const last = SCENES.length - 1;
  const mine = SCENES.flatMap((scene, n) => (scene.label === name ? [n] : []));
  return mine.includes(last) || SCENES[last].level === 0 ? mine : [...mine, last];
}

function fitPicture() {
  const [frame, high] = room();
  if (typeof zoom === "string") {
    const pictures = state.unfolded ? [state.scene] : alternatives();
    const narrow = pictures.filter((n) => SCENES[n].size[0] <= frame);
    const whole = () => narrow.find((n) => SCENES[n].size[1] <= high) ?? narrow.at(-1);
    state.scene = (zoom === "whole" ? whole() : narrow[0]) ?? pictures.at(-1);
  }
  const { svg, size } = sceneShown();
  const [wide] = size;
  const factor = zoom === "width" ? Math.min(1.25, Math.max(frame / wide, 1)) : zoom === "whole" ? 1 : zoom;
  svg.style.width = `${Math.round(wide * factor)}px`;
  svg.style.height = "auto";
}

/** Show what a folded card holds: the next less folded picture in which its first node has a card. */
function unfold(nodes) {
  const { label: name, level } = SCENES[state.scene];
  const group = level > 0 && SCENES[state.scene].cards.length <= 4 && SAMPLE[nodes[0]] >= 0;
  const finer = SCENES.map((scene, n) => ({ ...scene, n }))
    .filter((scene) => scene.cards.some((card) => card.nodes.includes(nodes[0]) && card.nodes.length < nodes.length))
    .filter((scene) => group || scene.label === name || name === SCENES.at(-1).label)
    .sort((a, b) => b.level - a.level || a.size[0] - b.size[0]);
  if (!finer.length) return select(nodes.at(-1));
  state.unfolded = true;
  state.scene = finer[0].n;
  state.wanted = finer[0].label;
  fitPicture();
  select(nodes[0]);
}

function zoomBy(factor) {
  const { svg, size } = sceneShown();
  zoom = Math.max(0.2, Math.min(4, (parseFloat(svg.style.width) / size[0]) * factor));
  fitPicture();
}

/** Bring a node's card into the part of the frame that is in the window, without moving the page. */
function bringIntoView(id) {
  const { svg, cards } = sceneShown();
  const card = cards.find(({ nodes }) => nodes.includes(id));
  if (!card) return;
  const stages = $("stages");
  const frame = stages.getBoundingClientRect();
  const seen = frame.top < innerHeight - 100 && frame.bottom > 100;
  const [top, bottom] = seen ? [Math.max(frame.top, 0), Math.min(frame.bottom, innerHeight)] : [frame.top, frame.bottom];
  // So that the last cards, too, can be scrolled to where the window ends.
  const scrolls = svg.getBoundingClientRect().height > stages.clientHeight;
  stages.style.setProperty("--below", `${scrolls ? Math.round(frame.bottom - bottom) : 0}px`);
  const box = card.group.getBoundingClientRect();
  const by = (low, high, from, to) =>
    low < from + 20 ? low - from - 60 : high > to - 20 ? high - to + 60 : 0;
  stages.scrollBy({
    left: by(box.left, box.right, frame.left, frame.right),
    top: by(box.top, box.bottom, top, bottom),
    behavior: calm.matches ? "auto" : "smooth",
  });
}
