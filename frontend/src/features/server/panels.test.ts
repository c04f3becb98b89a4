import { describe, expect, it } from 'vitest';
import type { MetricsAnswer, Series } from '../../lib/series';
import { PANELS } from './panels';

function answerOf(...metrics: [string, Series[]][]): MetricsAnswer {
  return {
    from: '2026-11-21T09:00:00Z',
    to: '2026-11-21T10:00:00Z',
    step_ms: 10000,
    metrics: metrics.map(([metric, series]) => ({
      metric,
      kind: 'gauge',
      unit: '',
      agg: 'avg',
      truncated: false,
      series,
    })),
  };
}

function panel(title: string) {
  const found = PANELS.find((one) => one.title === title);
  if (!found) throw new Error(title);
  return found;
}

describe('the panels', () => {
  it('call active sessions without a wait "CPU"', () => {
    const series: Series[] = [
      { labels: { state: 'active' }, total: null, points: [[1, 2]] },
      { labels: { state: 'active', wait_event_type: 'Lock' }, total: null, points: [[1, 1]] },
    ];
    const data = panel('Active sessions').toData(answerOf(['pg_stat_activity.count', series]));
    expect(data.lines.map((line) => line.label)).toEqual(['active: CPU', 'active: Lock']);
  });

  it('put sessions on a CPU below those that wait', () => {
    const series: Series[] = [
      { labels: { wait_event_type: 'Lock' }, total: 9, points: [[1, 3]] },
      { labels: { wait_event_type: 'CPU' }, total: 3, points: [[1, 1]] },
      { labels: { wait_event_type: 'IO' }, total: 1, points: [[1, 0.5]] },
    ];
    const data = panel('Database load').toData(answerOf(['session_samples.seconds', series]));
    expect(data.lines.map((line) => line.label)).toEqual(['CPU', 'Lock', 'IO']);
  });

  it('make one share of hits and reads', () => {
    const data = panel('Cache hits').toData(
      answerOf(
        ['pg_stat_database.blks_hit', [{ labels: {}, total: 1, points: [[1, 90]] }]],
        ['pg_stat_database.blks_read', [{ labels: {}, total: 1, points: [[1, 10]] }]],
      ),
    );
    expect(data.lines).toEqual([{ label: 'from shared buffers', values: [0.9] }]);
  });

  it('are empty, not broken, when nothing is known', () => {
    for (const one of PANELS) expect(one.toData(answerOf()).lines).toEqual([]);
  });
});
