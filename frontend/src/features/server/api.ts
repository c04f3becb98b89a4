// Time series and statements of one server.
import { api, queryString } from '../../lib/api-client';
import type { MetricsAnswer } from '../../lib/series';
import type { TimeRange } from '../../lib/time-range';

export interface MetricsRequest {
  metric: string;
  agg?: string;
  group_by?: string;
  labels?: string;
  limit?: number;
}

export function metricsQuery(serverId: number, request: MetricsRequest, range: TimeRange, interval: number | false) {
  return {
    queryKey: ['metrics', serverId, request, range],
    queryFn: ({ signal }: { signal: AbortSignal }) =>
      api.get<MetricsAnswer>(`/servers/${serverId}/metrics?${queryString({ ...request, ...range })}`, signal),
    refetchInterval: interval,
    // While a new range loads, the old picture stays, dimmed.
    placeholderData: (previous: MetricsAnswer | undefined) => previous,
  };
}

export interface Statement {
  queryid: string;
  datname: string | null;
  usename: string | null;
  toplevel: boolean | null;
  query: string | null;
  calls: number;
  total_exec_time: number;
  mean_exec_time: number | null;
  rows: number;
  shared_blks_hit: number | null;
  shared_blks_read: number | null;
  shared_blks_dirtied: number | null;
  temp_blks_written: number | null;
  wal_bytes: number | null;
  share: number | null;
}

export interface StatementsAnswer {
  statements: Statement[];
  total: { calls: number; total_exec_time: number };
}

export function statementsQuery(serverId: number, order: string, range: TimeRange, interval: number | false) {
  return {
    queryKey: ['statements', serverId, order, range],
    queryFn: ({ signal }: { signal: AbortSignal }) =>
      api.get<StatementsAnswer>(
        `/servers/${serverId}/statements?${queryString({ order, limit: 50, ...range })}`,
        signal,
      ),
    refetchInterval: interval,
    placeholderData: (previous: StatementsAnswer | undefined) => previous,
  };
}
