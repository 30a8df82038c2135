// One file on its way to the server and through it: sending, decode, predict, store.

import { headers, sceneOf, sentenceOf, uploadUrl } from "./api.js";

const SENDING_SHARE = 0.15; // of the bar; the rest follows the server's Progress

export const STAGES = {
  sending: "Sending the file",
  decode: "Reading the photo",
  predict: "Building the place",
  store: "Keeping it",
};

export class Upload {
  #request = new XMLHttpRequest(); // fetch() cannot tell how much was sent
  #onProgress;
  #fraction = 0;
  job = newJob();

  // onProgress(stage, fraction) hears of every step; `stage` is a key of STAGES.
  constructor(file, onProgress) {
    this.file = file;
    this.#onProgress = onProgress;
  }

  // The stored scene. Throws an Error with the sentence to show, or null when it was cancelled.
  send() {
    const request = this.#request;
    return new Promise((resolve, reject) => {
      request.upload.onprogress = ({ loaded, total }) => this.#step("sending", sent(loaded, total));
      request.onload = () => settle(request, resolve, reject);
      request.onerror = () => reject(new Error("The connection broke while the file was sent."));
      request.onabort = () => reject(null);
      request.open("POST", uploadUrl(this.file.name || "pasted.png", this.job));
      for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
      this.#step("sending", 0);
      request.send(this.file);
    });
  }

  // A Progress message of the server, of this job or of another.
  hear({ job, stage, fraction }) {
    if (job === this.job && stage in STAGES) this.#step(stage, served(fraction));
  }

  cancel() {
    this.#request.abort();
  }

  // Never back: the last event of sending may come after the first Progress.
  #step(stage, fraction) {
    if (fraction < this.#fraction) return;
    this.#fraction = fraction;
    this.#onProgress(stage, fraction);
  }
}

export const sent = (loaded, total) => (total ? (SENDING_SHARE * loaded) / total : 0);
export const served = (fraction) => SENDING_SHARE + (1 - SENDING_SHARE) * fraction;

function settle(request, resolve, reject) {
  if (request.status !== 201) {
    reject(new Error(sentenceOf(request.responseText, request.status)));
    return;
  }
  try {
    resolve(sceneOf(request.responseText));
  } catch (error) {
    reject(error);
  }
}

// crypto.randomUUID() is missing on pages that come over plain http from the network.
function newJob() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
