// Runs a Python program in Pyodide: node start.mjs NODE_MODULES WHEEL FOLDER PROGRAM [ARGUMENT ...]
// The program finds FOLDER as /src. viz.js draws, unless the variable WITHOUT_VIZ is set.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [modules, wheel, folder, program, ...rest] = process.argv.slice(2);
const load = (name) => import(pathToFileURL(`${modules}/${name}`).href);

const { loadPyodide } = await load("pyodide/pyodide.mjs");
const { instance } = await load("@viz-js/viz/dist/viz.js");
const env = { HOME: "/home/pyodide", PYTHONDONTWRITEBYTECODE: "1" };
const { WITHOUT_VIZ } = process.env;
if (WITHOUT_VIZ) env.SMOKE_WITHOUT_DOT = "1";
else globalThis.viz = await instance();
const python = await loadPyodide({ env, args: [program, ...rest] });
python.unpackArchive(new Uint8Array(readFileSync(wheel)), "wheel", { extractDir: "/lib/site" });
python.FS.mkdirTree("/src");
python.mountNodeFS("/src", folder);
globalThis.code = readFileSync(program, "utf8");
try {
  python.runPython(`
import sys
from js import code
sys.path.append("/lib/site")
exec(compile(code, sys.argv[0], "exec"), {"__name__": "__main__", "__file__": sys.argv[0]})
`);
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
