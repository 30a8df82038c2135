// Draws a side-by-side frame by WebGL2, warped to where the eyes are by now: one eye, both side by side, both
// through coloured glasses, or into the eyes of a headset.

import { Programs } from "./programs.js";
import { Found, textureOf } from "./textures.js";

/** @typedef {import("./warp.js").Warp} Warp */
/** @typedef {import("./wire.js").Layout} Layout */
/** @typedef {(typeof VIEWS)[number]} View */
/** @typedef {import("./programs.js").Program} Program */
/** @typedef {[x: number, y: number, width: number, height: number]} Viewport */

export const VIEWS = /** @type {const} */ (["left", "side-by-side", "anaglyph"]);

const NO_WEBGL =
  "This browser has no WebGL2, which the live view is drawn with. " +
  "Turn on hardware acceleration in its settings, or take another browser.";
const SOFTWARE = /swiftshader|llvmpipe|softpipe|software|basic render/i;
const LOOK = 64; // pixels each way of what is looked at
const SEARCHED = 2; // texels of the depth map, each way, for one that is searched for where that is dear

export class Painter {
  #own; // what the graphics hold for it: lost with them, and made anew
  #picture = [0, 0]; // pixels of the frame, coded
  isCoarse = false; // searches for one pixel in many, for a device that has no time; outlines get softer

  /**
   * Throws an error with a sentence where the browser has no WebGL2.
   * @param {HTMLCanvasElement} canvas
   */
  constructor(canvas) {
    this.canvas = canvas;
    this.isSoftware = SOFTWARE.test(graphics()); // the processor does what graphics should
    // Past the browser's own drawing, which saves time but where a processor does both.
    const desynchronized = !this.isSoftware;
    const options = { alpha: false, antialias: false, depth: false, desynchronized };
    const gl = /** @type {WebGL2RenderingContext | null} */ (canvas.getContext("webgl2", options));
    if (!gl) throw new Error(NO_WEBGL);
    this.gl = gl;
    this.#own = make(gl);
    canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
    canvas.addEventListener("webglcontextrestored", () => {
      this.#own = make(gl);
      this.#picture = [0, 0];
    });
  }

