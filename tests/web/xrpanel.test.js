import assert from "node:assert/strict";
import { test } from "node:test";

import { axisAngle, compose, rotate } from "../../server/sharp_xr/web/geometry.js";
import { Panel3d, meets } from "../../server/sharp_xr/web/xrpanel.js";
import { METRES, PIXELS, Sheet, cellsFor, sizeInWords } from "../../server/sharp_xr/web/xrsheet.js";
import { neighbour } from "../../server/sharp_xr/web/xrdoor.js";

const HEAD = { position: [1, 0.2, -2], orientation: axisAngle([0, 1, 0], 0.8) };
const scenes = Array.from({ length: 6 }, (_, i) => ({ id: `s${i}`, name: `Scene ${i}` }));

function opened(count = 6) {
  /** @type {[string, string | null][]} */
  const heard = [];
  const panel = new Panel3d({
    thumbnailUrl: (id) => id,
    onAction: (action, scene) => heard.push([action, scene?.id ?? null]),
  });
  panel.setScenes(scenes.slice(0, count), "s0");
  panel.open(HEAD);
  return { panel, heard };
}

// A ray from half a metre before the panel, straight at a place of it: 0 to 1 from its left and its top.
/** @param {Panel3d} panel */
function rayAt(panel, x = 0.5, y = 0.5) {
  assert.ok(panel.stand);
  const before = [(x - 0.5) * METRES[0], (0.5 - y) * METRES[1], 0.5];
  return compose(panel.stand, { position: before, orientation: [0, 0, 0, 1] });
}

/**
 * @param {Panel3d} panel
 * @param {string} action
 */
function press(panel, action, n = 0) {
  const cell = panel.cells.filter((one) => one.action === action)[n];
  const [x, y] = [(cell.x + cell.width / 2) / PIXELS[0], (cell.y + cell.height / 2) / PIXELS[1]];
  panel.press(rayAt(panel, x, y), HEAD);
}

test("a ray meets the panel where it points", () => {
  const { panel } = opened();
  assert.ok(panel.stand);
  for (const [x, y] of [[0.5, 0.5], [0.01, 0.99], [0.9, 0.1]]) {
    const met = meets(rayAt(panel, x, y), panel.stand);
    assert.ok(met);
    assert.ok(Math.abs(met.at[0] - x) < 1e-9 && Math.abs(met.at[1] - y) < 1e-9);
    assert.ok(Math.abs(met.metres - 0.5) < 1e-9);
  }
});

test("a ray beside the panel, away from it or from behind it does not meet it", () => {
  const { panel } = opened();
  assert.ok(panel.stand);
  assert.equal(meets(rayAt(panel, 1.01, 0.5), panel.stand), null);
  assert.equal(meets(rayAt(panel, 0.5, -0.01), panel.stand), null);
  const away = compose(rayAt(panel), { position: [0, 0, 0], orientation: axisAngle([0, 1, 0], Math.PI) });
  assert.equal(meets(away, panel.stand), null);
  const behind = compose(away, { position: [0, 0, 1], orientation: [0, 0, 0, 1] });
  assert.equal(meets(behind, panel.stand), null);
});

test("the panel stands before the head, lower than the eyes, and faces them", () => {
  const { panel } = opened();
  assert.ok(panel.stand);
  const [x, y, z] = panel.stand.position.map((value, axis) => value - HEAD.position[axis]);
  const ahead = rotate(HEAD.orientation, [0, 0, -1]);
  assert.ok(x * ahead[0] + z * ahead[2] > 0.9 && y < -0.3);
  const facing = rotate(panel.stand.orientation, [0, 0, 1]);
  assert.ok(facing[0] * -x + facing[1] * -y + facing[2] * -z > 0.99 * Math.hypot(x, y, z));
});

test("everything on the panel has a place of its own inside of it", () => {
  for (const [count, first] of [[0, 0], [1, 0], [4, 0], [6, 0], [6, 4]]) {
    const cells = cellsFor(scenes.slice(0, count), first);
    cells.forEach((a, i) => {
      assert.ok(a.x >= 0 && a.y >= 0 && a.x + a.width <= PIXELS[0] && a.y + a.height <= PIXELS[1]);
      for (const b of cells.slice(i + 1)) {
        const apart = a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y;
        assert.ok(apart, `${a.action} lies on ${b.action}`);
      }
    });
  }
});

test("a press names what is there, and turns pages", () => {
  const { panel, heard } = opened();
  press(panel, "show", 2);
  press(panel, "larger");
  press(panel, "later");
  assert.deepEqual(panel.cells.flatMap(({ scene }) => scene?.id ?? []), ["s4", "s5"]);
  press(panel, "show", 1);
  press(panel, "earlier");
  press(panel, "show", 0);
  assert.deepEqual(heard, [["show", "s2"], ["larger", null], ["show", "s5"], ["show", "s0"]]);
  assert.ok(panel.isOpen);
});

test("a page whose scenes are gone is not stayed on", () => {
  const { panel } = opened();
  press(panel, "later");
  panel.setScenes(scenes.slice(0, 3), "s0");
  assert.deepEqual(panel.cells.flatMap(({ scene }) => scene?.id ?? []), ["s0", "s1", "s2"]);
});

test("between two things nothing is pressed; beside the panel it closes, and opens again before the head", () => {
  const { panel, heard } = opened();
  panel.press(rayAt(panel, 0.001, 0.5), HEAD);
  assert.ok(panel.isOpen);
  panel.press(rayAt(panel, 0.5, -1), HEAD);
  assert.equal(panel.isOpen, false);
  panel.press(null, { ...HEAD, position: [0, 0, 0] });
  assert.ok(panel.stand && Math.hypot(panel.stand.position[0], panel.stand.position[2]) < 1.2);
  panel.press(null, HEAD); // a hand that the headset has lost points nowhere
  assert.equal(panel.isOpen, false);
  assert.deepEqual(heard, []);
});

test("trouble opens the panel once the head is known, an open one comes along when recentred", () => {
  const { panel } = opened();
  panel.close();
  panel.follow(HEAD, true);
  assert.equal(panel.isOpen, false);
  panel.tell("The server is away.");
  assert.equal(panel.isOpen, false);
  panel.follow(HEAD, false);
  const first = panel.stand;
  assert.ok(first);
  panel.tell("The server is away.");
  panel.follow({ ...HEAD, position: [9, 0, 0] }, false);
  assert.equal(panel.stand, first);
  panel.follow({ ...HEAD, position: [9, 0, 0] }, true);
  assert.ok(panel.stand && panel.stand.position[0] > 7);
});

test("the panel is painted anew when a hand points at something else, and only then", () => {
  const sheet = new Sheet({ thumbnailUrl: (id) => id });
  const isPaintedAnew = (/** @type {string[]} */ names) => {
    sheet.isStale = false;
    sheet.point(names);
    return sheet.isStale;
  };
  assert.deepEqual([[], ["larger"], ["larger"], ["larger", "show s1"], []].map(isPaintedAnew), [
    false, true, false, true, true,
  ]);
});

test("true size is named so, another by its number", () => {
  assert.match(sizeInWords(1.25 / 1.25), /a metre/);
  assert.match(sizeInWords(1.5), /1\.50 times/);
});

test("the next scene is around the end, and there is none where there is no other", () => {
  assert.equal(neighbour(scenes, "s5", 1), "s0");
  assert.equal(neighbour(scenes, "s0", -1), "s5");
  assert.equal(neighbour(scenes, "gone", 1), "s0");
  assert.equal(neighbour(scenes.slice(0, 1), "s0", 1), null);
  assert.equal(neighbour([], null, 1), null);
});
