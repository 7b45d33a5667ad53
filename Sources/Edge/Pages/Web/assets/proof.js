// The proof of payment of a registration: uploaded once, then named by its id.
import { callPersistently, newKey } from "./api.js";

export class Proof {
  #input;
  #takeToken;
  #uploaded = { file: null, id: null };

  /// `takeToken()`: an answer of the captcha.
  constructor(input, takeToken) {
    this.#input = input;
    this.#takeToken = takeToken;
  }

  get file() {
    return this.#input.files[0] ?? null;
  }

  /// The id of the chosen file, uploaded if it is not yet; null without a file.
  async id() {
    const file = this.file;
    if (file === null) return null;
    if (this.#uploaded.file !== file) {
      const token = await this.#takeToken();
      const query = new URLSearchParams({ captcha_token: token, idempotency_key: newKey() });
      const { proof_id } = await callPersistently(
        "POST", `/api/booking/payment-proofs?${query}`, file);
      this.#uploaded = { file, id: proof_id };
    }
    return this.#uploaded.id;
  }

  /// It is lost, or a booking has it: the same file would have to be sent again.
  forget() {
    this.#uploaded = { file: null, id: null };
  }
}
