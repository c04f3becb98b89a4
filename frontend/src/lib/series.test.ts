import { describe, expect, it } from 'vitest';
import { ratio, stack, toChart } from './series';

const series = [
  {
    labels: { datname: 'a' },
    total: 3,
    points: [
      [1000, 1],
      [2000, 2],
    ] as [number, number | null][],
  },
  {
    labels: { datname: 'b' },
    total: 9,
    points: [
      [2000, 4],
      [3000, null],
    ] as [number, number | null][],
  },
];

describe('toChart', () => {
  it('puts all series on one time axis with gaps as null', () => {
    expect(toChart(series, (labels) => labels.datname ?? '')).toEqual({
      times: [1, 2, 3],
      lines: [
        { label: 'a', values: [1, 2, null] },
        { label: 'b', values: [null, 4, null] },
      ],
    });
  });
});

describe('stack', () => {
  it('adds up, and leaves a gap where no line has a value', () => {
    const stacked = stack(toChart(series, (labels) => labels.datname ?? ''));
    expect(stacked.lines.map((line) => line.values)).toEqual([
      [1, 2, null],
      [1, 6, null],
    ]);
  });
});

describe('ratio', () => {
  it('is null where nothing was asked for', () => {
    const hit = { label: '', values: [9, 0, null] };
    const read = { label: '', values: [1, 0, 5] };
    expect(ratio(hit, read, 'hit').values).toEqual([0.9, null, null]);
  });
});
