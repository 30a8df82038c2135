// Draws a side-by-side frame by WebGL2, warped to where the eyes are by now: one eye, both side by side, both
// through coloured glasses, or into the eyes of a headset.

import { rotate } from "./geometry.js";
import { BOTH_EYES, FRAGMENT, VERTEX, build } from "./shader.js";

export const VIEWS = ["left", "side-by-side", "anaglyph"];

const LOOK = 64; // pixels each way of what is looked at

export class Painter {
  #program;
  #texture;
  #corners;
  #small;
  #picture = [2, 1]; // pixels of the frame, coded

  // Throws an error with a sentence where the browser has no WebGL2.
  constructor(canvas) {
    this.canvas = canvas;
    const options = { alpha: false, antialias: false, depth: false, desynchronized: true };
    this.gl = canvas.getContext("webgl2", options);
    if (!this.gl) throw new Error("This browser has no WebGL2, which the live view is drawn with.");
    this.#build();
    canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
    canvas.addEventListener("webglcontextrestored", () => this.#build());
  }

  // Takes a picture, `width` x `height` pixels: what a video shows now, or a VideoFrame.
  upload(picture, width, height) {
    const { gl } = this;
    this.#picture = [width, height];
    gl.bindTexture(gl.TEXTURE_2D, this.#texture);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, picture);
  }

  // On the canvas. One canvas pixel per pixel of the frame; CSS gives the shape.
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
    gl.bindFramebuffer(gl.DRAW_FRAMEBUFFER, this.#small);
    const all = [0, 0, canvas.width, canvas.height, 0, 0, LOOK, LOOK];
    gl.blitFramebuffer(...all, gl.COLOR_BUFFER_BIT, gl.LINEAR);
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.#small);
    gl.readPixels(0, 0, LOOK, LOOK, gl.RGBA, gl.UNSIGNED_BYTE, seen);
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    return seen;
  }

  // Into the framebuffer that is bound: for each place {side, viewport: [x, y, width, height]}. `isClear`
  // leaves transparent what the frame has nothing in.
  drawEyes(places, warps, layout, isClear) {
    this.#begin(warps, layout, isClear);
    for (const { side, viewport } of places) this.#drawEye(side, viewport);
  }

  #begin(warps, layout, isClear) {
    const { gl } = this;
    const { at } = this.#program;
    gl.useProgram(this.#program.program);
    gl.bindVertexArray(this.#corners);
    gl.bindTexture(gl.TEXTURE_2D, this.#texture);
    const all = (read) => new Float32Array(warps.flatMap(read));
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

  #drawEye(eye, viewport) {
    this.gl.viewport(...viewport);
    this.gl.uniform1i(this.#program.at.eye, eye);
    this.gl.drawArrays(this.gl.TRIANGLE_STRIP, 0, 4);
  }

  #box(width, height) {
    const [across, down] = this.#picture;
    return [width / across, height / down, 0.5 / across, 0.5 / down];
  }

  #build() {
    const { gl } = this;
    this.#program = build(gl, VERTEX, FRAGMENT);
    this.#corners = gl.createVertexArray();
    gl.bindVertexArray(this.#corners);
    gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([0, 0, 1, 0, 0, 1, 1, 1]), gl.STATIC_DRAW);
    gl.enableVertexAttribArray(0);
    gl.vertexAttribPointer(0, 2, gl.FLOAT, false, 0, 0);
    this.#texture = textureOf(gl);
    this.#small = gl.createFramebuffer();
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.#small);
    const store = gl.createRenderbuffer();
    gl.bindRenderbuffer(gl.RENDERBUFFER, store);
    gl.renderbufferStorage(gl.RENDERBUFFER, gl.RGBA8, LOOK, LOOK);
    gl.framebufferRenderbuffer(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.RENDERBUFFER, store);
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
  }
}

// Smooth, without copies of smaller sizes; its borders go on.
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

function columnsOf(orientation) {
  return [[1, 0, 0], [0, 1, 0], [0, 0, 1]].flatMap((axis) => rotate(orientation, axis));
}
