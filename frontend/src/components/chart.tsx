// A time chart over uPlot: lines or a stack, shared crosshair, brushing sets the page's range.
import { useEffect, useRef } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import type { Formatter } from '../lib/format';
import { type ChartData, stack } from '../lib/series';
import { colorOf } from '../lib/theme';

interface ChartProps {
  label: string; // what a screen reader says
  data: ChartData;
  format: Formatter;
  theme: string; // a change draws anew with that theme's colours
  range: { from: number; to: number }; // milliseconds
  stacked?: boolean;
  max?: number; // fixed upper end of the scale
  onBrush: (fromMs: number, toMs: number) => void;
}

const HEIGHT = 220;
const SYNC_KEY = 'pga';

function cssVariable(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

// 24-hour times; days where the marks are days apart.
function timeMarks(_plot: uPlot, splits: number[], _axis: number, _space: number, step: number): string[] {
  return splits.map((seconds) => {
    const time = new Date(seconds * 1000);
    if (step >= 86_400) return time.toLocaleDateString(undefined, { month: 'short', day: 'numeric' });
    const clock = time.toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' });
    return step >= 60 ? clock : `${clock}:${String(time.getSeconds()).padStart(2, '0')}`;
  });
}

function axes(format: Formatter): uPlot.Axis[] {
  const stroke = cssVariable('--muted');
  const grid = { stroke: cssVariable('--line'), width: 1 };
  const common = { stroke, grid, ticks: { ...grid, size: 4 }, font: '11px system-ui, sans-serif' };
  return [
    { ...common, size: 28, values: timeMarks },
    { ...common, size: 64, values: (_plot, splits) => splits.map((split) => format(split)) },
  ];
}

// In a stack each line's legend shows its own value, not the sum that is drawn.
function seriesOf(data: ChartData, format: Formatter, stacked: boolean): uPlot.Series[] {
  const lines = data.lines.map((line, i): uPlot.Series => {
    const color = colorOf(i);
    return {
      label: line.label,
      stroke: color,
      width: stacked ? 1 : 1.5,
      points: { show: false },
      ...(stacked ? { fill: `${color}99` } : {}),
      value: (_plot, _value, _series, at) => format(at === null ? null : line.values[at]),
    };
  });
  return [{ value: (_plot, time) => (time === null ? '–' : new Date(time * 1000).toLocaleString()) }, ...lines];
}

function options(props: ChartProps, width: number): uPlot.Options {
  const { data, format, stacked = false, max, range, onBrush } = props;
  const upper = (_plot: uPlot, _min: number, found: number | null): uPlot.Range.MinMax => [
    0,
    max ?? (found ? found * 1.08 : 1),
  ];
  return {
    width,
    height: HEIGHT,
    scales: { x: { min: range.from / 1000, max: range.to / 1000 }, y: { range: upper } },
    axes: axes(format),
    series: seriesOf(data, format, stacked),
    bands: stacked ? data.lines.slice(1).map((_, i): uPlot.Band => ({ series: [i + 2, i + 1] })) : [],
    cursor: { sync: { key: SYNC_KEY }, drag: { x: true, y: false, setScale: false } },
    legend: { live: true },
    hooks: {
      setSelect: [
        (plot) => {
          if (plot.select.width < 5) return;
          const from = plot.posToVal(plot.select.left, 'x') * 1000;
          const to = plot.posToVal(plot.select.left + plot.select.width, 'x') * 1000;
          plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          onBrush(from, to);
        },
      ],
    },
  };
}

export function Chart(props: ChartProps) {
  const { label, data, theme, range, stacked = false } = props;
  const host = useRef<HTMLDivElement>(null);
  const latest = useRef(props);
  latest.current = props;

  useEffect(() => {
    const element = host.current;
    if (!element) return;
    const drawn = stacked ? stack(data) : data;
    const rows = [drawn.times, ...drawn.lines.map((line) => line.values)] as uPlot.AlignedData;
    const plot = new uPlot(options(latest.current, element.clientWidth || 600), rows, element);
    const observer = new ResizeObserver(() => {
      if (element.clientWidth > 0) plot.setSize({ width: element.clientWidth, height: HEIGHT });
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      plot.destroy();
    };
  }, [data, theme, range.from, range.to, stacked]);

  return <div className="chart" ref={host} role="img" aria-label={label} />;
}
