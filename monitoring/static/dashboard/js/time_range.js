// What is looked at: a range of time, a version, a segment. It lives in the page's address, so that
// a link leads to the same view.

export const PRESETS = [
  ["15m", "15 min", 15 * 60],
  ["1h", "1 h", 3600],
  ["6h", "6 h", 6 * 3600],
  ["24h", "24 h", 24 * 3600],
  ["7d", "7 d", 7 * 86400],
  ["30d", "30 d", 30 * 86400],
  ["1y", "1 y", 365 * 86400],
];
export const DEFAULT_RANGE = "24h";
const LENGTHS = new Map(PRESETS.map(([key, , length]) => [key, length]));
const MINUTE = 60;

function seconds(text) {
  const at = Date.parse(text ?? "");
  return Number.isFinite(at) ? at / 1000 : null;
}

// { range } or { from, to } in epoch seconds, and { version, segment }, null where not narrowed.
export function readView(search) {
  const query = new URLSearchParams(search);
  const from = seconds(query.get("from"));
  const to = seconds(query.get("to"));
  const version = /^[1-9]\d{0,8}$/.test(query.get("version") ?? "") ? query.get("version") : null;
  const rest = { version, segment: query.get("segment") };
  if (from !== null && to !== null && from < to) return { ...wholeMinutes(from, to), ...rest };
  const range = query.get("range");
  return { range: LENGTHS.has(range) ? range : DEFAULT_RANGE, ...rest };
}

export function writeView(view) {
  const query = new URLSearchParams();
  if (view.range) query.set("range", view.range);
  else {
    query.set("from", isoTime(view.from));
    query.set("to", isoTime(view.to));
  }
  if (view.version) query.set("version", view.version);
  if (view.segment !== null) query.set("segment", view.segment);
  return `?${query}`;
}

// The API judges whole minutes; a zoom never gets narrower than one.
export function wholeMinutes(from, to) {
  const start = Math.floor(from / MINUTE) * MINUTE;
  return { from: start, to: Math.max(Math.ceil(to / MINUTE) * MINUTE, start + MINUTE) };
}

// The seconds that `view` shows; it follows the clock where it ends now.
export function windowOf(view, now) {
  if (!view.range) return { from: view.from, to: view.to, isLive: false };
  return { from: now - LENGTHS.get(view.range), to: now, isLive: true };
}

// The query that asks the API for `view`.
export function queryOf(view, now, extra = {}) {
  const { from, to, isLive } = windowOf(view, now);
  const query = new URLSearchParams({ from: isoTime(from), ...extra });
  if (!isLive) query.set("to", isoTime(to));
  if (view.version) query.set("version", view.version);
  if (view.segment !== null) query.set("segment", view.segment);
  return query;
}

export function isoTime(at) {
  return new Date(Math.floor(at) * 1000).toISOString().replace(".000Z", "Z");
}

// What a datetime-local field holds: local time, to the minute.
export function fieldTime(at) {
  const date = new Date(at * 1000);
  return new Date(date - date.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
}

const DATE_TIME = new Intl.DateTimeFormat("en-GB", {
  day: "2-digit", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit",
});
const DAY_TIME = new Intl.DateTimeFormat("en-GB", {
  day: "2-digit", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit",
});

export function showTime(at, withSeconds = true) {
  return (withSeconds ? DATE_TIME : DAY_TIME).format(new Date(at * 1000));
}

export function zoneName() {
  return Intl.DateTimeFormat().resolvedOptions().timeZone;
}
