// The JSON API behind one function: an answer's `data`, or an `ApiError`.
import { learn } from "./server-time.js";

const TIMEOUT_MS = 15000;
const UPLOAD_TIMEOUT_MS = 60000;

export class ApiError extends Error {
  constructor({ status, code, message, details, retryAfter }) {
    super(message || code);
    this.status = status;
    this.code = code;
    this.details = Array.isArray(details) ? details : details ? [details] : [];
    this.retryAfter = retryAfter;
  }

  /// No answer, or one that says "later": the same request may be sent again.
  get isTransient() {
    return this.status === 0 || [502, 503, 504].includes(this.status)
      || this.code === "REQUEST_IN_PROGRESS";
  }

  /// The detail message of a protobuf type, by the end of its name.
  detail(type) {
    const found = this.details.find((detail) => String(detail?.["@type"] ?? "").endsWith(type));
    return found?.value ?? found ?? null;
  }

  /// `[{ field, description }]` of google.rpc.BadRequest.
  get violations() {
    return this.detail("google.rpc.BadRequest")?.field_violations ?? [];
  }
}

/// `body`: what becomes JSON, or a file, which goes as it is.
export async function call(method, path, body) {
  const isFile = body instanceof Blob;
  let response;
  let payload = null;
  const sent = Date.now();
  try {
    response = await fetch(path, {
      method,
      credentials: "same-origin",
      cache: "no-store",
      headers: body === undefined ? {}
        : { "Content-Type": isFile ? body.type || "application/octet-stream" : "application/json" },
      body: body === undefined || isFile ? body : JSON.stringify(body),
      signal: AbortSignal.timeout(isFile ? UPLOAD_TIMEOUT_MS : TIMEOUT_MS),
    });
    const answer = await response.text();
    payload = answer === "" ? null : JSON.parse(answer);
    learn(payload?.meta?.timestamp, sent, Date.now());
  } catch (cause) {
    // A broken body of a good answer leaves the outcome open, as a lost connection does.
    throw new ApiError({ status: 0, code: "NETWORK", message: String(cause?.message ?? cause) });
  }
  if (response.ok && payload?.success !== false) return payload?.data ?? {};
  throw new ApiError({
    status: response.status,
    retryAfter: Number(response.headers.get("Retry-After")) || null,
    code: `HTTP_${response.status}`,
    ...payload?.error,
  });
}

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/// For requests with an idempotency key: tries again, a little later each time.
export async function callPersistently(method, path, body, attempts = 3) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await call(method, path, body);
    } catch (error) {
      if (!error.isTransient || attempt >= attempts) throw error;
      await pause(Math.min((error.retryAfter ?? 0) * 1000 || attempt * 700, 5000));
    }
  }
}

/// The courses that are booked in one way (`request`, `hold`), with what their policy says.
export async function findCourses(entry) {
  const [{ courses }, { offerings }] = await Promise.all([
    call("GET", "/api/courses"), call("GET", `/api/offerings?entry=${entry}`),
  ]);
  const known = new Map((offerings ?? []).map((one) => [one.offering.id, one]));
  return (courses ?? []).filter(({ id }) => known.has(id))
    .map((course) => ({ ...known.get(course.id), ...known.get(course.id).offering, ...course }));
}

/// All open slots of a course, every page.
export async function findSlots(courseId) {
  const slots = [];
  let token = "";
  do {
    const query = new URLSearchParams({ course_id: courseId, page_size: "500" });
    if (token) query.set("page_token", token);
    const page = await call("GET", `/api/booking/availability/find-slots?${query}`);
    slots.push(...(page.slots ?? []));
    token = page.next_page_token ?? "";
  } while (token);
  return slots;
}

/// A version 4 UUID. `crypto.randomUUID` is missing on plain http away from localhost.
export function newKey() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
