// The rules of themes.py and labels.py, for pages whose numbers change: which text a number
// is shown as, and which colour (a class of the stylesheet) it has.

// 4 significant digits; whole numbers below a million are written out. As Python's %g.
function rounded(x, digits = 4) {
  if (Number.isNaN(x)) return "nan";
  if (!Number.isFinite(x)) return x > 0 ? "inf" : "-inf";
  const size = Math.abs(x);
  const minus = x < 0 || Object.is(x, -0) ? "-" : "";
  const whole = size >= 10 ** digits && size < 999999.5;
  const [mantissa, exponent] = scientific(size, whole ? Math.floor(Math.log10(size)) + 1 : digits);
  if (!whole && (exponent < -4 || exponent >= digits)) {
    const power = String(Math.abs(exponent)).padStart(2, "0");
    return `${minus}${trimmed(mantissa)}e${exponent < 0 ? "-" : "+"}${power}`;
  }
  const places = Math.max(0, mantissa.replace(".", "").length - 1 - exponent);
  return minus + trimmed(Number(`${mantissa}e${exponent}`).toFixed(places));
}

// Mantissa and exponent of a number, halves rounded to even; toExponential rounds them up.
function scientific(size, digits) {
  let text = size.toExponential(digits - 1);
  const exact = size.toExponential(100);
  const figures = exact.slice(0, exact.indexOf("e")).replace(".", "");
  const half = /^50*$/.test(figures.slice(digits));
  if (half && Number(figures[digits - 1]) % 2 === 0) {
    const kept = figures.slice(0, digits);
    text = `${kept[0]}${digits > 1 ? "." : ""}${kept.slice(1)}${exact.slice(exact.indexOf("e"))}`;
  }
  const [mantissa, exponent] = text.split("e");
  return [mantissa, Number(exponent)];
}

function trimmed(text) {
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

// A gradient, with its sign.
function signed(x, digits = 4) {
  if (x === 0) return "0";
  return (x > 0 ? "+" : "") + rounded(x, digits);
}

// The class of a chip or an edge: its sign and one of four steps, a power of ten apart.
function shade(x, largest, thresholds) {
  if (x === null) return "none";
  if (Number.isNaN(x)) return "nan";
  if (x === 0) return "zero";
  const share = Number.isFinite(x) && largest !== 0 ? Math.abs(x) / largest : 1;
  return `${x > 0 ? "positive" : "negative"}-${thresholds.filter((t) => share > t).length}`;
}
