// "Run" below the code blocks that the build marked, and the scratch page. Python is loaded from a
// script beside the site at the first click, into a worker: see docs/browser/worker.js.
(() => {
  const SCRIPT = new URL("../python.js", document.currentScript.src).href;

  const make = (tag, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };

  // ── Python ────────────────────────────────────────────────────────────────────────────

  let loading;
  const packed = () => loading ??= new Promise((resolve, reject) => {
    const script = make("script", { src: SCRIPT });
    script.onload = () => resolve(globalThis.PYTHON);
    script.onerror = () => {
      loading = undefined;
      script.remove();
      reject(new Error("The file python.js, which belongs beside this page, could not be loaded."));
    };
    document.head.append(script);
  });

  const text = async (base64) => {
    const response = await fetch(`data:application/gzip;base64,${base64}`);
    const stream = response.body.pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).text();
  };

  // One interpreter. `run` starts it if there is none, and calls `show` with each output.
  class Python {
    worker;
    #answer;

    async #start() {
      const files = await packed();
      const code = await text(files["worker.js"]);
      // A worker from a string may also be made by a page that was opened from disk.
      const url = `data:text/javascript;charset=utf-8,${encodeURIComponent(code)}`;
      this.worker = new Worker(url, { type: "module" });
      this.worker.onmessage = ({ data }) => this.#answer(data);
      await this.#ask({ files }, () => {});
    }

    #ask(question, show) {
      return new Promise((resolve, reject) => {
        this.worker.onerror = (event) => reject(new Error(event.message || "Python did not start."));
        this.stopped = () => reject(new Error("Stopped."));
        this.#answer = (data) => {
          if (data.kind === "failed") reject(new Error(data.text));
          else if (data.kind === "started" || data.kind === "ended") resolve(data.succeeded);
          else show(data);
        };
        this.worker.postMessage(question);
      });
    }

    async run(question, show) {
      try {
        if (!this.worker) await this.#start();
        return await this.#ask(question, show);
      } catch (error) {
        this.stop();
        throw error;
      }
    }

    stop() {
      this.worker?.terminate();
      this.worker = undefined;
      this.stopped?.();
    }
  }

  // ── Output ────────────────────────────────────────────────────────────────────────────

  const TYPES = {
    svg: "image/svg+xml", html: "text/html", png: "image/png", json: "application/json",
  };

  function file({ name, data }, panel) {
    const kind = name.split(".").pop();
    const bytes = Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
    const blob = new Blob([bytes], { type: TYPES[kind] ?? "text/plain" });
    const url = URL.createObjectURL(blob);
    const link = make("a", { href: url, download: name.split("/").pop(), textContent: name });
    panel.append(make("p", { className: "saved" }, "Saved: ", link));
    if (kind === "svg" || kind === "png") {
      panel.append(make("img", { src: url, alt: `The picture ${name}` }));
    } else if (kind === "html" && !panel.querySelector("iframe")) {
      const frame = make("iframe", { title: name, height: 720 });
      frame.sandbox = "allow-scripts";
      frame.srcdoc = new TextDecoder().decode(bytes);
      panel.append(frame);
    }
  }

  const lines = (panel, text) => {
    let last = panel.lastElementChild;
    if (!last?.matches("pre.printed")) panel.append(last = make("pre", { className: "printed" }));
    last.append(text);
    last.tabIndex = 0;
  };

  const SHOW = {
    text: (output, panel) => lines(panel, output.text),
    value: (output, panel) => {
      if (!output.html) return lines(panel, `${output.text}\n`);
      const shown = make("div", { className: "shown", tabIndex: 0 });
      shown.innerHTML = output.html;
      // A wide picture brings its own element to scroll, which the keyboard must reach, too.
      for (const wide of shown.querySelectorAll("[style*=overflow]")) wide.tabIndex = 0;
      return panel.append(shown);
    },
    error: (output, panel) => {
      panel.append(make("pre", { className: "error", tabIndex: 0 },
        make("strong", { textContent: output.text }), output.trace ? `\n\n${output.trace}` : ""));
    },
    file,
  };

  // ── Blocks ────────────────────────────────────────────────────────────────────────────

  const python = new Python();
  const blocks = [];
  const said = make("p", { className: "run-said" });
  said.setAttribute("role", "status");

  // A block: where its code is, what runs it, and the panel for its output. One that is alone
  // needs no other block, and begins without names.
  function block(source, language, after, label, alone = false) {
    const one = {
      source, language, alone, done: false,
      run: make("button", { type: "button", className: "run", textContent: "Run" }),
      note: make("span", { className: "note" }),
      panel: make("div", { className: "output", hidden: true }),
    };
    one.run.setAttribute("aria-label", `Run ${label}`);
    one.panel.setAttribute("role", "region");
    one.panel.setAttribute("aria-label", `Output of ${label}`);
    one.bar = make("div", { className: "run-bar" }, one.run, one.note);
    after.after(one.bar, one.panel);
    one.run.addEventListener("click", () => one.run.textContent === "Stop" ? python.stop() : go(one));
    return one;
  }

  function tell(one, text) {
    one.note.textContent = text;
    said.textContent = text;
  }

  async function execute(one) {
    one.panel.replaceChildren();
    one.panel.hidden = true;
    const question = { source: one.source(), language: one.language, fresh: one.alone };
    return python.run(question, (output) => {
      one.panel.hidden = false;
      SHOW[output.kind](output, one.panel);
    });
  }

  // Run a block, after those above it that have not run yet.
  async function go(one) {
    const name = one.run.getAttribute("aria-label");
    for (const each of blocks) each.run.disabled = each !== one;
    one.run.textContent = "Stop";
    one.run.setAttribute("aria-label", name.replace("Run", "Stop"));
    try {
      const began = performance.now();
      if (!python.worker) {
        for (const each of blocks) each.done = false;
        tell(one, "Starting Python: some seconds …");
      }
      const before = one.alone ? [] : blocks.slice(0, blocks.indexOf(one));
      const first = before.filter((each) => !each.done);
      for (const each of [...first, one]) {
        if (each !== one && python.worker) tell(one, "Running the blocks above first …");
        each.done = await execute(each);
        if (!each.done) {
          tell(one, each === one ? "It raised an error." : "A block above raised an error.");
          return;
        }
      }
      const seconds = ((performance.now() - began) / 1000).toFixed(1);
      const above = first.length === 1 ? "the block above" : `the ${first.length} blocks above`;
      tell(one, `Ran in ${seconds} s${first.length ? `, after ${above}, which it may need` : ""}.`);
    } catch (error) {
      const anew = "The next run starts Python anew.";
      tell(one, error.message === "Stopped." ? `Stopped. ${anew}` : `${error.message} ${anew}`);
    } finally {
      for (const each of blocks) each.run.disabled = false;
      one.run.textContent = "Run";
      one.run.setAttribute("aria-label", name);
    }
  }

  // ── The scratch page ──────────────────────────────────────────────────────────────────

  const plain = (code) => !/^>>> /m.test(code) ? code : code.split("\n")
    .filter((line) => /^(>>>|\.\.\.)( |$)/.test(line)).map((line) => line.slice(4)).join("\n");

  // A text area in the place of a block. Tab indents, and after Escape it leaves.
  function editor(code, place) {
    const area = make("textarea", { value: code, spellcheck: false, wrap: "off", id: "code" });
    area.setAttribute("aria-label", "Python code");
    area.setAttribute("aria-describedby", "keys");
    area.setAttribute("autocapitalize", "off");
    const size = () => { area.rows = Math.max(8, area.value.split("\n").length + 1); };
    let leaving = false;
    area.addEventListener("input", size);
    area.addEventListener("keydown", (event) => {
      if (event.key === "Escape") leaving = true;
      else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        area.dispatchEvent(new Event("run"));
      } else if (event.key === "Tab" && !leaving && !event.shiftKey) {
        event.preventDefault();
        area.setRangeText("    ", area.selectionStart, area.selectionEnd, "end");
      } else if (event.key !== "Shift") leaving = false;
    });
    size();
    place.replaceWith(area);
    return area;
  }

  function scratch(place, found) {
    const given = new URLSearchParams(location.hash.slice(1)).get("code");
    const first = found.shift();
    const area = editor(given ?? plain(first.querySelector("pre").textContent).trimEnd(), first);
    const one = block(() => area.value, "python", area, "your code", true);
    one.bar.append(make("span", { id: "keys", className: "keys",
      textContent: "Ctrl+Enter runs. Tab indents; Escape, then Tab, leaves the code." }));
    area.addEventListener("run", () => {
      if (one.run.textContent === "Run" && !one.run.disabled) go(one);
    });
    addEventListener("hashchange", () => {
      const code = new URLSearchParams(location.hash.slice(1)).get("code");
      if (code === null) return;
      area.value = code;
      area.dispatchEvent(new Event("input"));
      area.focus();
    });
    blocks.push(one);
  }

  addEventListener("DOMContentLoaded", () => {
    const found = [...document.querySelectorAll("article .runs")];
    if (!found.length) return;
    document.querySelector("article").append(said);
    const place = document.getElementById("scratch");
    if (place) scratch(place, found);
    const codes = [];
    found.forEach((element, index) => {
      const code = element.querySelector("pre").textContent;
      const language = element.classList.contains("highlight-sh") ? "sh" : "python";
      const one = block(() => code, language, element, `block ${index + 1}`, Boolean(place));
      blocks.push(one);
      if (language !== "python") return;
      codes.push(plain(code).trim());
      const all = (place ? codes.slice(-1) : codes).join("\n\n");
      const link = make("a", {
        href: `scratch.html#${new URLSearchParams({ code: all })}`, className: "edit",
        textContent: "Edit", title: "Open this code, with that of the blocks above, to change it",
      });
      link.setAttribute("aria-label", `Edit block ${index + 1}`);
      one.bar.append(link);
    });
  });
})();
