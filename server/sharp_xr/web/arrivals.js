// Files that came in, sent one after another; the card shows the one on its way. What is on the stage stays.

import { ProtocolError } from "./wire.js";
import { Upload } from "./upload.js";

export class Arrivals {
  #waiting = [];
  #upload = null;
  #count = 0; // files of this batch that were begun

  // onScene(scene) gets every scene that is stored.
  constructor({ card, onScene }) {
    this.card = card;
    this.onScene = onScene;
  }

  add(files) {
    this.#waiting.push(...files);
    if (!this.#upload) this.#next();
  }

  // A Progress message of the server.
  hear(progress) {
    this.#upload?.hear(progress);
  }

  async #next() {
    const file = this.#waiting.shift();
    if (!file) return;
    this.#upload = new Upload(file, (stage, fraction) => this.card.step(stage, fraction));
    this.card.begin(file, this.#title(file), () => this.#upload.cancel());
    try {
      const scene = await this.#upload.send();
      this.card.hide();
      this.onScene(scene);
    } catch (error) {
      this.#fail(file, error);
    }
    this.#upload = null;
    if (!this.#waiting.length) this.#count = 0;
    this.#next();
  }

  #title(file) {
    this.#count += 1;
    const all = this.#count + this.#waiting.length;
    const name = file.name || "Pasted picture";
    return all > 1 ? `${name} (${this.#count} of ${all})` : name;
  }

  #fail(file, error) {
    if (error === null) this.card.hide(); // cancelled
    else if (error instanceof ProtocolError || error.name === "Error") {
      this.card.fail(file.name || "Pasted picture", error.message);
    } else throw error;
  }
}
