// Rectangles in the room, inside a headset: the panel with the marks of rays on it, and the beams of hands.

import { rotate } from "./geometry.js";
import { build } from "./programs.js";
import { textureOf } from "./textures.js";

/** @typedef {import("./geometry.js").Pose} Pose */

const BEAM_WIDTH_M = 0.006;
const MARK = "vec3(0.96, 0.7, 0.42)";

const VERTEX = `#version 300 es
in vec2 corner;
uniform mat4 clip;
out vec2 at;
void main() {
  at = vec2(corner.x, 1.0 - corner.y);
  gl_Position = clip * vec4(corner - 0.5, 0.0, 1.0);
}`;
const FRAGMENT = `#version 300 es
precision highp float;
uniform sampler2D words;
uniform bool isBeam;
uniform vec2 pixels;
uniform vec2 cursors[2]; // where rays meet it; negative: nowhere
in vec2 at;
out vec4 color; // premultiplied
void main() {
  if (isBeam) {
    float there = (1.0 - abs(2.0 * at.x - 1.0)) * mix(0.15, 0.8, at.y); // it fades away from the hand
    color = vec4(${MARK} * there, there);
    return;
  }
  color = texture(words, at);
  for (int i = 0; i < 2; i++) {
    float away = length((at - cursors[i]) * pixels);
    color = mix(color, vec4(${MARK}, 1.0), 1.0 - smoothstep(7.0, 10.0, away));
  }
}`;

export class Quads {
  /** @type {ReturnType<typeof made> | null} */
  #parts = null;
  /** @type {DOMMatrix | null} */
  #clipFromRoom = null;
  #eye = [0, 0, 0]; // in the room

  /**
   * For one eye. Ends with `end`.
   * @param {WebGL2RenderingContext} gl
   * @param {XRView} eye
   * @param {[number, number, number, number]} viewport
   */
  begin(gl, eye, viewport) {
    this.#parts ??= made(gl);
    gl.useProgram(this.#parts.program);
    gl.bindVertexArray(this.#parts.corners);
    gl.bindTexture(gl.TEXTURE_2D, this.#parts.texture);
    gl.viewport(...viewport);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    const { x, y, z } = eye.transform.position;
    this.#eye = [x, y, z];
    this.#clipFromRoom = new DOMMatrix([...eye.projectionMatrix]).multiply(
      new DOMMatrix([...eye.transform.inverse.matrix]),
    );
  }

  /** @param {WebGL2RenderingContext} gl */
  end(gl) {
    gl.disable(gl.BLEND);
  }

  /**
   * What is on the panel from now on.
   * @param {WebGL2RenderingContext} gl
   * @param {HTMLCanvasElement} picture
   */
  take(gl, picture) {
    gl.pixelStorei(gl.UNPACK_PREMULTIPLY_ALPHA_WEBGL, true);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, picture);
    gl.pixelStorei(gl.UNPACK_PREMULTIPLY_ALPHA_WEBGL, false);
  }

  /**
   * @param {WebGL2RenderingContext} gl
   * @param {Pose} stand room_from_panel, of its middle
   * @param {number[]} metres its size
   * @param {number[]} pixels
   * @param {number[][]} cursors marks on it, from 0 to 1 from its left and its top; the first two are shown
   */
  panel(gl, { position, orientation }, [width, height], pixels, cursors) {
    const { at } = this.#have();
    gl.uniform1i(at.isBeam, 0);
    gl.uniform2fv(at.pixels, pixels);
    gl.uniform2fv(at.cursors, [0, 1].flatMap((i) => cursors[i] ?? [-1, -1]));
    const across = rotate(orientation, [width, 0, 0]);
    this.#draw(gl, across, rotate(orientation, [0, height, 0]), position);
  }

  /**
   * From a hand along its -z. It turns its broad side to the eye.
   * @param {WebGL2RenderingContext} gl
   * @param {Pose} ray room_from_ray
   * @param {number} metres
   */
  beam(gl, { position, orientation }, metres) {
    const along = rotate(orientation, [0, 0, -metres]);
    const middle = position.map((value, axis) => value + along[axis] / 2);
    const side = cross(along, middle.map((value, axis) => this.#eye[axis] - value));
    const length = Math.hypot(...side);
    if (length < 1e-6) return; // it points straight at the eye
    gl.uniform1i(this.#have().at.isBeam, 1);
    this.#draw(gl, side.map((value) => (value / length) * BEAM_WIDTH_M), along, middle);
  }

  #have() {
    if (this.#parts === null || this.#clipFromRoom === null) throw new Error("begin() comes first");
    return { at: this.#parts.at, clipFromRoom: this.#clipFromRoom };
  }

  /**
   * @param {WebGL2RenderingContext} gl
   * @param {number[]} across its sides, and its middle, in the room
   * @param {number[]} up
   * @param {number[]} middle
   */
  #draw(gl, across, up, middle) {
    const { at, clipFromRoom } = this.#have();
    const clip = clipFromRoom.multiply(
      new DOMMatrix([...across, 0, ...up, 0, 0, 0, 1, 0, ...middle, 1]),
    );
    gl.uniformMatrix4fv(at.clip, false, clip.toFloat32Array());
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
  }
}

/** @param {WebGL2RenderingContext} gl */
function made(gl) {
  const corners = gl.createVertexArray();
  gl.bindVertexArray(corners);
  gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
  gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([0, 0, 1, 0, 0, 1, 1, 1]), gl.STATIC_DRAW);
  gl.enableVertexAttribArray(0);
  gl.vertexAttribPointer(0, 2, gl.FLOAT, false, 0, 0);
  return { ...build(gl, VERTEX, FRAGMENT), texture: textureOf(gl), corners };
}

/**
 * @param {number[]} a
 * @param {number[]} b
 */
function cross([ax, ay, az], [bx, by, bz]) {
  return [ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx];
}
