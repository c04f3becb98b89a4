// What the server page's charts ask for and how the answers become lines. Pure.
import { formatCount, formatPercent, type Formatter } from '../../lib/format';
import { type ChartData, type MetricsAnswer, ratio, toChart } from '../../lib/series';
import type { MetricsRequest } from './api';

export interface PanelSpec {
  title: string;
  hint: string;
  request: MetricsRequest;
  toData: (answer: MetricsAnswer) => ChartData;
  format: Formatter;
  stacked?: boolean;
  max?: number;
}

function perDatabase(answer: MetricsAnswer): ChartData {
  return toChart(answer.metrics[0]?.series ?? [], (labels) => labels.datname ?? 'all');
}

// Hits and reads of all databases together give one share.
function hitShare(answer: MetricsAnswer): ChartData {
  const both = answer.metrics.flatMap((metric) => metric.series.slice(0, 1));
  const { times, lines } = toChart(both, () => '');
  const [hit, read] = lines;
  if (!hit || !read) return { times, lines: [] };
  return { times, lines: [ratio(hit, read, 'from shared buffers')] };
}

// Running on a CPU (active, no wait) is a class of its own.
function perState(answer: MetricsAnswer): ChartData {
  return toChart(answer.metrics[0]?.series ?? [], (labels) => {
    if (labels.state !== 'active') return labels.state ?? 'other';
    return `active: ${labels.wait_event_type ?? 'CPU'}`;
  });
}

// The same from samples of every second: CPU at the bottom, the largest waits next to it.
function perWait(answer: MetricsAnswer): ChartData {
  const data = toChart(answer.metrics[0]?.series ?? [], (labels) => labels.wait_event_type ?? 'other');
  const isCpu = (line: { label: string }) => line.label === 'CPU';
  return { ...data, lines: [...data.lines.filter(isCpu), ...data.lines.filter((line) => !isCpu(line))] };
}

function perMode(answer: MetricsAnswer): ChartData {
  const names: Record<string, string> = { usr: 'user', system: 'system', iowait: 'waiting for disk', steal: 'stolen' };
  const series = answer.metrics.flatMap((metric) =>
    metric.series.slice(0, 1).map((one) => ({ ...one, labels: { mode: metric.metric.split('.')[1] ?? '' } })),
  );
  return toChart(series, (labels) => names[labels.mode ?? ''] ?? labels.mode ?? '');
}

export const PANELS: PanelSpec[] = [
  {
    title: 'Database load',
    hint: 'average active sessions by what they wait for, sampled every second',
    request: {
      metric: 'session_samples.seconds',
      labels: '{"state":"active"}',
      group_by: 'wait_event_type',
      limit: 12,
    },
    toData: perWait,
    format: formatCount,
    stacked: true,
  },
  {
    title: 'Active sessions',
    hint: 'what they wait for, per reading',
    request: {
      metric: 'pg_stat_activity.count',
      labels: '{"state":"active"}',
      group_by: 'state,wait_event_type',
      limit: 12,
    },
    toData: perState,
    format: formatCount,
    stacked: true,
  },
  {
    title: 'Transactions',
    hint: 'committed, per second',
    request: { metric: 'pg_stat_database.xact_commit', group_by: 'datname', limit: 8 },
    toData: perDatabase,
    format: formatCount,
    stacked: true,
  },
  {
    title: 'Cache hits',
    hint: 'share of blocks found in shared buffers',
    request: { metric: 'pg_stat_database.blks_hit,pg_stat_database.blks_read', group_by: '' },
    toData: hitShare,
    format: formatPercent,
    max: 1,
  },
  {
    title: 'CPU of the host',
    hint: 'share of all cores',
    request: {
      metric: 'system_cpu.usr,system_cpu.system,system_cpu.iowait,system_cpu.steal',
      labels: '{"cpu":"all"}',
    },
    toData: perMode,
    format: formatPercent,
    stacked: true,
    max: 1,
  },
];
