// Marks an element as idle (data-idle) while nobody has moved a pointer over it or pressed a key for some
// seconds: what lies on the picture then fades.

const AFTER_MS = 4000;

/** @param {HTMLElement} element */
export function watchIdle(element) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const stir = () => {
    clearTimeout(timer);
    delete element.dataset.idle;
    timer = setTimeout(() => (element.dataset.idle = ""), AFTER_MS);
  };
  for (const kind of ["pointermove", "pointerdown", "focusin"]) element.addEventListener(kind, stir);
  addEventListener("keydown", stir);
  stir();
}
