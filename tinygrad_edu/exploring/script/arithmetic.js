// The primitives of the table that are more than one line. Every answer is Python's, at the
// edges too: the tests hold them against it.

/** x to the power y as C's pow gives it: 1 to any power is 1, and so is (−1) to ±infinity. */
function power(x, y) {
  return x === 1 || (x === -1 && Math.abs(y) === Infinity) ? 1 : x ** y;
}

/** Python's x % y, with the sign of the divisor. */
function modulo(x, y) {
  const rest = x % y;
  if (rest === 0) return y < 0 ? -0 : 0;
  return rest < 0 !== y < 0 ? rest + y : rest;
}

/** Python's x // y; by zero, what the hardware gives for x / y. */
function floorDivide(x, y) {
  if (y === 0) return x / y;
  const rest = x % y;
  const quotient = (x - rest) / y - (rest !== 0 && rest < 0 !== y < 0 ? 1 : 0);
  if (quotient === 0) return x / y < 0 ? -0 : (x / y) * 0;
  const whole = Math.floor(quotient);
  return quotient - whole > 0.5 ? whole + 1 : whole;
}

/** To the nearest whole number, halves to the even one; the sign of zero is kept. */
function halfToEven(x) {
  const size = Math.abs(x);
  if (!(size < 2 ** 52)) return x; // whole already, or infinite, or nan
  const below = Math.floor(size);
  const rest = size - below; // exact
  const whole = rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? below + 1 : below;
  return x < 0 || Object.is(x, -0) ? -whole : whole;
}

/** e to the power −x², exact to the last digits: h² has no rounding, as h has half the bits. */
function gauss(x) {
  const h = Math.fround(x);
  return Math.abs(x) > 30 ? 0 : Math.exp(-h * h) * Math.exp(-(x - h) * (x + h));
}

/** erf by its series 2/√π · e^(−x²) · Σ 2ⁿ x^(2n+1) / (1·3·5···(2n+1)); no term cancels. */
function erfSeries(x) {
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-18 * Math.abs(sum); n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * gauss(x) * sum;
}

/** erfc for x ≥ 1.5 by its continued fraction, x + ½/(x + 1/(x + 3/2/(x + …))), from within. */
function erfcFraction(x) {
  let fraction = x;
  for (let k = 120; k > 0; k--) fraction = x + k / 2 / fraction;
  return gauss(x) / (Math.sqrt(Math.PI) * fraction);
}

/** The error function. */
function erf(x) {
  if (x !== x) return x;
  if (Math.abs(x) < 1.5) return x === 0 ? x : erfSeries(x);
  return x > 0 ? 1 - erfcFraction(x) : erfcFraction(-x) - 1;
}

/** 1 − erf(x), which keeps its digits where erf(x) is near 1. */
function erfc(x) {
  if (x !== x) return x;
  if (Math.abs(x) < 1.5) return 1 - (x === 0 ? x : erfSeries(x));
  return x > 0 ? erfcFraction(x) : 2 - erfcFraction(-x);
}
