// The theme's colours for whatever draws by itself, and a call when light and dark change.

export function color(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--bw-${name}`).trim();
}

// The colour of a series: always the same for the same position.
export function seriesColor(index) {
  return color(`series-${(index % 6) + 1}`);
}

export function onThemeChange(redraw) {
  const observer = new MutationObserver(redraw);
  observer.observe(document.documentElement, { attributes: true, attributeFilter: ["class"] });
  return () => observer.disconnect();
}
