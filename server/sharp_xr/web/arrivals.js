// Files that came in, sent one after another; the card shows the one on its way. What is on the stage stays.

import { ProtocolError } from "./wire.js";
import { Upload } from "./upload.js";

export class Arrivals {
  #waiting = [];
  #upload = null;
  #count = 0; // files of this batch that were begun
  #failed = []; // [name, sentence] of this batch: told when it is through, so that the next file hides nothing

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
    if (!file) {
      this.#finish();
      return;
    }
    this.#upload = new Upload(file, (stage, fraction) => this.card.step(stage, fraction));
    this.card.begin(file, this.#title(file), () => this.#upload.cancel());
    try {
      this.onScene(await this.#upload.send());
    } catch (error) {
      this.#note(file, error);
    }
    this.#upload = null;
    this.#next();
  }

  #title(file) {
    this.#count += 1;
    const all = this.#count + this.#waiting.length;
    return all > 1 ? `${nameOf(file)} (${this.#count} of ${all})` : nameOf(file);
  }

  #note(file, error) {
    if (error === null) return; // cancelled
    this.#failed.push([nameOf(file), error.message]);
    const isTold = error instanceof ProtocolError || error.name === "Error";
    if (!isTold) reportError(error); // a fault of the page: to the console as well, and the next file goes on
  }

  #finish() {
    const failed = this.#failed;
    [this.#count, this.#failed] = [0, []];
    if (failed.length === 0) this.card.hide();
    else if (failed.length === 1) this.card.fail(...failed[0]);
    else {
      const lines = failed.map(([name, sentence]) => `${name}: ${sentence}`);
      this.card.fail(`${failed.length} files were not taken`, lines.join("\n"));
    }
  }
}

function nameOf(file) {
  return file.name || "Pasted picture";
}
