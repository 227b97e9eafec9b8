// One person's walk through a labelling queue: what is shown, what was said, what may be taken back.
// The last act is held back: it is sent when the next one is made, after eight seconds, or when the
// page goes. Until then taking it back sends nothing; an earlier one is revised by another label.

export const HELD_MS = 8000;
const FEW = 3;
const BATCH = 5;
const MOST_TAKEN = 20;
const LONGEST_S = 120;
const TIMED = 20;

export class Session {
  // `take(limit)` and `send(act, { keepalive })` are promises; `changed(session, said)` redraws, and
  // `said` is a sentence for who cannot see it. `failed(error, act)` tells what was not sent.
  constructor({ take, send, changed, failed }) {
    Object.assign(this, { take, send, changed, failed });
    this.waiting = [];
    this.acts = [];
    this.unsent = [];
    this.seen = new Set();
    this.current = null;
    this.back = null;
    this.held = null;
    this.timer = 0;
    this.line = Promise.resolve();
    this.isFilling = false;
    this.open = 0;
    this.withoutText = 0;
    this.seconds = [];
    this.shownAt = 0;
    this.last = null;
  }

  // What was said of the current item before, where somebody has gone back to it.
  get earlier() {
    return this.back === null ? null : this.acts[this.back];
  }

  get labelled() {
    return this.acts.filter((act) => act.kind === "label").length;
  }

  get pace() {
    const recent = this.seconds.slice(-TIMED);
    return recent.length ? recent.reduce((sum, one) => sum + one, 0) / recent.length : null;
  }

  async fill() {
    if (this.isFilling) return;
    this.isFilling = true;
    try {
      const held = this.waiting.length + Number(this.current !== null) + Number(this.held !== null);
      const taken = await this.take(Math.min(MOST_TAKEN, held + BATCH));
      for (const item of taken.results) {
        if (this.seen.has(item.prediction_id)) continue;
        this.seen.add(item.prediction_id);
        this.waiting.push(item);
      }
      this.open = Math.max(0, taken.n_open - Number(this.held !== null && !this.held.before));
      this.withoutText = taken.n_without_text;
    } catch (error) {
      this.failed(error, null);
    } finally {
      this.isFilling = false;
    }
    if (this.current === null) this.#show(this.waiting.shift() ?? null, "");
    else this.changed(this, "");
  }

  label(label) {
    if (this.current) this.#act({ item: this.current, kind: "label", label }, `You said ${label}.`);
  }

  // Passes on; what has its label already keeps it.
  skip() {
    if (!this.current) return;
    if (this.earlier?.kind === "label") this.#forward("It stays as it was.");
    else this.#act({ item: this.current, kind: "skip", label: null }, "Skipped.");
  }

  undo() {
    const index = (this.back ?? this.acts.length) - 1;
    if (index < 0) return this.changed(this, "There is nothing to take back.");
    if (this.back === null && this.current) this.waiting.unshift(this.current);
    const act = this.acts[index];
    const isHeld = act === this.held;
    if (isHeld) this.#release();
    if (isHeld && !act.before) {
      this.acts.splice(index, 1);
      this.back = null;
      this.open += 1;
    } else {
      if (isHeld) this.acts[index] = act.before;
      this.back = index;
    }
    const said = this.earlier;
    const what = said === null ? "Taken back; nothing was sent." : `Gone back. ${told(said)}`;
    this.#show(act.item, what);
  }

  // Sends what is held back; at the end of a page so that it outlives it.
  flush({ keepalive = false } = {}) {
    const acts = [...this.unsent.splice(0), ...(this.held ? [this.held] : [])];
    this.#release();
    for (const act of acts) {
      if (keepalive) this.#post(act, true);
      else this.line = this.line.then(() => this.#post(act, false));
    }
  }

  // The ids that others may have now.
  giveUp() {
    const items = [...this.waiting.splice(0), ...(this.current ? [this.current] : [])];
    for (const item of items) this.seen.delete(item.prediction_id);
    this.current = this.back === null ? null : this.current;
    return items.map((item) => item.prediction_id);
  }

  #act(act, said) {
    this.flush();
    const passed = (performance.now() - this.shownAt) / 1000;
    if (this.back === null) {
      this.acts.push(act);
      this.open = Math.max(0, this.open - 1);
      this.seconds.push(Math.min(LONGEST_S, passed));
    } else {
      act.before = this.earlier;
      this.acts[this.back] = act;
    }
    this.held = act;
    this.timer = setTimeout(() => this.flush(), HELD_MS);
    this.#forward(said);
  }

  #forward(said) {
    if (this.back !== null && this.back + 1 < this.acts.length) {
      this.back += 1;
      this.#show(this.acts[this.back].item, `${said} ${told(this.acts[this.back])}`);
      return;
    }
    this.back = null;
    this.#show(this.waiting.shift() ?? null, said);
    if (this.waiting.length < FEW) this.fill();
  }

  #show(item, said) {
    this.current = item;
    this.shownAt = performance.now();
    this.changed(this, item ? `${said} ${item.text}` : said);
  }

  #release() {
    clearTimeout(this.timer);
    this.held = null;
  }

  async #post(act, keepalive) {
    try {
      await this.send(act, { keepalive });
      if (act.kind === "label") this.last = act;
      this.changed(this, "");
    } catch (error) {
      const isOver = error.status >= 400 && error.status < 500 && ![401, 403, 408, 429].includes(error.status);
      if (!isOver) this.unsent.push(act);
      this.failed(error, act);
    }
  }
}

function told(act) {
  return act.kind === "skip" ? "You skipped it." : `You said ${act.label}.`;
}
