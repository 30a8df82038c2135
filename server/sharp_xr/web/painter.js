// Draws a side-by-side frame by WebGL2, warped to where the eyes are by now: one eye, both side by side, both
// through coloured glasses, or into the eyes of a headset.

import { rotate } from "./geometry.js";
import { BOTH_EYES, FRAGMENT, VERTEX, build } from "./shader.js";

/** @typedef {import("./warp.js").Warp} Warp */
/** @typedef {import("./wire.js").Layout} Layout */
/** @typedef {(typeof VIEWS)[number]} View */
/** @typedef {[x: number, y: number, width: number, height: number]} Viewport */

export const VIEWS = /** @type {const} */ (["left", "side-by-side", "anaglyph"]);

const NO_WEBGL =
  "This browser has no WebGL2, which the live view is drawn with. " +
  "Turn on hardware acceleration in its settings, or take another browser.";
const LOOK = 64; // pixels each way of what is looked at

export class Painter {
  #own; // what the graphics hold for it: lost with them, and made anew
  #picture = [2, 1]; // pixels of the frame, coded

  /**
   * Throws an error with a sentence where the browser has no WebGL2.
   * @param {HTMLCanvasElement} canvas
   */
  constructor(canvas) {
    this.canvas = canvas;
    const options = { alpha: false, antialias: false, depth: false, desynchronized: true };
    const gl = /** @type {WebGL2RenderingContext | null} */ (canvas.getContext("webgl2", options));
    if (!gl) throw new Error(NO_WEBGL);
    this.gl = gl;
    this.#own = make(gl);
    canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
    canvas.addEventListener("webglcontextrestored", () => (this.#own = make(gl)));
  }

  /**
   * @param {VideoFrame | HTMLVideoElement} picture what a video shows now, or a frame of it
   * @param {number} width pixels
   * @param {number} height
   */
  upload(picture, width, height) {
    const { gl } = this;
    this.#picture = [width, height];
    gl.bindTexture(gl.TEXTURE_2D, this.#own.texture);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, picture);
  }

  /**
   * On the canvas. One canvas pixel per pixel of the frame; CSS gives the shape.
   * @param {View} view
   * @param {boolean} swapped
   * @param {Warp[]} warps
   * @param {Layout} layout
   */
  draw(view, swapped, warps, layout) {
    const { gl, canvas } = this;
    const { eye_width, eye_height } = layout;
    const width = view === "side-by-side" ? eye_width * 2 : eye_width;
    if (canvas.width !== width) canvas.width = width;
    if (canvas.height !== eye_height) canvas.height = eye_height;
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    this.#begin(warps, layout, false);
    if (view === "left") this.#drawEye(0, [0, 0, eye_width, eye_height]);
    else if (view === "anaglyph") this.#drawEye(BOTH_EYES, [0, 0, eye_width, eye_height]);
    else {
      for (const side of [0, 1]) {
        const place = swapped ? 1 - side : side;
        this.#drawEye(side, [place * eye_width, 0, eye_width, eye_height]);
      }
    }
  }

  // What the canvas shows, LOOK x LOOK pixels, RGBA. To be called in the turn that drew it: later it is gone.
  look() {
    const { gl, canvas } = this;
    const seen = new Uint8Array(4 * LOOK * LOOK);
    gl.bindFramebuffer(gl.READ_FRAMEBUFFER, null);
    gl.bindFramebuffer(gl.DRAW_FRAMEBUFFER, this.#own.small);
    const { width, height } = canvas;
    gl.blitFramebuffer(0, 0, width, height, 0, 0, LOOK, LOOK, gl.COLOR_BUFFER_BIT, gl.LINEAR);
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.#own.small);
    gl.readPixels(0, 0, LOOK, LOOK, gl.RGBA, gl.UNSIGNED_BYTE, seen);
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    return seen;
  }

  /**
   * Into the framebuffer that is bound.
   * @param {{side: number, viewport: Viewport}[]} places
   * @param {Warp[]} warps
   * @param {Layout} layout
   * @param {boolean} isClear leaves transparent what the frame has nothing in
   */
  drawEyes(places, warps, layout, isClear) {
    this.#begin(warps, layout, isClear);
    for (const { side, viewport } of places) this.#drawEye(side, viewport);
  }

  /**
   * @param {Warp[]} warps
   * @param {Layout} layout
   * @param {boolean} isClear
   */
  #begin(warps, layout, isClear) {
    const { gl } = this;
    const { program, at, corners, texture } = this.#own;
    gl.useProgram(program);
    gl.bindVertexArray(corners);
    gl.bindTexture(gl.TEXTURE_2D, texture);
    const all = (/** @type {(warp: Warp) => readonly number[]} */ read) => new Float32Array(warps.flatMap(read));
    gl.uniformMatrix3fv(at.turn, false, all(({ turn }) => columnsOf(turn)));
    gl.uniform3fv(at.shift, all(({ shift }) => shift));
    gl.uniform4fv(at.shown, all(({ shown }) => shown));
    gl.uniform4fv(at.drawn, all(({ drawn }) => drawn));
    gl.uniform3fv(at.plan, all(({ nearest, steps, wall }) => [nearest, steps, wall]));
    gl.uniform1f(at.nearM, warps[0].near_m);
    gl.uniform1i(at.isClear, isClear ? 1 : 0);
    gl.uniform4fv(at.colourBox, this.#box(layout.eye_width, layout.eye_height));
    gl.uniform4fv(at.depthBox, this.#box(layout.depth_width, layout.depth_height));
  }

  /**
   * @param {number} eye
   * @param {Viewport} viewport
   */
  #drawEye(eye, viewport) {
    this.gl.viewport(...viewport);
    this.gl.uniform1i(this.#own.at.eye, eye);
    this.gl.drawArrays(this.gl.TRIANGLE_STRIP, 0, 4);
  }

  /**
   * @param {number} width
   * @param {number} height
   */
  #box(width, height) {
    const [across, down] = this.#picture;
    return [width / across, height / down, 0.5 / across, 0.5 / down];
  }

}

/** @param {WebGL2RenderingContext} gl */
function make(gl) {
  const corners = gl.createVertexArray();
  gl.bindVertexArray(corners);
  gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
  gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([0, 0, 1, 0, 0, 1, 1, 1]), gl.STATIC_DRAW);
  gl.enableVertexAttribArray(0);
  gl.vertexAttribPointer(0, 2, gl.FLOAT, false, 0, 0);
  return { ...build(gl, VERTEX, FRAGMENT), corners, texture: textureOf(gl), small: smallOf(gl) };
}

/**
 * A framebuffer to look at the canvas through.
 * @param {WebGL2RenderingContext} gl
 */
function smallOf(gl) {
  const small = gl.createFramebuffer();
  gl.bindFramebuffer(gl.FRAMEBUFFER, small);
  const store = gl.createRenderbuffer();
  gl.bindRenderbuffer(gl.RENDERBUFFER, store);
  gl.renderbufferStorage(gl.RENDERBUFFER, gl.RGBA8, LOOK, LOOK);
  gl.framebufferRenderbuffer(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.RENDERBUFFER, store);
  gl.bindFramebuffer(gl.FRAMEBUFFER, null);
  return small;
}

/**
 * Smooth, without copies of smaller sizes; its borders go on.
 * @param {WebGL2RenderingContext} gl
 */
export function textureOf(gl) {
  const texture = gl.createTexture();
  gl.bindTexture(gl.TEXTURE_2D, texture);
  for (const [name, value] of [
    [gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE],
    [gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE],
    [gl.TEXTURE_MIN_FILTER, gl.LINEAR],
    [gl.TEXTURE_MAG_FILTER, gl.LINEAR],
  ]) {
    gl.texParameteri(gl.TEXTURE_2D, name, value);
  }
  return texture;
}

/** @param {readonly number[]} orientation */
function columnsOf(orientation) {
  return [[1, 0, 0], [0, 1, 0], [0, 0, 1]].flatMap((axis) => rotate(orientation, axis));
}
