// The code for one call, in four ways. Pure: data in, text out. Whatever a text holds, each language
// reads it back as it was.

import { taskOf } from "./tasks.js";

const KEY = "BELLWETHER_API_KEY";

// In single quotes a shell reads everything as it stands but the quote itself.
export function shellQuoted(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

// JSON without what some terminals and editors take for the end of a line.
export function jsonText(value) {
  return JSON.stringify(value).replace(/[\u007f-\u009f\u2028\u2029]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

// Python reads JSON's strings as they are; only three words are spelled otherwise.
export function pythonLiteral(value) {
  if (value === null) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (Array.isArray(value)) return `[${value.map(pythonLiteral).join(", ")}]`;
  if (typeof value === "object") {
    const pairs = Object.entries(value).map(([name, each]) => `${jsonText(name)}: ${pythonLiteral(each)}`);
    return `{${pairs.join(", ")}}`;
  }
  return jsonText(value);
}

export function curl({ base, model, body, pin }) {
  const lines = [
    `curl -sS ${shellQuoted(predictUrl(base, model))}`,
    `-H "X-API-Key: $${KEY}"`,
    `-H 'Content-Type: application/json'`,
  ];
  if (pin) lines.push(`-H 'X-Model-Pin: ${pin}'`);
  lines.push(`--data-raw ${shellQuoted(jsonText(body))}`);
  return lines.join(" \\\n  ");
}

export function inferenceClient({ base, model, task, body, pin, labels }) {
  const headers = pin ? `,\n    headers={"X-Model-Pin": "${pin}"}` : "";
  const made = [
    "import os",
    "",
    "from huggingface_hub import InferenceClient",
    "",
    "client = InferenceClient(",
    `    model=${jsonText(`${base}/models/${model}`)},`,
    `    token=os.environ["${KEY}"]${headers},`,
    ")",
  ];
  const { method } = taskOf(task);
  const call = (text) => `client.${method}(${text}${keywords(body.parameters, labels)})`;
  if (!Array.isArray(body.inputs)) {
    return [...made, `print(${call(inputArguments(body.inputs))})`].join("\n");
  }
  return [...made, `for text in ${pythonLiteral(body.inputs)}:`, `    print(${call("text")})`].join("\n");
}

// A question and its context have names in Python, too; a comparison comes in order.
function inputArguments(input) {
  if (typeof input === "string") return pythonLiteral(input);
  if ("source_sentence" in input) return `${pythonLiteral(input.source_sentence)}, ${pythonLiteral(input.sentences)}`;
  return Object.entries(input).map(([name, value]) => `${name}=${pythonLiteral(value)}`).join(", ");
}

// The client has no null: all labels are as many as the version has.
function keywords(parameters, labels) {
  return Object.entries(parameters)
    .map(([name, value]) => [name, name === "top_k" && value === null ? labels : value])
    .filter(([name, value]) => value !== null && !(name === "top_k" && value === 0))
    .map(([name, value]) => `, ${name}=${pythonLiteral(value)}`)
    .join("");
}

export function httpx({ base, model, body, pin }) {
  const pinned = pin ? `, "X-Model-Pin": "${pin}"` : "";
  return [
    "import os",
    "",
    "import httpx",
    "",
    "answer = httpx.post(",
    `    ${jsonText(predictUrl(base, model))},`,
    `    headers={"X-API-Key": os.environ["${KEY}"]${pinned}},`,
    `    json=${pythonLiteral(body)},`,
    "    timeout=30,",
    ")",
    "answer.raise_for_status()",
    "print(answer.json())",
  ].join("\n");
}

export function javascript({ base, model, body, pin }) {
  const pinned = pin ? `\n    "X-Model-Pin": "${pin}",` : "";
  return [
    `const answer = await fetch(${jsonText(predictUrl(base, model))}, {`,
    `  method: "POST",`,
    "  headers: {",
    `    "X-API-Key": process.env.${KEY},`,
    `    "Content-Type": "application/json",${pinned}`,
    "  },",
    `  body: JSON.stringify(${jsonText(body)}),`,
    "});",
    "if (!answer.ok) throw new Error(await answer.text());",
    "console.log(JSON.stringify(await answer.json(), null, 2));",
  ].join("\n");
}

export const LANGUAGES = [
  { id: "curl", title: "curl", write: curl },
  { id: "client", title: "Python (InferenceClient)", write: inferenceClient },
  { id: "httpx", title: "Python (httpx)", write: httpx },
  { id: "javascript", title: "JavaScript", write: javascript },
];

function predictUrl(base, model) {
  return `${base}/api/v1/models/${model}/predict`;
}
