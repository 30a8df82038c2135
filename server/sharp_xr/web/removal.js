// Deleting a scene, with some seconds to take it back. Nothing is sent before they are over.

import { deleteScene } from "./api.js";

export class Removal {
  // onAway(scene) hears that a scene is out of sight, onBack(scene) that it is there again.
  constructor({ toast, gallery, onAway, onBack }) {
    this.toast = toast;
    this.gallery = gallery;
    this.onAway = onAway;
    this.onBack = onBack;
    addEventListener("pagehide", () => toast.end()); // what waits for its undo happens now
  }

  begin(scene) {
    this.gallery.hide(scene.id);
    this.toast.show(`Deleted “${scene.name}”.`, {
      button: "Undo",
      onPress: () => this.#restore(scene),
      onGone: () => this.#finish(scene),
    });
    this.onAway(scene);
  }

  #restore(scene) {
    this.gallery.unhide(scene.id);
    this.onBack(scene);
  }

  async #finish(scene) {
    try {
      await deleteScene(scene.id);
    } catch (error) {
      this.#restore(scene);
      this.toast.show(error.message);
    }
  }
}
