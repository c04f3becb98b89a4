import { describe, expect, it } from 'vitest';
import { formatAgo, formatBytes, formatCount, formatDuration, formatPercent } from './format';

describe('formatCount', () => {
  it.each([
    [0, '0'],
    [7, '7'],
    [0.25, '0.25'],
    [999, '999'],
    [999.6, '1 k'],
    [1000, '1 k'],
    [1234567, '1.23 M'],
    [-45600, '-45.6 k'],
    [null, '–'],
    [Number.NaN, '–'],
  ])('%s is %s', (value, text) => expect(formatCount(value)).toBe(text));
});

describe('formatBytes', () => {
  it.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1 kB'],
    [1536, '1.5 kB'],
    [1023.9 * 1024, '1 MB'],
    [5 * 1024 ** 3, '5 GB'],
    [undefined, '–'],
  ])('%s is %s', (value, text) => expect(formatBytes(value)).toBe(text));
});

describe('formatDuration', () => {
  it.each([
    [0.42, '0.42 ms'],
    [12.34, '12.3 ms'],
    [999, '999 ms'],
    [1200, '1.2 s'],
    [180000, '3 min'],
    [9e6, '2.5 h'],
    [172800000, '2 d'],
    [null, '–'],
  ])('%s is %s', (value, text) => expect(formatDuration(value)).toBe(text));
});

describe('formatPercent', () => {
  it.each([
    [0, '0 %'],
    [1, '100 %'],
    [0.9987, '99.87 %'],
    [0.5, '50.0 %'],
    [0.0312, '3.12 %'],
    [0.0004, '0.04 %'],
    [0.00001, '< 0.01 %'],
  ])('%s is %s', (value, text) => expect(formatPercent(value)).toBe(text));
});

describe('formatAgo', () => {
  const now = Date.parse('2026-11-21T10:00:00Z');
  it.each([
    [null, 'never'],
    ['2026-11-21T09:59:58Z', 'now'],
    ['2026-11-21T09:59:40Z', '20 s ago'],
    ['2026-11-21T09:57:00Z', '3 min ago'],
  ])('%s is %s', (time, text) => expect(formatAgo(time, now)).toBe(text));
});
