import { describe, expect, it } from 'vitest';
import {
  absoluteRange,
  DEFAULT_RANGE,
  readRange,
  refreshInterval,
  resolveRange,
  resolveTime,
  writeRange,
} from './time-range';

const now = Date.parse('2026-11-21T10:00:00Z');

describe('resolveTime', () => {
  it.each([
    ['now', now],
    ['-15m', now - 900_000],
    ['-7d', now - 7 * 86_400_000],
    ['2026-11-21T09:00:00.000Z', now - 3_600_000],
    ['yesterday', undefined],
    ['-5x', undefined],
  ])('%s', (text, expected) => expect(resolveTime(text, now)).toBe(expected));
});

describe('the URL holds the range', () => {
  it('reads what it wrote and keeps other parameters', () => {
    const range = absoluteRange(now - 60_000, now);
    const search = writeRange('order=calls', range);
    expect(readRange(search)).toEqual(range);
    expect(new URLSearchParams(search).get('order')).toBe('calls');
  });
  it('falls back to the last hour for nonsense and for a range that ends before it begins', () => {
    expect(readRange('')).toEqual(DEFAULT_RANGE);
    expect(readRange('from=soon&to=now')).toEqual(DEFAULT_RANGE);
    expect(readRange('from=2026-11-21T10:00:00Z&to=2026-11-21T09:00:00Z')).toEqual(DEFAULT_RANGE);
  });
});

describe('resolveRange', () => {
  it('refuses an empty range', () => expect(resolveRange({ from: 'now', to: 'now' }, now)).toBeUndefined());
});

describe('refreshInterval', () => {
  it('is bounded for ranges that end now, and off for others', () => {
    expect(refreshInterval({ from: '-15m', to: 'now' }, now)).toBe(5000);
    expect(refreshInterval({ from: '-30d', to: 'now' }, now)).toBe(60_000);
    expect(refreshInterval(absoluteRange(now - 1000, now), now)).toBe(false);
  });
});
