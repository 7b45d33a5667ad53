// What the page knows about the slots of one course: the newest version of each.
import { dayKey } from "./time.js";

export const isOpen = (slot) => slot.slots_remaining > 0 && slot.status === "available";

const version = (slot) => Number(slot.version ?? 0);

export class SlotBoard {
  #slots = new Map();

  get(id) {
    return this.#slots.get(id) ?? null;
  }

  get size() {
    return this.#slots.size;
  }

  clear() {
    this.#slots.clear();
  }

  /// A fetched list replaces what was known, except where a newer version already arrived.
  replace(slots) {
    const next = new Map();
    for (const slot of slots) {
      const known = this.#slots.get(slot.id);
      next.set(slot.id, known && version(known) > version(slot) ? known : slot);
    }
    this.#slots = next;
  }

  /// One change: `"applied"`, `"stale"` (older than known), or `"missing"` (unknown: refetch).
  apply(change) {
    const known = this.#slots.get(change.id);
    if (!known) return change.slots_remaining === 0 ? "stale" : "missing";
    if (change.version !== undefined && version(change) < version(known)) return "stale";
    const next = { ...known };
    for (const [key, value] of Object.entries(change)) {
      if (value !== undefined && value !== null) next[key] = value;
    }
    if (next.status === "booked" && next.slots_remaining > 0) next.status = "available";
    this.#slots.set(change.id, next);
    return "applied";
  }

  /// In order of time, grouped by the local day of the place.
  days() {
    const slots = [...this.#slots.values()].sort((one, other) =>
      one.start_time.localeCompare(other.start_time)
      || (one.instructor?.name ?? "").localeCompare(other.instructor?.name ?? ""));
    const days = new Map();
    for (const slot of slots) {
      const key = dayKey(slot.start_time, slot.time_zone);
      if (!days.has(key)) days.set(key, { key, slots: [] });
      days.get(key).slots.push(slot);
    }
    return [...days.values()];
  }
}

/// The slot changes that a live message carries, in either of its shapes: whole slots, or one
/// slot's numbers. Empty when it carries none.
export function changesIn(message) {
  const body = message.payload ?? message;
  if (Array.isArray(body.slots)) return body.slots;
  if (body.slot?.id) return [body.slot];
  const id = body.slot_id ?? body.schedule_id;
  if (!id) return [];
  const { slots_remaining, demand, status, version: number } = body;
  return [{ id, slots_remaining, demand, status, version: number }];
}

/// The demand that `booking.created` carries, as changes; empty when it carries none.
export function demandIn(message) {
  const demand = message.demand ?? message.booking?.demand;
  if (Array.isArray(demand)) {
    return demand.map((entry) => ({
      id: entry.slot_id ?? entry.id, demand: entry.demand, version: entry.version,
    }));
  }
  if (demand && typeof demand === "object") {
    return Object.entries(demand).map(([id, count]) => ({ id, demand: Number(count) }));
  }
  return [];
}
