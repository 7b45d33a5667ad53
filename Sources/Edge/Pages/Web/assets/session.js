// Who is signed in. The session itself is an HttpOnly cookie that this page never sees.
import { call } from "./api.js";
import { byId, text } from "./dom.js";
import { explain } from "./errors.js";
import { t } from "./i18n.js";

export class Session {
  user = null;
  #onBegin;
  #onEnd;

  constructor(onBegin, onEnd) {
    this.#onBegin = onBegin;
    this.#onEnd = onEnd;
    byId("login-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#signIn();
    });
    byId("sign-out").addEventListener("click", () => this.#signOut());
  }

  /// Looks whether the cookie is good, and shows the page or the door.
  async resume() {
    try {
      const { user } = await call("GET", "/api/auth/me");
      this.#begin(user, false);
    } catch (error) {
      if (error.status === 401 || error.status === 403) this.#showDoor(null);
      else this.#showDoor(() => explain(error));
    }
  }

  /// True while the session is good or nobody can tell; ends it here when the server says so.
  async check() {
    try {
      await call("GET", "/api/auth/me");
      return true;
    } catch (error) {
      if (error.status !== 401) return true;
      this.over();
      return false;
    }
  }

  /// The server no longer knows the session (401, or close code 4001).
  over() {
    if (this.user) this.#end(() => t("login.over"));
  }

  async #signIn() {
    const email = byId("email").value.trim();
    const password = byId("password").value;
    const button = byId("login-submit");
    button.disabled = true;
    try {
      const { user } = await call("POST", "/api/auth/session", { email, password });
      byId("password").value = "";
      this.#begin(user, true);
    } catch (error) {
      const isWrong = [400, 401, 403].includes(error.status);
      this.#say(() => (isWrong ? t("login.wrong") : explain(error)));
      byId("password").focus();
    } finally {
      button.disabled = false;
    }
  }

  async #signOut() {
    try {
      await call("DELETE", "/api/auth/session");
    } catch (error) {
      // A cookie that is still good must not look as if it were gone.
      if (error.status !== 401) {
        this.#end(() => explain(error));
        return;
      }
    }
    this.#end(null);
  }

  #begin(user, isFresh) {
    this.user = user ?? {};
    this.#say(null);
    byId("login").hidden = true;
    byId("workspace").hidden = false;
    byId("live-state").hidden = false;
    text(byId("user-name"), this.user.name || this.user.email);
    if (isFresh) byId("admin-title").focus();
    this.#onBegin();
  }

  #end(reason) {
    this.user = null;
    this.#onEnd();
    this.#showDoor(reason);
    byId("email").focus();
  }

  #showDoor(reason) {
    byId("workspace").hidden = true;
    byId("live-state").hidden = true;
    byId("login").hidden = false;
    this.#say(reason);
  }

  #reason = null;

  #say(reason) {
    this.#reason = reason;
    this.redraw();
  }

  redraw() {
    byId("login-error").hidden = this.#reason === null;
    text(byId("login-error"), this.#reason?.());
  }
}
