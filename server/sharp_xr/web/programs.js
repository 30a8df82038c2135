// Shaders, compiled and linked.

import { SEARCH, fragment, vertex } from "./shader.js";

/** @typedef {import("./shader.js").Sight} Sight */
/** @typedef {{program: WebGLProgram, at: Record<string, WebGLUniformLocation | null>}} Built */
/** @typedef {Built & {eyes: number}} Program  for so many eyes at once */

export class Programs {
  #gl;
  search;
  /** @type {Map<string, Program>} */
  #sights = new Map(); // each is linked when it is first wanted: a page never wants them all

  /** @param {WebGL2RenderingContext} gl */
  constructor(gl) {
    this.#gl = gl;
    this.search = { ...build(gl, vertex(1), SEARCH), eyes: 1 };
  }

  /**
   * @param {Sight} sought
   * @returns {Program}
   */
  sight({ eyes, isFound, isClear }) {
    const name = `${eyes} ${isFound} ${isClear}`;
    const known = this.#sights.get(name);
    if (known) return known;
    const made = { ...build(this.#gl, vertex(eyes), fragment({ eyes, isFound, isClear })), eyes };
    this.#sights.set(name, made);
    return made;
  }
}

/**
 * A linked program, and where its uniforms are by name.
 * @param {WebGL2RenderingContext} gl
 * @param {string} vertex
 * @param {string} fragment
 * @returns {Built}
 */
export function build(gl, vertex, fragment) {
  const program = gl.createProgram();
  gl.attachShader(program, compiled(gl, gl.VERTEX_SHADER, vertex));
  gl.attachShader(program, compiled(gl, gl.FRAGMENT_SHADER, fragment));
  gl.bindAttribLocation(program, 0, "corner");
  gl.linkProgram(program);
  const count = gl.getProgramParameter(program, gl.ACTIVE_UNIFORMS) ?? 0; // null: the context is lost
  const names = Array.from({ length: count }, (_, i) => gl.getActiveUniform(program, i)?.name ?? "");
  const places = names.map((name) => [name, gl.getUniformLocation(program, name)]);
  return { program, at: Object.fromEntries(places) };
}

/**
 * @param {WebGL2RenderingContext} gl
 * @param {GLenum} kind
 * @param {string} source
 */
function compiled(gl, kind, source) {
  const shader = gl.createShader(kind);
  if (!shader) throw new Error("The live view's shader could not be made: the graphics have gone.");
  gl.shaderSource(shader, source);
  gl.compileShader(shader);
  if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS) && !gl.isContextLost()) {
    throw new Error(`The live view's shader was refused: ${gl.getShaderInfoLog(shader)}`);
  }
  return shader;
}
