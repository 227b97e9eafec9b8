// How numbers are written on charts and in their tables.

export const NOTHING = "–";
const COMPACT = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });
const WHOLE = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const THREE = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });

const or = (write) => (value) => (value === null || value === undefined ? NOTHING : write(value));

export const whole = or((value) => WHOLE.format(value));
export const compact = or((value) => COMPACT.format(value));
export const rate = or((value) => value.toFixed(3));
export const percent = or((value) => `${(100 * value).toFixed(1)} %`);
export const milliseconds = or((value) => `${THREE.format(value)} ms`);
export const short = or((value) => THREE.format(value));

// "0.913 (0.88 to 0.94)"
export function interval(estimate) {
  if (!estimate || estimate.value === null) return NOTHING;
  if (estimate.low === null) return rate(estimate.value);
  return `${rate(estimate.value)} (${estimate.low.toFixed(2)} to ${estimate.high.toFixed(2)})`;
}

// 300 → "5 min"
export function duration(seconds) {
  const units = [[86400, "d"], [3600, "h"], [60, "min"]];
  const [length, unit] = units.find(([each]) => seconds >= each) ?? [1, "s"];
  return `${THREE.format(seconds / length)} ${unit}`;
}
