// The warp of one pixel, and the colours of two eyes in one picture. WebGL2; the plain version of the search is
// client_openxr/sharp_xr_client/warp.py, which the tests compare it with. Where a device has not the time to search
// for each pixel, SEARCH does it for one in many first, and the others take what it found, smoothly.
//
//     q     inverse distance along the pixel's ray; its point is seen by the eye that the frame was drawn for at
//           p(q) = base + q step, in its picture at p.xy / p.z - corner, 0 to 1, with the code near_m q / p.z
//
// Base goes linearly across the display: it is worked out at the corners.
//
// So the ray is a line in the frame, from the nearest q to 0, which is infinitely far. It has met a surface
// where its code falls to that of the depth map. Where the map rose by a wall in that step, and was lower still as
// the ray came down to it, the ray has gone behind an edge, past which the frame saw nothing: then what was beside
// the edge on its farther side goes on.

/** @typedef {1 | 2} Eyes  drawn at once */
/**
 * @typedef {object} Sight
 * @property {Eyes} eyes
 * @property {boolean} isFound whether SEARCH has been there
 * @property {boolean} isClear whether the room is seen where the frame has nothing
 */

// The eyes that are drawn at once have numbers that are known when it is compiled: an index that is not costs twice
// the time where a processor draws.
const eyesOf = (/** @type {Eyes} */ eyes) => `#version 300 es
precision highp float;
struct Eye {
  float side; // 0 left, 1 right
  mat3 base; // from the place on the display
  vec3 step;
  vec2 corner; // left and upper
  vec3 plan; // nearest q, steps, wall
};
uniform Eye eyes[${eyes}];
`;

export const vertex = (/** @type {Eyes} */ eyes) => `${eyesOf(eyes)}
in vec2 corner;
out vec2 at; // from the left and the top
out vec3 bases[${eyes}];
void main() {
  at = vec2(corner.x, 1.0 - corner.y);
  for (int i = 0; i < ${eyes}; i++) bases[i] = eyes[i].base * vec3(at, 1.0);
  gl_Position = vec4(corner * 2.0 - 1.0, 0.0, 1.0);
}`;

const common = (/** @type {Eyes} */ eyes) => `${eyesOf(eyes)}
uniform sampler2D frame;
uniform float nearM; // 0: the frame has no depth
uniform vec4 colourBox; // of the left eye in the frame: its size, and half a texel
uniform vec4 depthBox;
in vec2 at;
in vec3 bases[${eyes}];
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
vec3 seenAt(Eye eye, vec3 base, float q) {
  vec3 p = base + q * eye.step;
  vec3 seen = vec3(p.xy, nearM * q) / max(p.z, 1e-6); // what is beside or behind the eye is far outside
  return vec3(seen.xy - eye.corner, seen.z);
}

float search(Eye eye, vec3 base) {
  float nearest = eye.plan.x, wall = eye.plan.z;
  int steps = int(eye.plan.y);
  float edgeQ = -1.0, edgeMap = 0.0; // what is beside the edge that the ray is behind; -1: it is in front
  float lastGap = 1.0, lastMap = 2.0, lastQ = nearest;
  for (int i = 0; i <= steps; i++) {
    float q = nearest * (1.0 - float(i) / float(steps));
    vec3 ray = seenAt(eye, base, q);
    float map = codeAt(eye.side, ray.xy);
    float gap = ray.z - map;
    if (edgeQ < 0.0) {
      if (gap <= 0.0) {
        if (map - lastMap <= wall) return mix(lastQ, q, clamp(lastGap / (lastGap - gap), 0.0, 1.0));
        float height = lastGap + lastMap - map; // of the ray above this map, a step before
        if (height > 0.0) {
          float down = mix(lastQ, q, height / (height - gap));
          if (codeAt(eye.side, seenAt(eye, base, down).xy) >= map - wall) return down;
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
`;

// Of the nearest q: 8 bits are 1 / 255 of the longest way, which is a small part of the depth map's texel.
export const SEARCH = `${common(1)}
void main() {
  color = vec4(search(eyes[0], bases[0]) / eyes[0].plan.x);
}`;

// What is known when it is compiled: where a processor draws, what is not gone through costs time too.
const sight = (/** @type {Sight} */ { eyes, isFound, isClear }) => `${common(eyes)}
uniform sampler2D found; // by SEARCH; both eyes side by side
uniform vec2 foundHalf; // of its texels, of an eye's half of it and of its height

vec3 colourAt(float side, vec2 place) {
  return textureLod(frame, inBox(colourBox, 0.0, side, place), 0.0).rgb;
}

float qOf(Eye eye, vec3 base) {
  ${isFound ? FOUND : "return nearM > 0.0 ? search(eye, base) : eye.plan.x;"}
}

vec4 seen(Eye eye, vec3 base) {
  vec2 place = seenAt(eye, base, qOf(eye, base)).xy;
  float there = ${isClear ? "nearM > 0.0 ? smoothstep(0.002, 0.006, codeAt(eye.side, place)) : 1.0" : "1.0"};
  return vec4(colourAt(eye.side, place) * there, there);
}
`;
const FOUND = `vec2 place = clamp(vec2(at.x, 1.0 - at.y), foundHalf, 1.0 - foundHalf);
  return eye.plan.x * textureLod(found, vec2(0.5 * (place.x + eye.side), place.y), 0.0).r;`;

/** What is shown. @param {Sight} sought */
export function fragment(sought) {
  return sight(sought) + (sought.eyes === 1 ? ONE_EYE : BOTH_EYES);
}

const ONE_EYE = `
void main() {
  color = seen(eyes[0], bases[0]);
}`;

// Both in one picture, for coloured glasses.
// Least-squares red-cyan matrices for LCDs of E. Dubois, "Conversion of a Stereo Pair to Anaglyph with the
// Least-Squares Projection Method" (2009). They hold for linear light. GLSL takes columns.
const BOTH_EYES = `
const mat3 LEFT = mat3(0.437, -0.062, -0.048, 0.449, -0.062, -0.050, 0.164, -0.024, -0.017);
const mat3 RIGHT = mat3(-0.011, 0.377, -0.026, -0.032, 0.761, -0.093, -0.007, 0.009, 1.234);

vec3 linear(vec3 c) {
  return mix(c / 12.92, pow((c + 0.055) / 1.055, vec3(2.4)), step(0.04045, c));
}
vec3 encoded(vec3 c) {
  return mix(c * 12.92, 1.055 * pow(c, vec3(1.0 / 2.4)) - 0.055, step(0.0031308, c));
}

void main() {
  vec3 sum = LEFT * linear(seen(eyes[0], bases[0]).rgb) + RIGHT * linear(seen(eyes[1], bases[1]).rgb);
  color = vec4(encoded(clamp(sum, 0.0, 1.0)), 1.0);
}`;
