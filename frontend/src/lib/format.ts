// Numbers and times as people read them. Pure.

const DASH = '–';

const SI = ['', 'k', 'M', 'G', 'T', 'P'];

// 1234567 -> "1.23 M"; three significant digits.
export function formatCount(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return DASH;
  let scaled = Math.abs(value);
  let power = 0;
  while (scaled >= 999.5 && power < SI.length - 1) {
    scaled /= 1000;
    power++;
  }
  const digits = power === 0 && Number.isInteger(value) ? 0 : scaled < 10 ? 2 : scaled < 100 ? 1 : 0;
  const text = scaled
    .toFixed(digits)
    .replace(/(\.\d*?)0+$/, '$1')
    .replace(/\.$/, '');
  return `${value < 0 ? '-' : ''}${text}${SI[power] ? ` ${SI[power]}` : ''}`;
}

const BINARY = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

// 1536 -> "1.5 kB", with PostgreSQL's units (powers of 1024).
export function formatBytes(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return DASH;
  let scaled = Math.abs(value);
  let power = 0;
  while (scaled >= 1023.5 && power < BINARY.length - 1) {
    scaled /= 1024;
    power++;
  }
  const digits = power === 0 || scaled >= 100 ? 0 : 1;
  return `${value < 0 ? '-' : ''}${scaled.toFixed(digits).replace(/\.0$/, '')} ${BINARY[power]}`;
}

// Milliseconds -> "0.42 ms", "1.2 s", "3 min", "2.5 h".
export function formatDuration(ms: number | null | undefined): string {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return DASH;
  const steps: [number, string][] = [
    [1000, 'ms'],
    [60, 's'],
    [60, 'min'],
    [24, 'h'],
    [Infinity, 'd'],
  ];
  let value = ms;
  for (const [size, unit] of steps) {
    if (Math.abs(value) < size) {
      const digits = Math.abs(value) < 10 ? 2 : Math.abs(value) < 100 ? 1 : 0;
      return `${value
        .toFixed(digits)
        .replace(/(\.\d*?)0+$/, '$1')
        .replace(/\.$/, '')} ${unit}`;
    }
    value /= size;
  }
  return DASH;
}

export function formatPercent(share: number | null | undefined): string {
  if (share === null || share === undefined || !Number.isFinite(share)) return DASH;
  const percent = share * 100;
  if (percent > 0 && percent < 0.01) return '< 0.01 %';
  return `${percent.toFixed(percent >= 99.995 || percent === 0 ? 0 : percent > 99 || percent < 10 ? 2 : 1)} %`;
}

// How long ago, in one word: "now", "12 s ago", "3 min ago".
export function formatAgo(time: string | null | undefined, now: number): string {
  if (!time) return 'never';
  const ms = now - Date.parse(time);
  if (ms < 5000) return 'now';
  return `${formatDuration(Math.round(ms / 1000) * 1000)} ago`;
}

export type Formatter = (value: number | null | undefined) => string;
