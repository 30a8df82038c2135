// Which scene is on the stage, and which one was asked for. The server shows its newest scene to every new
// session; the page's address (#id) or what was shown before an interruption may want another one.

/** @typedef {import("./wire.js").Scene} Scene */

export class Showing {
  #select;
  #onEnter;
  #onLeave;
  #isFresh = true; // no list has come in this session
  /** @type {string | null} */
  #wanted; // id that was asked for and is not ready yet, or null
  /** @type {Scene | null} */
  current = null;

  /**
   * @param {object} parts
   * @param {string} parts.favourite id, or nothing
   * @param {(id: string) => void} parts.select asks the server
   * @param {(scene: Scene, isOther: boolean) => void} parts.onEnter hears what the stage shall show
   * @param {() => void} parts.onLeave that it is nothing
   */
  constructor({ favourite, select, onEnter, onLeave }) {
    this.#wanted = favourite || null;
    this.#select = select;
    this.#onEnter = onEnter;
    this.#onLeave = onLeave;
  }

  // A new session has begun.
  welcomed() {
    this.#isFresh = true;
    this.#wanted = this.current?.id ?? this.#wanted;
  }

  /** @param {Scene[]} scenes */
  listed(scenes) {
    const find = (/** @type {string} */ id) => scenes.find((scene) => scene.id === id) ?? null;
    if (this.#isFresh) {
      this.#isFresh = false;
      if (this.#wanted !== null && find(this.#wanted)) this.#select(this.#wanted);
      else this.#wanted = null;
    } else if (!this.current && this.#wanted === null && scenes.length) {
      this.ask(scenes[0].id); // the first scene of an empty gallery: the server shows new ones to nobody
    }
    if (!this.current) return;
    this.current = find(this.current.id); // its name may be new
    if (!this.current) this.#onLeave();
  }

  /** @param {string} id */
  ask(id) {
    this.#wanted = id;
    this.#select(id);
  }

  /** @param {Scene} scene */
  ready(scene) {
    if (this.#wanted !== null && this.#wanted !== scene.id) return; // another one is on its way
    const isOther = scene.id !== this.current?.id;
    this.#wanted = null;
    this.current = scene;
    this.#onEnter(scene, isOther);
  }

  // Nothing is to be shown, though the server still has it.
  leave() {
    this.current = null;
    this.#wanted = null;
    this.#onLeave();
  }

  // What was asked for cannot be shown; the stage stays as it is.
  refused() {
    this.#wanted = null;
  }
}
