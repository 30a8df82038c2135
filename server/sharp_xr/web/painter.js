// Draws one side-by-side video frame on a canvas by WebGL: one eye, both, or both through coloured glasses.

export const VIEWS = ["left", "side-by-side", "anaglyph"];

const VERTEX = `
attribute vec2 corner;
varying vec2 at;
void main() {
  at = vec2(corner.x, 1.0 - corner.y);
  gl_Position = vec4(corner * 2.0 - 1.0, 0.0, 1.0);
}`;

// Least-squares red-cyan matrices for LCDs of E. Dubois, "Conversion of a Stereo Pair to Anaglyph with the
// Least-Squares Projection Method" (2009). They hold for linear light. GLSL takes columns.
const FRAGMENT = `
precision mediump float;
uniform sampler2D frame;
uniform int view;
uniform bool swapped;
varying vec2 at;

const mat3 LEFT = mat3(0.437, -0.062, -0.048, 0.449, -0.062, -0.050, 0.164, -0.024, -0.017);
const mat3 RIGHT = mat3(-0.011, 0.377, -0.026, -0.032, 0.761, -0.093, -0.007, 0.009, 1.234);

vec3 linear(vec3 c) {
  return mix(c / 12.92, pow((c + 0.055) / 1.055, vec3(2.4)), step(0.04045, c));
}
vec3 encoded(vec3 c) {
  return mix(c * 12.92, 1.055 * pow(c, vec3(1.0 / 2.4)) - 0.055, step(0.0031308, c));
}
vec3 eye(float side, vec2 p) {
  return texture2D(frame, vec2((p.x + side) * 0.5, p.y)).rgb;
}
void main() {
  vec3 color;
  if (view == 0) {
    color = eye(0.0, at);
  } else if (view == 1) {
    vec2 half_at = vec2(fract(at.x * 2.0), at.y);
    float side = step(0.5, at.x);
    color = eye(swapped ? 1.0 - side : side, half_at);
  } else {
    vec3 sum = LEFT * linear(eye(0.0, at)) + RIGHT * linear(eye(1.0, at));
    color = encoded(clamp(sum, 0.0, 1.0));
  }
  gl_FragColor = vec4(color, 1.0);
}`;

export class Painter {
  #gl;
  #uniforms;

  // Throws an error with a sentence where the browser has no WebGL.
  constructor(canvas) {
    this.canvas = canvas;
    const options = { alpha: false, antialias: false, depth: false, desynchronized: true };
    this.#gl = canvas.getContext("webgl", options);
    if (!this.#gl) throw new Error("This browser has no WebGL, which the live view is drawn with.");
    this.#build();
    canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
    canvas.addEventListener("webglcontextrestored", () => this.#build());
  }

  // Takes the picture that a video shows now.
  upload(video) {
    const gl = this.#gl;
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGB, gl.RGB, gl.UNSIGNED_BYTE, video);
  }

  // One canvas pixel per decoded pixel; CSS gives the shape.
  draw(view, swapped, eyeWidth, eyeHeight) {
    const gl = this.#gl;
    const width = view === "side-by-side" ? eyeWidth * 2 : eyeWidth;
    if (this.canvas.width !== width) this.canvas.width = width;
    if (this.canvas.height !== eyeHeight) this.canvas.height = eyeHeight;
    gl.viewport(0, 0, width, eyeHeight);
    gl.uniform1i(this.#uniforms.view, VIEWS.indexOf(view));
    gl.uniform1i(this.#uniforms.swapped, swapped ? 1 : 0);
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
  }

  #build() {
    const gl = this.#gl;
    const program = gl.createProgram();
    gl.attachShader(program, compiled(gl, gl.VERTEX_SHADER, VERTEX));
    gl.attachShader(program, compiled(gl, gl.FRAGMENT_SHADER, FRAGMENT));
    gl.linkProgram(program);
    gl.useProgram(program);
    this.#uniforms = {
      view: gl.getUniformLocation(program, "view"),
      swapped: gl.getUniformLocation(program, "swapped"),
    };
    gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([0, 0, 1, 0, 0, 1, 1, 1]), gl.STATIC_DRAW);
    const corner = gl.getAttribLocation(program, "corner");
    gl.enableVertexAttribArray(corner);
    gl.vertexAttribPointer(corner, 2, gl.FLOAT, false, 0, 0);
    gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
    for (const [name, value] of [
      [gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE],
      [gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE],
      [gl.TEXTURE_MIN_FILTER, gl.LINEAR],
      [gl.TEXTURE_MAG_FILTER, gl.LINEAR],
    ]) {
      gl.texParameteri(gl.TEXTURE_2D, name, value);
    }
  }
}

function compiled(gl, kind, source) {
  const shader = gl.createShader(kind);
  gl.shaderSource(shader, source);
  gl.compileShader(shader);
  if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS) && !gl.isContextLost()) {
    throw new Error(`The live view's shader was refused: ${gl.getShaderInfoLog(shader)}`);
  }
  return shader;
}
