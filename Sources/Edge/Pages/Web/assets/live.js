// A WebSocket that stays: it subscribes again after every `connected`, notices silence, and
// comes back with exponential backoff and jitter (B-21). Close code 4001 ends it.

const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 30000;
const PING_EVERY_MS = 25000;
const SILENCE_MS = 10000;

export class Live {
  #path;
  #handlers;
  #socket = null;
  #attempt = 0;
  #retry = null;
  #ping = null;
  #silence = null;
  #wanted = false;

  /// `handlers`: `subscription()` gives the message to send on `connected` (or null),
  /// `onSubscribed()` is the moment to fetch what may have been missed, `onMessage(message)`,
  /// `onState("live" | "offline")`, `onUnauthorized()`, `onLost()` before each new attempt.
  constructor(path, handlers) {
    this.#path = path;
    this.#handlers = handlers;
    addEventListener("online", () => this.#hurry());
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.#hurry();
    });
  }

  start() {
    if (this.#wanted) return;
    this.#wanted = true;
    this.#attempt = 0;
    this.#connect();
  }

  stop() {
    this.#wanted = false;
    clearTimeout(this.#retry);
    this.#socket?.close(1000);
    this.#drop();
  }

  send(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  #connect() {
    clearTimeout(this.#retry);
    const url = new URL(this.#path, location.href);
    url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(url);
    this.#socket = socket;
    socket.onmessage = (event) => {
      if (socket === this.#socket) this.#receive(event.data);
    };
    socket.onclose = (event) => {
      if (socket === this.#socket) this.#closed(event.code);
    };
  }

  #receive(data) {
    clearTimeout(this.#silence);
    let message;
    try {
      message = JSON.parse(data);
    } catch {
      return;
    }
    switch (message.type) {
    case "connected": {
      this.#attempt = 0;
      const subscription = this.#handlers.subscription();
      if (subscription) this.send(subscription);
      else this.#handlers.onState("live");
      clearInterval(this.#ping);
      this.#ping = setInterval(() => this.#probe(), PING_EVERY_MS);
      break;
    }
    case "subscribed":
      this.#handlers.onState("live");
      this.#handlers.onSubscribed();
      break;
    case "pong":
    case "unsubscribed":
      break;
    default:
      this.#handlers.onMessage(message);
    }
  }

  // Browsers hide protocol pings, so a dead path shows only when ours stays unanswered.
  #probe() {
    this.send({ type: "ping" });
    clearTimeout(this.#silence);
    const socket = this.#socket;
    this.#silence = setTimeout(() => {
      if (socket !== this.#socket) return;
      socket.close();
      this.#closed(1006);
    }, SILENCE_MS);
  }

  #drop() {
    clearInterval(this.#ping);
    clearTimeout(this.#silence);
    this.#socket = null;
    this.#handlers.onState("offline");
  }

  #closed(code) {
    this.#drop();
    if (!this.#wanted) return;
    if (code === 4001) {
      this.#wanted = false;
      this.#handlers.onUnauthorized?.();
      return;
    }
    this.#handlers.onLost?.();
    const longest = Math.min(FIRST_DELAY_MS * 2 ** this.#attempt, LONGEST_DELAY_MS);
    this.#attempt += 1;
    this.#retry = setTimeout(() => this.#connect(), longest * (0.5 + Math.random() / 2));
  }

  #hurry() {
    if (this.#wanted && this.#socket === null) this.#connect();
  }
}

/// Joins bursts: runs `work` once soon after the first call, and once more if called meanwhile.
/// The jitter keeps a thousand browsers from asking in the same millisecond.
export function coalesced(work, { delay = 60, jitter = 240 } = {}) {
  let timer = null;
  let running = false;
  let again = false;
  const run = async () => {
    timer = null;
    if (running) {
      again = true;
      return;
    }
    running = true;
    try {
      await work();
    } finally {
      running = false;
      if (again) {
        again = false;
        request();
      }
    }
  };
  const request = () => {
    timer ??= setTimeout(run, delay + Math.random() * jitter);
  };
  return request;
}
