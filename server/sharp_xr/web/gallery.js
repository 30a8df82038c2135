// The strip of earlier scenes. It shows what the server's list says; the doings go to `handlers`.

import { plyUrl, thumbnailUrl } from "./api.js";
import { count, date } from "./format.js";
import { part } from "./parts.js";

/** @typedef {import("./wire.js").Scene} Scene */
/**
 * @typedef {object} Handlers
 * @property {(scene: Scene) => void} show
 * @property {(scene: Scene, name: string) => void} rename
 * @property {(scene: Scene) => void} remove
 */

export class Gallery {
  /** @type {Map<string, Tile>} */
  #tiles = new Map(); // by the scene's id
  /** @type {Scene[]} */
  #scenes = [];
  /** @type {Set<string>} */
  #hidden = new Set(); // deleted on this page, while it can be undone
  /** @type {string | null} */
  #current = null;

  /**
   * @param {object} parts
   * @param {HTMLElement} parts.list
   * @param {HTMLTemplateElement} parts.template of a tile
   * @param {Handlers} parts.handlers
   */
  constructor({ list, template, handlers }) {
    this.list = list;
    this.template = template;
    this.handlers = handlers;
  }

  // The scenes that can be seen, newest first.
  get scenes() {
    return this.#scenes.filter((scene) => !this.#hidden.has(scene.id));
  }

  /** @param {Scene[]} scenes newest first */
  setScenes(scenes) {
    this.#scenes = scenes;
    this.#render();
  }

  /** @param {string | null} id */
  setCurrent(id) {
    const isOther = id !== this.#current;
    this.#current = id;
    this.#render();
    if (!isOther || id === null) return;
    this.#tiles.get(id)?.element.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  /** @param {string} id */
  hide(id) {
    this.#hidden.add(id);
    this.#render();
  }

  /** @param {string} id */
  unhide(id) {
    this.#hidden.delete(id);
    this.#render();
  }

  // Tiles are kept, so that focus and a name being typed survive a new list.
  #render() {
    const scenes = this.scenes;
    const ids = new Set(scenes.map((scene) => scene.id));
    for (const [id, tile] of this.#tiles) {
      if (!ids.has(id)) {
        tile.element.remove();
        this.#tiles.delete(id);
      }
    }
    scenes.forEach((scene, index) => {
      const tile = this.#tiles.get(scene.id) ?? this.#make(scene);
      tile.update(scene, scene.id === this.#current);
      const there = this.list.children[index];
      if (there !== tile.element) this.list.insertBefore(tile.element, there ?? null);
    });
  }

  /** @param {Scene} scene */
  #make(scene) {
    const tile = new Tile(this.template, scene, this.handlers);
    this.#tiles.set(scene.id, tile);
    return tile;
  }
}

class Tile {
  /**
   * @param {HTMLTemplateElement} template
   * @param {Scene} scene
   * @param {Handlers} handlers
   */
  constructor(template, scene, handlers) {
    this.scene = scene;
    this.handlers = handlers;
    const [first] = template.content.children;
    this.element = /** @type {HTMLElement} */ (first.cloneNode(true));
    this.open = part(this.element, "open", HTMLButtonElement);
    this.name = part(this.element, "name", HTMLElement);
    this.facts = part(this.element, "facts", HTMLElement);
    this.field = part(this.element, "field", HTMLInputElement);
    this.buttons = {
      rename: part(this.element, "rename", HTMLButtonElement),
      download: part(this.element, "download", HTMLAnchorElement),
      remove: part(this.element, "remove", HTMLButtonElement),
    };
    this.element.dataset.scene = scene.id;
    const picture = part(this.element, "picture", HTMLImageElement);
    picture.src = thumbnailUrl(scene.id);
    picture.addEventListener("error", () => (picture.hidden = true)); // a .ply has none
    this.buttons.download.href = plyUrl(scene.id);
    this.open.addEventListener("click", () => handlers.show(this.scene));
    this.buttons.rename.addEventListener("click", () => this.#edit());
    this.buttons.remove.addEventListener("click", () => handlers.remove(this.scene));
    this.field.addEventListener("keydown", (event) => this.#key(event));
    this.field.addEventListener("blur", () => this.#commit());
  }

  /**
   * @param {Scene} scene
   * @param {boolean} isCurrent
   */
  update(scene, isCurrent) {
    this.scene = scene;
    this.name.textContent = scene.name;
    this.name.title = scene.name;
    this.facts.textContent = `${date(scene.created)} · ${count(scene.gaussians)}`;
    this.facts.title = `${scene.gaussians.toLocaleString()} Gaussians, by ${scene.model}`;
    this.open.setAttribute("aria-label", `Show ${scene.name}`);
    this.open.setAttribute("aria-current", isCurrent ? "true" : "false");
    this.buttons.rename.setAttribute("aria-label", `Rename ${scene.name}`);
    this.buttons.download.setAttribute("aria-label", `Download ${scene.name} as .ply`);
    this.buttons.remove.setAttribute("aria-label", `Delete ${scene.name}`);
  }

  #edit() {
    this.field.value = this.scene.name;
    this.field.setAttribute("aria-label", `New name of ${this.scene.name}`);
    this.#setEditing(true);
    this.field.select();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.key === "Enter") this.#commit();
    if (event.key === "Escape") this.#setEditing(false);
    if (event.key === "Enter" || event.key === "Escape") this.buttons.rename.focus();
  }

  #commit() {
    if (this.field.hidden) return;
    this.#setEditing(false);
    const name = this.field.value.trim();
    if (name && name !== this.scene.name) this.handlers.rename(this.scene, name);
  }

  /** @param {boolean} editing */
  #setEditing(editing) {
    this.field.hidden = !editing;
    this.name.hidden = editing;
  }
}
