// The captcha of the site, when it has one. Nothing is loaded from anybody else otherwise.
import { byId } from "./dom.js";

const READY = "janjiCaptchaReady";

export class Captcha {
  #api = null;
  #widget = null;
  #waiting = [];

  /// Draws the widget into #captcha; a site without one leaves that hidden.
  async start() {
    const response = await fetch("/assets/captcha.json", { cache: "no-cache" });
    const { provider, site_key, script, name } = await response.json();
    if (provider === "none") return;
    await new Promise((resolve, reject) => {
      window[READY] = resolve;
      const element = document.createElement("script");
      element.src = `${script}?render=explicit&onload=${READY}`;
      element.onerror = reject;
      document.head.append(element);
    });
    const root = byId("captcha");
    root.hidden = false;
    root.dataset.provider = provider;
    this.#api = window[name];
    this.#widget = this.#api.render(root, {
      sitekey: site_key, callback: () => this.#solved(),
    });
  }

  /// Whether an answer must be solved first.
  get isMissing() {
    return this.#api !== null && !this.#api.getResponse(this.#widget);
  }

  /// An answer, which is good once: the widget begins anew. Waits while there is none; empty on a
  /// site without a captcha.
  async take() {
    if (this.#api === null) return "";
    if (this.isMissing) await new Promise((resolve) => this.#waiting.push(resolve));
    const token = this.#api.getResponse(this.#widget);
    this.#api.reset(this.#widget);
    return token;
  }

  #solved() {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
