// Deleting a scene, with some seconds to take it back. Nothing is sent before they are over.

import { deleteScene, sentenceFor } from "./api.js";

/** @typedef {import("./wire.js").Scene} Scene */

export class Removal {
  /**
   * @param {object} parts
   * @param {import("./toast.js").Toast} parts.toast
   * @param {import("./gallery.js").Gallery} parts.gallery
   * @param {(scene: Scene) => void} parts.onAway hears that a scene is out of sight
   * @param {(scene: Scene) => void} parts.onBack that it is there again
   */
  constructor({ toast, gallery, onAway, onBack }) {
    this.toast = toast;
    this.gallery = gallery;
    this.onAway = onAway;
    this.onBack = onBack;
    addEventListener("pagehide", () => toast.end()); // what waits for its undo happens now
  }

  /** @param {Scene} scene */
  begin(scene) {
    this.gallery.hide(scene.id);
    this.toast.show(`Deleted “${scene.name}”.`, {
      button: "Undo",
      onPress: () => this.#restore(scene),
      onGone: () => this.#finish(scene),
    });
    this.onAway(scene);
  }

  /** @param {Scene} scene */
  #restore(scene) {
    this.gallery.unhide(scene.id);
    this.onBack(scene);
  }

  /** @param {Scene} scene */
  async #finish(scene) {
    try {
      await deleteScene(scene.id);
    } catch (error) {
      this.#restore(scene);
      this.toast.show(sentenceFor(error));
    }
  }
}
