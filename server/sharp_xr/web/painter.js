// Draws a side-by-side frame by WebGL2, warped to where the eyes are by now: one eye, both side by side, both
// through coloured glasses, or into the eyes of a headset.

import { rotate } from "./geometry.js";
import { BOTH_EYES, ONE_EYE, SEARCH, VERTEX, build } from "./shader.js";

/** @typedef {import("./warp.js").Warp} Warp */
/** @typedef {import("./wire.js").Layout} Layout */
/** @typedef {(typeof VIEWS)[number]} View */
/** @typedef {ReturnType<typeof build> & {eyes: number}} Program  for so many eyes at once */
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
    const options = { alpha: false, antialias: false, depth: false, desynchronized: true };
    const gl = /** @type {WebGL2RenderingContext | null} */ (canvas.getContext("webgl2", options));
    if (!gl) throw new Error(NO_WEBGL);
    this.gl = gl;
    this.isSoftware = SOFTWARE.test(rendererOf(gl)); // the processor does what graphics should
    this.#own = make(gl);
    canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
    canvas.addEventListener("webglcontextrestored", () => {
      this.#own = make(gl);
      this.#picture = [0, 0];
    });
  }

  /**
   * @param {VideoFrame | HTMLVideoElement} picture what a video shows now, or a frame of it
   * @param {number} width pixels
   * @param {number} height
   * @param {boolean} isOfTrack see Picture
   */
  upload(picture, width, height, isOfTrack) {
    const { gl } = this;
    const [widthBefore, heightBefore] = this.#picture;
    this.#picture = [width, height];
    gl.bindTexture(gl.TEXTURE_2D, this.#own.texture);
    const how = /** @type {const} */ ([gl.RGBA, gl.UNSIGNED_BYTE]);
    if (!this.isSoftware || !isOfTrack) return gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, ...how, picture);
    // Into a texture that is there the browser converts pictures itself; into a new one it has the graphics do it,
    // which took ten times as long where they are a processor's. Of a <video> it may give an older picture then.
    if (width !== widthBefore || height !== heightBefore) {
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, width, height, 0, ...how, null);
    }
    gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, 0, ...how, picture);
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
    const whole = view === "anaglyph" ? this.#own.both : this.#own.one;
    this.#begin(null, whole, view === "left" ? [0] : [0, 1], warps, layout, false);
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
    const { one } = this.#own;
    this.#begin(target, one, [...new Set(places.map(({ side }) => side))], warps, layout, isClear);
    for (const { side, viewport } of places) this.#drawEye(one, warps, side, viewport);
  }

  /**
   * @param {WebGLFramebuffer | null} target
   * @param {Program} whole what draws into it
   * @param {number[]} sides that it will draw
   * @param {Warp[]} warps
   * @param {Layout} layout
   * @param {boolean} isClear
   */
  #begin(target, whole, sides, warps, layout, isClear) {
    const { gl } = this;
    const { search, corners, texture, found } = this.#own;
    gl.bindVertexArray(corners);
    gl.bindTexture(gl.TEXTURE_2D, texture);
    const isFound = this.isCoarse && warps[0].near_m > 0;
    const size = [layout.depth_width, layout.depth_height].map((texels) => Math.ceil(texels / SEARCHED));
    if (isFound) {
      found.begin(2 * size[0], size[1]);
      this.#use(search, warps[0].near_m, layout);
      for (const side of sides) this.#drawEye(search, warps, side, [side * size[0], 0, size[0], size[1]]);
    }
    gl.bindFramebuffer(gl.FRAMEBUFFER, target);
    this.#use(whole, warps[0].near_m, layout);
    gl.uniform1i(whole.at.isClear, isClear ? 1 : 0);
    gl.uniform1i(whole.at.isFound, isFound ? 1 : 0);
    gl.uniform1i(whole.at.found, found.unit);
    gl.uniform2f(whole.at.foundHalf, 0.5 / size[0], 0.5 / size[1]);
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
    gl.uniformMatrix3fv(eye("turn"), false, columnsOf(warp.turn));
    gl.uniform3fv(eye("shift"), warp.shift);
    gl.uniform4fv(eye("shown"), warp.shown);
    gl.uniform4fv(eye("drawn"), warp.drawn);
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

// What the search has found: a texture of both eyes, side by side, in a texture unit of its own.
class Found {
  #gl;
  #framebuffer;
  #texture;
  #width = 0;
  #height = 0;
  unit = 1;

  /** @param {WebGL2RenderingContext} gl */
  constructor(gl) {
    this.#gl = gl;
    gl.activeTexture(gl.TEXTURE1);
    this.#texture = textureOf(gl);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, 1, 1, 0, gl.RGBA, gl.UNSIGNED_BYTE, null);
    gl.activeTexture(gl.TEXTURE0);
    this.#framebuffer = gl.createFramebuffer();
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.#framebuffer);
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, this.#texture, 0);
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
  }

  /**
   * What is drawn from now on is kept in it.
   * @param {number} width pixels of both eyes
   * @param {number} height
   */
  begin(width, height) {
    const gl = this.#gl;
    if (width !== this.#width || height !== this.#height) {
      [this.#width, this.#height] = [width, height];
      gl.activeTexture(gl.TEXTURE1);
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, width, height, 0, gl.RGBA, gl.UNSIGNED_BYTE, null);
      gl.activeTexture(gl.TEXTURE0);
    }
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.#framebuffer);
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
    one: { ...build(gl, VERTEX, ONE_EYE), eyes: 1 },
    both: { ...build(gl, VERTEX, BOTH_EYES), eyes: 2 },
    search: { ...build(gl, VERTEX, SEARCH), eyes: 1 },
    corners,
    found: new Found(gl),
    texture: textureOf(gl),
    small: smallOf(gl),
  };
}

/**
 * Who draws, in the browser's words.
 * @param {WebGL2RenderingContext} gl
 */
function rendererOf(gl) {
  const more = gl.getExtension("WEBGL_debug_renderer_info"); // Firefox tells without
  return String(gl.getParameter(more ? more.UNMASKED_RENDERER_WEBGL : gl.RENDERER));
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