  /**
   * @param {import("./pictures.js").Picture["picture"]} picture what a video shows now, a frame of it, or its pixels
   * @param {number} width pixels
   * @param {number} height
   */
  upload(picture, width, height) {
    const { gl } = this;
    const [widthBefore, heightBefore] = this.#picture;
    this.#picture = [width, height];
    gl.bindTexture(gl.TEXTURE_2D, this.#own.texture);
    const how = /** @type {const} */ ([gl.RGBA, gl.UNSIGNED_BYTE]);
    if (!(picture instanceof Uint8Array)) gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, ...how, picture);
    else if (width === widthBefore && height === heightBefore) {
      gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, 0, width, height, ...how, picture);
    } else gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, width, height, 0, ...how, picture);
  }

  /**
   * On the canvas. One canvas pixel per pixel of the frame; CSS gives the shape.
   * @param {View} view
   * @param {boolean} swapped
   * @param {Warp[]} warps
   * @param {Layout} layout
   */
  draw(view, swapped, warps, layout) {
    const { canvas } = this;
    const { eye_width, eye_height } = layout;
    const width = view === "side-by-side" ? eye_width * 2 : eye_width;
    if (canvas.width !== width) canvas.width = width;
    if (canvas.height !== eye_height) canvas.height = eye_height;
    const eyes = view === "anaglyph" ? 2 : 1;
    const whole = this.#begin(null, { eyes, isClear: false }, view === "left" ? [0] : [0, 1], warps, layout);
    if (view === "side-by-side") {
      for (const side of [0, 1]) {
        const place = swapped ? 1 - side : side;
        this.#drawEye(whole, warps, side, [place * eye_width, 0, eye_width, eye_height]);
      }
    } else {
      this.#show(whole, warps[0], 0);
      if (view === "anaglyph") this.#show(whole, warps[1], 1);
      this.#fill([0, 0, eye_width, eye_height]);
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
   * Into the framebuffer of a headset, which is bound then.
   * @param {WebGLFramebuffer | null} target
   * @param {{side: number, viewport: Viewport}[]} places
   * @param {Warp[]} warps
   * @param {Layout} layout
   * @param {boolean} isClear leaves transparent what the frame has nothing in
   */
  drawEyes(target, places, warps, layout, isClear) {
    const sides = [...new Set(places.map(({ side }) => side))];
    const whole = this.#begin(target, { eyes: 1, isClear }, sides, warps, layout);
    for (const { side, viewport } of places) this.#drawEye(whole, warps, side, viewport);
  }

  /**
   * Gives what draws into the target from now on.
   * @param {WebGLFramebuffer | null} target
   * @param {Omit<import("./shader.js").Sight, "isFound">} sought
   * @param {number[]} sides that it will draw
   * @param {Warp[]} warps
   * @param {Layout} layout
   */
  #begin(target, sought, sides, warps, layout) {
    const { gl } = this;
    const { programs, corners, texture, found } = this.#own;
    gl.bindVertexArray(corners);
    gl.bindTexture(gl.TEXTURE_2D, texture);
    const isFound = this.isCoarse && warps[0].near_m > 0;
    const size = [layout.depth_width, layout.depth_height].map((texels) => Math.ceil(texels / SEARCHED));
    if (isFound) {
      found.begin(2 * size[0], size[1]);
      this.#use(programs.search, warps[0].near_m, layout);
      for (const side of sides) this.#drawEye(programs.search, warps, side, [side * size[0], 0, size[0], size[1]]);
    }
    gl.bindFramebuffer(gl.FRAMEBUFFER, target);
    const whole = programs.sight({ ...sought, isFound });
    this.#use(whole, warps[0].near_m, layout);
    if (isFound) {
      gl.uniform1i(whole.at.found, found.unit);
      gl.uniform2f(whole.at.foundHalf, 0.5 / size[0], 0.5 / size[1]);
    }
    return whole;
  }

  /**
   * @param {Program} program
   * @param {number} near_m
   * @param {Layout} layout
   */
  #use({ program, at }, near_m, layout) {
    const { gl } = this;
    gl.useProgram(program);
    gl.uniform1f(at.nearM, near_m);
    gl.uniform4fv(at.colourBox, this.#box(layout.eye_width, layout.eye_height));
    gl.uniform4fv(at.depthBox, this.#box(layout.depth_width, layout.depth_height));
  }

  /**
   * @param {Program} program
   * @param {Warp[]} warps
   * @param {number} side
   * @param {Viewport} viewport
   */
  #drawEye(program, warps, side, viewport) {
    this.#show(program, warps[side], side);
    this.#fill(viewport);
  }

  /**
   * For all that is drawn from now on.
   * @param {Program} program
   * @param {Warp} warp
   * @param {number} side
   */
  #show({ at, eyes }, warp, side) {
    const { gl } = this;
    const eye = (/** @type {string} */ name) => at[`eyes[${Math.min(side, eyes - 1)}].${name}`];
    gl.uniform1f(eye("side"), side);
    gl.uniformMatrix3fv(eye("base"), true, warp.base);
    gl.uniform3fv(eye("step"), warp.step);
    gl.uniform2fv(eye("corner"), warp.corner);
    gl.uniform3f(eye("plan"), warp.nearest, warp.steps, warp.wall);
  }

  /** @param {Viewport} viewport */
  #fill(viewport) {
    this.gl.viewport(...viewport);
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
  return {
    programs: new Programs(gl),
    corners,
    found: new Found(gl),
    texture: textureOf(gl),
    small: smallOf(gl),
  };
}

// Who draws, in the browser's words. Asked before the canvas's own context is made, which depends on it.
function graphics() {
  const gl = document.createElement("canvas").getContext("webgl2");
  if (!gl) return "";
  const more = gl.getExtension("WEBGL_debug_renderer_info"); // Firefox tells without
  const name = String(gl.getParameter(more ? more.UNMASKED_RENDERER_WEBGL : gl.RENDERER));
  gl.getExtension("WEBGL_lose_context")?.loseContext();
  return name;
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
