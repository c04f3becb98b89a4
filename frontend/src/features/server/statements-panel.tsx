// The statements of the range, by total time unless another column is chosen. The order lives in the URL.
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { Panel } from '../../components/panel';
import { formatBytes, formatCount, formatDuration, formatPercent, type Formatter } from '../../lib/format';
import type { TimeRange } from '../../lib/time-range';
import { type Statement, statementsQuery } from './api';

interface Column {
  key: keyof Statement & string;
  title: string;
  format: Formatter;
}

const BLOCK = 8192;

const COLUMNS: Column[] = [
  { key: 'total_exec_time', title: 'Total time', format: formatDuration },
  { key: 'calls', title: 'Calls', format: formatCount },
  { key: 'mean_exec_time', title: 'Mean', format: formatDuration },
  { key: 'rows', title: 'Rows', format: formatCount },
  { key: 'shared_blks_read', title: 'Read', format: (blocks) => formatBytes(blocks == null ? null : blocks * BLOCK) },
  { key: 'wal_bytes', title: 'WAL', format: formatBytes },
];

export function isStatementOrder(text: string | null): text is string {
  return COLUMNS.some((column) => column.key === text);
}

function StatementRow({ statement }: { statement: Statement }) {
  const [open, setOpen] = useState(false);
  const text = statement.query ?? `query ${statement.queryid} (its text is not known yet)`;
  return (
    <tr>
      <td className="share">
        <span className="bar" aria-hidden="true">
          <span style={{ width: `${Math.round((statement.share ?? 0) * 100)}%` }} />
        </span>
        {formatPercent(statement.share)}
      </td>
      <td className="query">
        <button
          type="button"
          className="plain"
          aria-expanded={open}
          onClick={() => setOpen(!open)}
          title={open ? 'Less' : 'All of it'}
        >
          <code className={open ? 'open' : undefined}>{text}</code>
        </button>
        <div className="muted">
          {statement.datname ?? '–'} · {statement.usename ?? '–'}
          {statement.toplevel === false && ' · nested'}
        </div>
      </td>
      {COLUMNS.map((column) => (
        <td key={column.key} className="number">
          {column.format(statement[column.key] as number | null)}
        </td>
      ))}
    </tr>
  );
}

interface StatementsPanelProps {
  serverId: number;
  range: TimeRange;
  order: string;
  interval: number | false;
  onOrder: (order: string) => void;
}

export function StatementsPanel({ serverId, range, order, interval, onOrder }: StatementsPanelProps) {
  const { data, error, isPending, isPlaceholderData, refetch } = useQuery(
    statementsQuery(serverId, order, range, interval),
  );
  const statements = data?.statements ?? [];
  return (
    <Panel
      title="Statements"
      hint={data ? `${formatCount(data.total.calls)} calls, ${formatDuration(data.total.total_exec_time)} in all` : ''}
      loading={isPending}
      error={error}
      empty={statements.length === 0}
      emptyText="No statements in this range. Is pg_stat_statements installed? The collector's log says."
      stale={isPlaceholderData}
      onRetry={() => void refetch()}
    >
      <div className="scroll">
        <table className="statements">
          <thead>
            <tr>
              <th scope="col">Share</th>
              <th scope="col">Statement</th>
              {COLUMNS.map((column) => (
                <th
                  key={column.key}
                  scope="col"
                  className="number"
                  aria-sort={order === column.key ? 'descending' : 'none'}
                >
                  <button type="button" className="plain" onClick={() => onOrder(column.key)}>
                    {column.title} {order === column.key ? '▾' : ''}
                  </button>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {statements.map((statement) => (
              <StatementRow
                key={`${statement.queryid}/${statement.datname}/${statement.usename}/${statement.toplevel}`}
                statement={statement}
              />
            ))}
          </tbody>
        </table>
      </div>
    </Panel>
  );
}
