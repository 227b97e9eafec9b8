// What each task is asked with at first, and how Hugging Face's client names the same call. Pure.

const SENTENCES = { source_sentence: "A warm, funny film.", sentences: ["I laughed a lot.", "The parcel came late."] };
const QUESTION = { question: "When did it come?", context: "The parcel came a week late and the box was broken." };

const TASKS = {
  "text-classification": { method: "text_classification", parameters: { top_k: null } },
  "zero-shot-classification": { method: "zero_shot_classification", parameters: { candidate_labels: ["film", "delivery"] } },
  "token-classification": { method: "token_classification" },
  "fill-mask": { method: "fill_mask" },
  "feature-extraction": { method: "feature_extraction", parameters: { normalize: true } },
  "sentence-similarity": { method: "sentence_similarity", input: SENTENCES },
  "question-answering": { method: "question_answering", input: QUESTION },
};

// { method, parameters, input }: `input` only where a text alone is not enough.
export function taskOf(name) {
  return { method: "", parameters: {}, input: null, ...TASKS[name] };
}

// A text, or what it spells where the task takes objects.
export function readInput(task, text) {
  if (!taskOf(task).input || !text.trim().startsWith("{")) return text;
  return JSON.parse(text);
}

export function readParameters(text) {
  const value = JSON.parse(text.trim() || "{}");
  if (value === null || typeof value !== "object" || Array.isArray(value)) throw new SyntaxError("they must be one object");
  return value;
}
