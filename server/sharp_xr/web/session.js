// A session with the server: the WebSocket, the video that it arranges, and who hears what comes.

import { asSentence, sessionUrl, whyKeptOut } from "./api.js";
import { Connection } from "./connection.js";
import { displayOf, isWorthAsking } from "./display.js";
import { Receiver } from "./receiver.js";

/** @typedef {import("./display.js").Display} Display */
/** @typedef {import("./wire.js").FromServer} FromServer */
/**
 * @typedef {{[Kind in FromServer["type"]]?: (message: import("./wire.js").Told<Kind>) => void}} Hearers
 *   Who hears a message of each kind; the answers to the video's own are heard here.
 */

export class Session {
  #hearers;
  #onState;
  #area;
  /** @type {Display | null} */
  #worn = null; // a headset's
  /** @type {Display | null} */
  #told = null; // as the server knows it
  /** @type {import("./wire.js").Told<"welcome"> | null} */
  welcome = null; // the server's, of this session
  trouble = ""; // why there is no connection

  /**
   * @param {object} parts
   * @param {HTMLElement} parts.area the picture is shown in it
   * @param {Hearers} parts.hearers
   * @param {() => void} parts.onState `state` or `trouble` is another
   * @param {(track: MediaStreamTrack) => void} parts.onTrack
   * @param {(sentence: string) => void} parts.onTrouble with the video, and what a person can do
   * @param {import("./carried.js").CarriedKeys} parts.carried
   */
  constructor({ area, hearers, onState, onTrack, onTrouble, carried }) {
    this.#area = area;
    this.#hearers = hearers;
    this.#onState = onState;
    this.connection = new Connection({
      url: sessionUrl(),
      hello: () => this.#hello(),
      onState: (state, sentence) => this.#changed(state, sentence),
      onMessage: (message) => this.#hear(message),
      whyKeptOut,
    });
    this.receiver = new Receiver({ send: (message) => this.send(message), onTrack, onTrouble, carried });
  }

  get state() {
    return this.connection.state;
  }

  start() {
    this.connection.start();
  }

  /** @param {import("./wire.js").FromClient} message */
  send(message) {
    this.connection.send(message);
  }

  /**
   * Frames are shown on a headset's display from now on; null: on the page's. Where the server would send others for it,
   * a new session begins, for a Hello is said once.
   * @param {Display | null} worn
   */
  wear(worn) {
    this.#worn = worn;
    if (!this.welcome || !this.#told || this.state !== "live") return;
    if (isWorthAsking(this.#told, this.welcome.video, this.#display)) this.connection.renew();
  }

  get #display() {
    return this.#worn ?? displayOf(this.#area, devicePixelRatio);
  }

  /** @returns {ReturnType<ConstructorParameters<typeof Connection>[0]["hello"]>} */
  #hello() {
    this.#told = this.#display;
    return {
      agent: `page (${navigator.userAgent})`,
      kind: "browser",
      capabilities: ["depth", "overscan", "quality"],
      display: this.#told,
    };
  }

  /** @param {FromServer} message */
  #hear(message) {
    switch (message.type) {
      case "answer":
        return this.receiver.answer(message.sdp);
      case "candidate":
        return this.receiver.addCandidate(message);
      case "ice_restart":
        return this.receiver.start();
      case "welcome":
        this.welcome = message;
    }
    const hearer = /** @type {((message: FromServer) => void) | undefined} */ (this.#hearers[message.type]);
    if (!hearer) throw new Error(`${message.type} is of the protocol, but not for a page`);
    hearer(message);
    if (message.type === "welcome") return this.receiver.start();
    return undefined;
  }

  /**
   * @param {import("./connection.js").State} state
   * @param {string} sentence
   */
  #changed(state, sentence) {
    this.trouble = sentence && asSentence(sentence);
    if (state !== "live") this.receiver.stop(); // also an offer that is on its way
    this.#onState();
  }
}
