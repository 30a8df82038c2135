// The WebSocket of a session: Hello and Welcome, messages both ways, and coming back after the server
// or the network was away.
//
//     connecting -> live <-> away     away lasts until the server welcomes again
//                -> outdated          another version of the protocol: the page must be reloaded

import { waitBefore } from "./backoff.js";
import { VersionError, decodeMessage, encodeMessage } from "./wire.js";

// A pose that waits in the socket is worth nothing when the next one comes.
const FULL_BYTES = 4096;
const AWAY = "The server is away. Trying again…";

/** @typedef {"connecting" | "live" | "away" | "outdated"} State */
/** @typedef {import("./wire.js").FromServer} FromServer */
/** @typedef {import("./wire.js").FromClient} FromClient */

export class Connection {
  #url;
  #hello;
  #onState;
  #onMessage;
  #whyKeptOut;
  /** @type {WebSocket | null} */
  #socket = null;
  #attempt = 0;
  /** @type {ReturnType<typeof setTimeout> | null} */
  #timer = null;
  #farewell = ""; // the reason in the server's Bye
  #refusal = ""; // the reason why it let no WebSocket in
  /** @type {State} */
  state = "connecting";

  /**
   * @param {object} parts
   * @param {string | URL} parts.url
   * @param {() => Omit<Extract<FromClient, {type: "hello"}>, "type">} parts.hello
   * @param {(state: State, sentence: string) => void} parts.onState
   * @param {(message: FromServer) => void} parts.onMessage also of Welcome
   * @param {() => Promise<string>} parts.whyKeptOut asks the server for the sentence with which it refuses this page
   */
  constructor({ url, hello, onState, onMessage, whyKeptOut }) {
    this.#url = url;
    this.#hello = hello;
    this.#onState = onState;
    this.#onMessage = onMessage;
    this.#whyKeptOut = whyKeptOut;
  }

  // Once; from then on it comes back by itself.
  start() {
    addEventListener("online", () => this.#timer && this.#open());
    addEventListener("pagehide", () => this.send({ type: "bye", reason: "The page was closed." }));
    this.#enter("connecting", "");
    this.#open();
  }

  /** Another session, with another Hello; at once. */
  renew() {
    if (!this.#socket) return;
    this.send({ type: "bye", reason: "The page begins anew." });
    this.#socket.onclose = this.#socket.onmessage = () => {};
    this.#socket.close();
    this.#enter("connecting", "");
    this.#open();
  }

  #open() {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#farewell = "";
    const socket = new WebSocket(this.#url);
    socket.binaryType = "arraybuffer";
    let wasOpen = false;
    socket.onopen = () => {
      wasOpen = true;
      this.send({ type: "hello", ...this.#hello() });
    };
    socket.onmessage = (event) => this.#receive(event.data);
    socket.onclose = () => this.#lost(wasOpen);
    this.#socket = socket;
  }

  /** @param {FromClient} message */
  send(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(encodeMessage(message));
  }

  // Whether a pose sent now would wait behind others.
  get isFull() {
    return (this.#socket?.bufferedAmount ?? 0) > FULL_BYTES;
  }

  /** @param {ArrayBuffer | string} data */
  #receive(data) {
    const arrival = performance.now();
    let message;
    try {
      if (typeof data === "string") throw new Error("a text message, wanted a binary one");
      message = decodeMessage(new Uint8Array(data));
    } catch (error) {
      this.#refuse(error);
      return;
    }
    if (message.type === "ping") {
      const clock_ns = BigInt(Math.round(arrival * 1e6));
      this.send({ type: "pong", sent_ns: message.sent_ns, clock_ns });
    } else if (message.type === "bye") {
      this.#farewell = message.reason;
    } else {
      if (message.type === "welcome") {
        this.#attempt = 0;
        this.#refusal = "";
        this.#enter("live", "");
      }
      this.#onMessage(message);
    }
  }

  /** @param {unknown} error */
  #refuse(error) {
    const reason = error instanceof Error ? error.message : String(error);
    this.send({ type: "bye", reason });
    if (error instanceof VersionError) this.#enter("outdated", reason);
    else this.#farewell = `The server sent what this page cannot read: ${reason}.`;
    this.#socket?.close();
  }

  /** @param {boolean} wasOpen */
  #lost(wasOpen) {
    if (this.state === "outdated") return;
    const wait = waitBefore(this.#attempt++);
    this.#enter("away", this.#farewell || this.#refusal || AWAY);
    this.#timer = setTimeout(() => this.#open(), wait);
    if (!wasOpen) this.#askWhy();
  }

  // The server may be there and not let this page in, having started again with another token.
  async #askWhy() {
    const before = this.#refusal;
    this.#refusal = await this.#whyKeptOut();
    if (this.#refusal !== before && this.state === "away") this.#enter("away", this.#refusal || AWAY);
  }

  /**
   * @param {State} state
   * @param {string} sentence
   */
  #enter(state, sentence) {
    this.state = state;
    this.#onState(state, sentence);
  }
}
