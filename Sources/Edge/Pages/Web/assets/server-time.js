// The server's time: what it counts by, countdowns show, whatever the clock of this browser says.

const KEY = "janji.skew";

/// Milliseconds that the server's clock is ahead of this one. Remembered by the tab: what it held
/// before it was loaded again is shown before anything is answered.
let skew = remembered();

/// Takes in what time it was at the server, RFC 3339, at some moment between two of `Date.now()`.
/// Only as much is changed as contradicts that: an answer that took long tells little.
export function learn(timestamp, sent, received) {
  const time = Date.parse(timestamp);
  if (Number.isNaN(time)) return;
  const learnt = Math.max(time - received, Math.min(time - sent, skew));
  if (learnt === skew) return;
  skew = learnt;
  try {
    sessionStorage.setItem(KEY, String(skew));
  } catch {
    // Storage may be forbidden: the next answer tells it again.
  }
}

/// As `Date.now()`.
export const serverNow = () => Date.now() + skew;

/// Seconds from now until an instant, RFC 3339; below zero when it has passed.
export const secondsUntil = (instant) => (new Date(instant) - serverNow()) / 1000;

function remembered() {
  try {
    return Number(sessionStorage.getItem(KEY)) || 0;
  } catch {
    return 0;
  }
}
