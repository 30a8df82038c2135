// The warp of one pixel, and the colours of two eyes in one picture. WebGL2; the plain version of the search is
// client_openxr/sharp_xr_client/warp.py, which the tests compare it with. Where a device has not the time to search
// for each pixel, SEARCH does it for one in many first, and the others take what it found, smoothly.
//
//     d     the pixel's ray in the display's eye, (tan x, tan y, -1)
//     q     inverse distance along it; its point is seen by the eye that the frame was drawn for at
//           p(q) = turn d + q shift, at the tangents p.xy / -p.z, with the code near_m q / -p.z
//
// So the ray is a line in the frame, from the nearest q to 0, which is infinitely far. It has met a surface
// where its code falls to that of the depth map. Where the map rose by a wall in that step, and was lower still as
// the ray came down to it, the ray has gone behind an edge, past which the frame saw nothing: then what was beside
// the edge on its farther side goes on.

export const VERTEX = `#version 300 es
in vec2 corner;
out vec2 at; // from the left and the top
void main() {
  at = vec2(corner.x, 1.0 - corner.y);
  gl_Position = vec4(corner * 2.0 - 1.0, 0.0, 1.0);
}`;

// The eyes that are drawn at once have numbers that are known when it is compiled: an index that is not costs twice
// the time where a processor draws.
const common = (/** @type {1 | 2} */ eyes) => `#version 300 es
precision highp float;
struct Eye {
  float side; // 0 left, 1 right
  mat3 turn;
  vec3 shift;
  vec4 shown; // tangents: left, right, up, down
  vec4 drawn;
  vec3 plan; // nearest q, steps, wall
};
uniform Eye eyes[${eyes}];
uniform sampler2D frame;
uniform float nearM; // 0: the frame has no depth
uniform vec4 colourBox; // of the left eye in the frame: its size, and half a texel
uniform vec4 depthBox;
in vec2 at;
out vec4 color;

// A place of the box's map; beyond its borders its outermost texels go on.
vec2 inBox(vec4 box, float top, float side, vec2 place) {
  vec2 p = clamp(place * box.xy, box.zw, box.xy - box.zw);
  return vec2(p.x + side * box.x, p.y + top);
}
float codeAt(float side, vec2 place) {
  return textureLod(frame, inBox(depthBox, colourBox.y, side, place), 0.0).r;
}

// Place in the eye's picture, and the code there, of the ray at q.
vec3 seenAt(Eye eye, vec3 turned, float q) {
  vec3 p = turned + q * eye.shift;
  float w = max(-p.z, 1e-6);
  vec4 field = eye.drawn;
  return vec3((p.xy / w - field.xz) / (field.yw - field.xz), nearM * q / w);
}

float search(Eye eye, vec3 turned) {
  float nearest = eye.plan.x, wall = eye.plan.z;
  int steps = int(eye.plan.y);
  float edgeQ = -1.0, edgeMap = 0.0; // what is beside the edge that the ray is behind; -1: it is in front
  float lastGap = 1.0, lastMap = 2.0, lastQ = nearest;
  for (int i = 0; i <= steps; i++) {
    float q = nearest * (1.0 - float(i) / float(steps));
    vec3 ray = seenAt(eye, turned, q);
    float map = codeAt(eye.side, ray.xy);
    float gap = ray.z - map;
    if (edgeQ < 0.0) {
      if (gap <= 0.0) {
        if (map - lastMap <= wall) return mix(lastQ, q, clamp(lastGap / (lastGap - gap), 0.0, 1.0));
        float height = lastGap + lastMap - map; // of the ray above this map, a step before
        if (height > 0.0) {
          float down = mix(lastQ, q, height / (height - gap));
          if (codeAt(eye.side, seenAt(eye, turned, down).xy) >= map - wall) return down;
        }
        edgeQ = lastQ;
        edgeMap = lastMap;
      }
    } else {
      if (ray.z <= edgeMap) return edgeQ;
      if (gap > 0.0) edgeQ = -1.0; // out on the other side of something thin
    }
    lastGap = gap;
    lastMap = map;
    lastQ = q;
  }
  return max(edgeQ, 0.0);
}

// Towards the frame's depths, of the display's eye.
vec3 turnedAt(Eye eye) {
  vec4 field = eye.shown;
  return eye.turn * vec3(mix(field.x, field.y, at.x), mix(field.z, field.w, at.y), -1.0);
}
`;

// Of the nearest q: 8 bits are 1 / 255 of the longest way, which is a small part of the depth map's texel.
export const SEARCH = `${common(1)}
void main() {
  color = vec4(search(eyes[0], turnedAt(eyes[0])) / eyes[0].plan.x);
}`;

const sight = (/** @type {1 | 2} */ eyes) => `${common(eyes)}
uniform bool isClear; // whether the room is seen where the frame has nothing
uniform bool isFound; // whether SEARCH has been here
uniform sampler2D found; // both eyes side by side
uniform vec2 foundHalf; // of its texels, of an eye's half of it and of its height

vec3 colourAt(float side, vec2 place) {
  return textureLod(frame, inBox(colourBox, 0.0, side, place), 0.0).rgb;
}

float qOf(Eye eye, vec3 turned) {
  if (nearM <= 0.0) return eye.plan.x;
  if (!isFound) return search(eye, turned);
  vec2 place = clamp(vec2(at.x, 1.0 - at.y), foundHalf, 1.0 - foundHalf);
  return eye.plan.x * textureLod(found, vec2(0.5 * (place.x + eye.side), place.y), 0.0).r;
}

vec4 seen(Eye eye) {
  vec3 turned = turnedAt(eye);
  vec2 place = seenAt(eye, turned, qOf(eye, turned)).xy;
  float there = isClear && nearM > 0.0 ? smoothstep(0.002, 0.006, codeAt(eye.side, place)) : 1.0;
  return vec4(colourAt(eye.side, place) * there, there);
}
`;

export const ONE_EYE = `${sight(1)}
void main() {
  color = seen(eyes[0]);
}`;

// Both in one picture, for coloured glasses.
// Least-squares red-cyan matrices for LCDs of E. Dubois, "Conversion of a Stereo Pair to Anaglyph with the
// Least-Squares Projection Method" (2009). They hold for linear light. GLSL takes columns.
export const BOTH_EYES = `${sight(2)}
const mat3 LEFT = mat3(0.437, -0.062, -0.048, 0.449, -0.062, -0.050, 0.164, -0.024, -0.017);
const mat3 RIGHT = mat3(-0.011, 0.377, -0.026, -0.032, 0.761, -0.093, -0.007, 0.009, 1.234);

vec3 linear(vec3 c) {
  return mix(c / 12.92, pow((c + 0.055) / 1.055, vec3(2.4)), step(0.04045, c));
}
vec3 encoded(vec3 c) {
  return mix(c * 12.92, 1.055 * pow(c, vec3(1.0 / 2.4)) - 0.055, step(0.0031308, c));
}

void main() {
  vec3 sum = LEFT * linear(seen(eyes[0]).rgb) + RIGHT * linear(seen(eyes[1]).rgb);
  color = vec4(encoded(clamp(sum, 0.0, 1.0)), 1.0);
}`;

/**
 * A linked program, and where its uniforms are by name.
 * @param {WebGL2RenderingContext} gl
 * @param {string} vertex
 * @param {string} fragment
 * @returns {{program: WebGLProgram, at: Record<string, WebGLUniformLocation | null>}}
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
