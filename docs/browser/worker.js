// Python in a worker of its own: the page stays alive while it computes, and can end it.
// It gets the packed files once, then blocks to run; everything it answers is a message.

const TYPES = { mjs: "text/javascript", js: "text/javascript", wasm: "application/wasm" };

async function unpacked(name, base64) {
  const packed = await fetch(`data:application/gzip;base64,${base64}`);
  const stream = packed.body.pipeThrough(new DecompressionStream("gzip"));
  const type = TYPES[name.split(".").pop()] ?? "application/octet-stream";
  return new Blob([await new Response(stream).arrayBuffer()], { type });
}

async function start(packed) {
  const files = {};
  await Promise.all(Object.entries(packed).map(async ([name, base64]) => {
    files[name] = await unpacked(name, base64);
  }));
  const load = (name) => import(URL.createObjectURL(files[name]));
  // Pyodide asks for its parts by URL; there are none outside of these files.
  const home = "https://nowhere.invalid/";
  self.fetch = async (url) => {
    const file = files[String(url).replace(home, "")];
    if (!file) throw new TypeError(`Nothing is loaded from elsewhere: ${url}`);
    return new Response(file, { headers: { "Content-Type": file.type } });
  };
  const [{ loadPyodide }, { default: createPyodideModule }, viz] = await Promise.all(
    ["pyodide.mjs", "pyodide.asm.mjs", "viz.js"].map(load));
  self.viz = await viz.instance();
  const python = await loadPyodide({
    indexURL: home, createPyodideModule, lockFileContents: JSON.parse(await files["lock.json"].text()),
  });
  const extractDir = "/lib/site";
  python.unpackArchive(await files["tinygrad_edu.whl"].arrayBuffer(), "wheel", { extractDir });
  python.FS.writeFile(`${extractDir}/session.py`, await files["session.py"].text());
  self.emit = (text) => self.postMessage(JSON.parse(text));
  python.runPython(`
import json, os, sys
sys.path.append("/lib/site")
from session import Session
from js import emit
os.makedirs("/page"), os.chdir("/page")
`);
  return () => python.runPython("Session(lambda output: emit(json.dumps(output)))");
}

let begin, session;
self.onmessage = async ({ data }) => {
  try {
    if (data.files) {
      begin = await start(data.files);
      self.postMessage({ kind: "started" });
    } else {
      if (data.fresh || !session) session = begin();
      self.postMessage({ kind: "ended", succeeded: session.run(data.source, data.language) });
    }
  } catch (error) {
    self.postMessage({ kind: "failed", text: String(error) });
  }
};
