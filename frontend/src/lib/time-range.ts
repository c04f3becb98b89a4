// A time range as it stands in the URL: relative ("-1h" to "now") or absolute (two times). Pure.

export interface TimeRange {
  from: string;
  to: string;
}

export const DEFAULT_RANGE: TimeRange = { from: '-1h', to: 'now' };

export const PRESETS: { from: string; label: string }[] = [
  { from: '-15m', label: '15 min' },
  { from: '-1h', label: '1 h' },
  { from: '-6h', label: '6 h' },
  { from: '-24h', label: '24 h' },
  { from: '-7d', label: '7 d' },
  { from: '-30d', label: '30 d' },
];

const UNITS: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

export function isRelative(range: TimeRange): boolean {
  return range.to === 'now';
}

// Milliseconds since 1970, or undefined for text that is no time.
export function resolveTime(text: string, now: number): number | undefined {
  if (text === 'now') return now;
  const relative = /^-(\d+)([smhd])$/.exec(text);
  if (relative) return now - Number(relative[1]) * (UNITS[relative[2] ?? ''] ?? 0);
  const absolute = Date.parse(text);
  return Number.isNaN(absolute) ? undefined : absolute;
}

export function resolveRange(range: TimeRange, now: number): { from: number; to: number } | undefined {
  const from = resolveTime(range.from, now);
  const to = resolveTime(range.to, now);
  return from === undefined || to === undefined || from >= to ? undefined : { from, to };
}

export function readRange(search: string): TimeRange {
  const parameters = new URLSearchParams(search);
  const range = { from: parameters.get('from') ?? DEFAULT_RANGE.from, to: parameters.get('to') ?? DEFAULT_RANGE.to };
  return resolveRange(range, 1_800_000_000_000) || resolveRange(range, Date.now()) ? range : DEFAULT_RANGE;
}

export function writeRange(search: string, range: TimeRange): string {
  const parameters = new URLSearchParams(search);
  parameters.set('from', range.from);
  parameters.set('to', range.to);
  return parameters.toString();
}

export function absoluteRange(fromMs: number, toMs: number): TimeRange {
  return { from: new Date(Math.floor(fromMs)).toISOString(), to: new Date(Math.ceil(toMs)).toISOString() };
}

// How often a range that ends now is read anew.
export function refreshInterval(range: TimeRange, now: number): number | false {
  const resolved = resolveRange(range, now);
  if (!isRelative(range) || !resolved) return false;
  const span = resolved.to - resolved.from;
  return Math.min(Math.max(span / 360, 5000), 60_000);
}
