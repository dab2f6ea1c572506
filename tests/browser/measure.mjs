// Measures the figures of docs/in-the-browser.md, in seconds of CPU time, which other programs on the
// machine hardly change: node measure.mjs NODE_MODULES WHEEL
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [modules, wheel] = process.argv.slice(2);
const load = (name) => import(pathToFileURL(`${modules}/${name}`).href);
const { loadPyodide } = await load("pyodide/pyodide.mjs");
const { instance } = await load("@viz-js/viz/dist/viz.js");

let before = process.cpuUsage();
function lap(step, times = 1) {
  const { user, system } = process.cpuUsage(before);
  console.log(step.padEnd(40), ((user + system) / 1e6 / times).toFixed(2));
  before = process.cpuUsage();
}

const python = await loadPyodide();
globalThis.viz = await instance();
lap("start");
python.unpackArchive(new Uint8Array(readFileSync(wheel)), "wheel", { extractDir: "/lib/site" });
python.runPython("import sys; sys.path.append('/lib/site'); import tinygrad_edu as tg");
lap("import tinygrad_edu");
python.runPython(`
from tinygrad_edu import keras
model = keras.Sequential([keras.layers.Dense(units=1, input_shape=[1])])
model.compile(optimizer="sgd", loss="mean_squared_error")
data = (1, 2, 3, 4, 5, 6, 7), (10000, 20000, 30000, 40000, 50000, 60000, 70000)
model.fit(*data, epochs=500, verbose=0)
`);
lap("the six lines, 500 epochs");
python.runPython("loss = model.loss_graph(*data); tg.draw(loss).svg()");
lap("the first picture, of 54 values");
for (let i = 0; i < 10; i++) python.runPython("tg.draw(loss).svg()");
lap("another picture", 10);
python.runPython("str(tg.explain(loss, model.parameters()[0]))");
lap("an explanation");
python.runPython("tg.explore(model, '/tmp/page.html', data=data)");
lap("a page to step through");
