"""The warp of one pixel of one eye, for OpenGL 3.3. The plain version of the search is ``warp``.

It is what the page's ``shader.js`` does as well, so that a headset shows what a browser shows.
"""

VERTEX = """#version 330 core
out vec2 at; // from the left and the top
void main() {
  // One triangle over all.
  vec2 corner = vec2(gl_VertexID == 1 ? 2.0 : 0.0, gl_VertexID == 2 ? 2.0 : 0.0);
  at = vec2(corner.x, 1.0 - corner.y);
  gl_Position = vec4(corner * 2.0 - 1.0, 0.0, 1.0);
}
"""

FRAGMENT = """#version 330 core
uniform sampler2D frame; // as decoded, sRGB: its first row is the picture's top
uniform int eye; // 0 left, 1 right
uniform mat3 turn; // drawn_from_shown
uniform vec3 shift;
uniform vec4 shown; // tangents: left, right, up, down
uniform vec4 drawn;
uniform vec3 plan; // nearest q, steps, wall
uniform float nearM; // 0: the frame has no depth
uniform vec4 colourBox; // of the left eye in the frame, 0 to 1: its size, and half a texel
uniform vec4 depthBox;
uniform float fade; // 0: all is seen, 1: the vignette alone
uniform bool isClear; // whether the room is seen where the frame has nothing
in vec2 at;
out vec4 color; // premultiplied

const vec3 VIGNETTE = vec3(0.075, 0.082, 0.098);

// A place of the box's map; beyond its borders its outermost texels go on.
vec2 inBox(vec4 box, float top, vec2 place) {
  vec2 p = clamp(place * box.xy, box.zw, box.xy - box.zw);
  return vec2(p.x + float(eye) * box.x, p.y + top);
}
float codeAt(vec2 place) { return textureLod(frame, inBox(depthBox, colourBox.y, place), 0.0).r; }
vec3 colourAt(vec2 place) { return textureLod(frame, inBox(colourBox, 0.0, place), 0.0).rgb; }

// Place in the eye's picture, and the code there, of the ray at inverse distance q.
vec3 seenAt(vec3 turned, float q) {
  vec3 p = turned + q * shift;
  float w = max(-p.z, 1e-6);
  return vec3((p.xy / w - drawn.xz) / (drawn.yw - drawn.xz), nearM * q / w);
}

float search(vec3 turned) {
  float nearest = plan.x, wall = plan.z;
  int steps = int(plan.y);
  float edgeQ = -1.0, edgeMap = 0.0; // beside the edge that the ray is behind; -1: it is in front
  float lastGap = 1.0, lastMap = 2.0, lastQ = nearest;
  for (int i = 0; i <= steps; i++) {
    float q = nearest * (1.0 - float(i) / float(steps));
    vec3 ray = seenAt(turned, q);
    float map = codeAt(ray.xy);
    float gap = ray.z - map;
    if (edgeQ < 0.0) {
      if (gap <= 0.0) {
        if (map - lastMap <= wall)
          return mix(lastQ, q, clamp(lastGap / (lastGap - gap), 0.0, 1.0));
        float height = lastGap + lastMap - map; // of the ray above this map, a step before
        if (height > 0.0) {
          float down = mix(lastQ, q, height / (height - gap));
          if (codeAt(seenAt(turned, down).xy) >= map - wall) return down;
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

// How much of the world is left, 0 to 1, at this distance from the middle of the eye's picture.
float clearing() {
  float radius = mix(1.5, -0.3, fade);
  return 1.0 - smoothstep(radius, radius + 0.3, length(at * 2.0 - 1.0));
}

void main() {
  vec3 turned = turn * vec3(mix(shown.x, shown.y, at.x), mix(shown.z, shown.w, at.y), -1.0);
  float q = nearM > 0.0 ? search(turned) : 0.0;
  vec2 place = seenAt(turned, q).xy;
  float there = 1.0;
  if (isClear) {
    // Something is there, and it is not the frame's smeared border.
    vec2 inside = smoothstep(vec2(0.0), vec2(0.04), min(place, 1.0 - place));
    there = inside.x * inside.y;
    if (nearM > 0.0) there *= smoothstep(0.002, 0.006, codeAt(place));
  }
  float left = clearing();
  vec3 still = isClear ? vec3(0.0) : VIGNETTE; // in the room, the room itself is the still thing
  float alpha = isClear ? there * left : 1.0;
  color = vec4(isClear ? colourAt(place) * alpha : mix(still, colourAt(place), left), alpha);
}
"""
