// A panel with one chart, fed by one call of the metrics route.
import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { Chart } from '../../components/chart';
import { Panel } from '../../components/panel';
import type { Formatter } from '../../lib/format';
import type { ChartData, MetricsAnswer } from '../../lib/series';
import type { TimeRange } from '../../lib/time-range';
import { type MetricsRequest, metricsQuery } from './api';

// What all charts of the page share.
export interface ChartContext {
  serverId: number;
  range: TimeRange;
  theme: string;
  interval: number | false;
  onBrush: (fromMs: number, toMs: number) => void;
}

interface ChartPanelProps {
  context: ChartContext;
  title: string;
  hint?: string;
  request: MetricsRequest;
  toData: (answer: MetricsAnswer) => ChartData; // a stable function
  format: Formatter;
  stacked?: boolean;
  max?: number;
}

export function ChartPanel({ context, title, hint, request, toData, format, stacked, max }: ChartPanelProps) {
  const { serverId, range, theme, interval, onBrush } = context;
  const {
    data: answer,
    error,
    isPending,
    isPlaceholderData,
    refetch,
  } = useQuery(metricsQuery(serverId, request, range, interval));
  const data = useMemo(() => (answer ? toData(answer) : undefined), [answer, toData]);
  const shown = useMemo(
    () => (answer ? { from: Date.parse(answer.from), to: Date.parse(answer.to) } : { from: 0, to: 1 }),
    [answer],
  );
  const empty = !data || data.lines.every((line) => line.values.every((value) => value === null));
  return (
    <Panel
      title={title}
      loading={isPending}
      error={error}
      empty={empty}
      stale={isPlaceholderData}
      onRetry={() => void refetch()}
      {...(hint ? { hint } : {})}
    >
      {data && (
        <Chart
          label={title}
          data={data}
          format={format}
          theme={theme}
          range={shown}
          stacked={stacked ?? false}
          onBrush={onBrush}
          {...(max === undefined ? {} : { max })}
        />
      )}
    </Panel>
  );
}
