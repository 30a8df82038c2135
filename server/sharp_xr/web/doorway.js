// How files come in: dropped anywhere on the page, chosen, or pasted.

export const ACCEPT = "image/jpeg,image/png,image/webp,image/heic,image/heif,image/avif,.heic,.heif,.avif,.ply";

/**
 * @param {object} parts
 * @param {HTMLInputElement} parts.input
 * @param {HTMLElement[]} parts.buttons
 * @param {HTMLElement} parts.veil is shown while files hang over the page
 * @param {(files: File[]) => void} parts.onFiles
 */
export function bindDoorway({ input, buttons, veil, onFiles }) {
  input.accept = ACCEPT;
  for (const button of buttons) button.addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    hand(input.files ?? []);
    input.value = ""; // the same file may come again
  });
  addEventListener("paste", (event) => hand(event.clipboardData?.files ?? []));
  bindDrop(veil, hand);

  /** @param {ArrayLike<File>} files */
  function hand(files) {
    if (files.length) onFiles(Array.from(files));
  }
}

/**
 * @param {HTMLElement} veil
 * @param {(files: ArrayLike<File>) => void} hand
 */
function bindDrop(veil, hand) {
  let depth = 0; // dragenter and dragleave come for every element below the pointer
  const carriesFiles = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes("Files");
  addEventListener("dragenter", (event) => {
    if (carriesFiles(event) && ++depth) veil.hidden = false;
  });
  addEventListener("dragleave", (event) => {
    if (carriesFiles(event) && --depth <= 0) close();
  });
  addEventListener("dragover", (event) => {
    if (carriesFiles(event)) event.preventDefault(); // else the browser opens the file
  });
  addEventListener("drop", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    close();
    hand(event.dataTransfer?.files ?? []);
  });

  function close() {
    depth = 0;
    veil.hidden = true;
  }
}
