// Requests to /api/v1 in the name of whoever is signed in: the session's cookie, and for writes the
// CSRF token that the page carries.

export class ApiError extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

function csrfToken() {
  return document.cookie.split("; ").find((pair) => pair.startsWith("csrftoken="))?.slice(10) ?? "";
}

// The decoded answer; `options` are fetch's, `json` a body. Throws ApiError, also when offline.
export async function api(path, { json, headers = {}, timeoutMs = 20000, ...options } = {}) {
  const asks = { credentials: "same-origin", signal: AbortSignal.timeout(timeoutMs), ...options };
  asks.headers = { Accept: "application/json", ...headers };
  if (json !== undefined) {
    asks.method ??= "POST";
    asks.body = JSON.stringify(json);
    asks.headers["Content-Type"] = "application/json";
  }
  if (asks.method && asks.method !== "GET") asks.headers["X-CSRFToken"] = csrfToken();
  let answer;
  try {
    answer = await fetch(path, asks);
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new ApiError(0, "unreachable", "The server does not answer. Is it still running?");
  }
  const type = answer.headers.get("Content-Type") ?? "";
  const body = type.includes("json") ? await answer.json() : null;
  if (!answer.ok) {
    const told = body?.error ?? {};
    throw new ApiError(answer.status, told.code ?? "http", told.message ?? `HTTP ${answer.status}`);
  }
  return body;
}
