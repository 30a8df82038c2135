// A critically damped spring: goes to its target as fast as it can without passing it. The step is the exact
// solution, so that any frame rate gives the same motion.

const SMOOTHING_S = 0.09; // time constant: after six of them it has arrived
const RATE = 1 / SMOOTHING_S;

export class Spring {
  target = 0;
  value = 0;
  velocity = 0; // per second

  /** @param {number} seconds */
  advance(seconds) {
    const gap = this.value - this.target;
    const pull = this.velocity + RATE * gap;
    const decay = Math.exp(-RATE * seconds);
    this.value = this.target + (gap + pull * seconds) * decay;
    this.velocity = (this.velocity - RATE * pull * seconds) * decay;
    // Arrived: the last digits settle, so that a head at rest is the same head in every message.
    if (Math.abs(this.value - this.target) < 1e-4 && Math.abs(this.velocity) < 1e-3) {
      this.jump(this.target);
    }
  }

  get isAtRest() {
    return this.velocity === 0 && this.value === this.target;
  }

  /** @param {number} value */
  jump(value) {
    this.target = value;
    this.value = value;
    this.velocity = 0;
  }
}
