// From the API's series to what a chart draws. Pure.

export type Point = [number, number | null];

export interface Series {
  labels: Record<string, string>;
  total: number | null;
  points: Point[];
}

export interface Metric {
  metric: string;
  kind: 'counter' | 'gauge';
  unit: string;
  agg: string;
  truncated: boolean;
  series: Series[];
}

export interface MetricsAnswer {
  from: string;
  to: string;
  step_ms: number;
  metrics: Metric[];
}

export interface ChartLine {
  label: string;
  values: (number | null)[];
}

export interface ChartData {
  times: number[]; // seconds since 1970, as uPlot wants them
  lines: ChartLine[];
}

// Every time that any series has, ascending.
function allTimes(series: Series[]): number[] {
  const times = new Set<number>();
  for (const one of series) for (const [time] of one.points) times.add(time);
  return [...times].sort((a, b) => a - b);
}

export function toChart(series: Series[], labelOf: (labels: Record<string, string>) => string): ChartData {
  const times = allTimes(series);
  const index = new Map(times.map((time, i) => [time, i]));
  const lines = series.map((one) => {
    const values: (number | null)[] = new Array<number | null>(times.length).fill(null);
    for (const [time, value] of one.points) {
      const at = index.get(time);
      if (at !== undefined) values[at] = value;
    }
    return { label: labelOf(one.labels), values };
  });
  return { times: times.map((time) => time / 1000), lines };
}

// Each line on top of those before it; null counts as nothing where any line has a value.
export function stack(data: ChartData): ChartData {
  const sums = new Array<number>(data.times.length).fill(0);
  const known = data.times.map((_, i) => data.lines.some((line) => line.values[i] !== null));
  const lines = data.lines.map((line) => ({
    label: line.label,
    values: line.values.map((value, i) => {
      sums[i] = (sums[i] ?? 0) + (value ?? 0);
      return known[i] ? (sums[i] ?? null) : null;
    }),
  }));
  return { times: data.times, lines };
}

// hit / (hit + read) at each time; null where nothing was asked for.
export function ratio(part: ChartLine, other: ChartLine, label: string): ChartLine {
  return {
    label,
    values: part.values.map((value, i) => {
      const rest = other.values[i];
      if (value === null || rest === null || rest === undefined || value + rest === 0) return null;
      return value / (value + rest);
    }),
  };
}
