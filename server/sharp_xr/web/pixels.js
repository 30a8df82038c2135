// The pixels of decoded pictures, in memory that is kept. Where a processor draws, they are uploaded in less time than a
// VideoFrame is, for which the browser takes new memory each time.

export class Pixels {
  #memory = new Uint8Array(0);
  #canCopy = true; // until this browser could not

  /**
   * Four bytes for each pixel, red, green and blue first: until the next call. Null where that cannot be had.
   * @param {VideoFrame} frame
   */
  async of(frame) {
    const pixels = frame.displayWidth * frame.displayHeight;
    try {
      // Who knows no formats (Chromium before 127) gives others than asked for, which are smaller.
      this.#canCopy &&= frame.allocationSize({ format: "RGBX" }) === 4 * pixels;
      if (!this.#canCopy) return null;
      if (this.#memory.length !== 4 * pixels) this.#memory = new Uint8Array(4 * pixels);
      await frame.copyTo(this.#memory, { format: "RGBX" });
      return this.#memory;
    } catch {
      this.#canCopy = false;
      return null;
    }
  }
}
