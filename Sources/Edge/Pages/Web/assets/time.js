// Instants as people read them, always in the zone of the place and not of the browser.
import { locale, t } from "./i18n.js";
import { secondsUntil } from "./server-time.js";

const formatters = new Map();

function format(instant, timeZone, options) {
  const key = `${locale()} ${timeZone} ${JSON.stringify(options)}`;
  let formatter = formatters.get(key);
  if (!formatter) {
    formatter = new Intl.DateTimeFormat(locale(), { timeZone: timeZone || undefined, ...options });
    formatters.set(key, formatter);
  }
  return formatter.format(new Date(instant));
}

/// A sortable name of the local day: `2026-11-23`.
export function dayKey(instant, timeZone) {
  return new Intl.DateTimeFormat("en-CA", { timeZone: timeZone || undefined }).format(new Date(instant));
}

export const dayLong = (instant, zone) =>
  format(instant, zone, { weekday: "long", day: "numeric", month: "long" });

export const dayShort = (instant, zone) =>
  format(instant, zone, { weekday: "short", day: "numeric", month: "short" });

export const clock = (instant, zone) =>
  format(instant, zone, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

export const range = (slot) =>
  `${clock(slot.start_time, slot.time_zone)} – ${clock(slot.end_time, slot.time_zone)}`;

export const slotLine = (slot) => `${dayShort(slot.start_time, slot.time_zone)}, ${range(slot)}`;

export const moment = (instant, zone) =>
  format(instant, zone, {
    weekday: "long", day: "numeric", month: "long", hour: "2-digit", minute: "2-digit",
    hourCycle: "h23", timeZoneName: "short",
  });

/// The zone's short name: `WIB`.
export function zoneName(instant, timeZone) {
  const parts = new Intl.DateTimeFormat("id-ID", { timeZone, timeZoneName: "short" })
    .formatToParts(new Date(instant));
  return parts.find((part) => part.type === "timeZoneName")?.value ?? timeZone;
}

const units = [["day", 86400], ["hour", 3600], ["minute", 60]];

/// "5 minutes ago", "in 2 days".
export function relative(instant) {
  const seconds = secondsUntil(instant);
  const formatter = new Intl.RelativeTimeFormat(locale(), { numeric: "auto" });
  for (const [unit, length] of units) {
    if (Math.abs(seconds) >= length) return formatter.format(Math.trunc(seconds / length), unit);
  }
  return t("time.now");
}

/// Monday first, as `[value, label]` with the API's lower-case English names as values.
export function weekdays() {
  const names = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
  const formatter = new Intl.DateTimeFormat(locale(), { weekday: "short", timeZone: "UTC" });
  return names.map((name, index) => [name, formatter.format(new Date(Date.UTC(2024, 0, 1 + index)))]);
}
