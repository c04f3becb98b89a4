// One server: its state, four charts, its statements, all for the range in the URL.
import { useQuery } from '@tanstack/react-query';
import { useCallback, useMemo } from 'react';
import { Link, useLocation, useSearch } from 'wouter';
import { StatusBadge } from '../../components/status-badge';
import { TimePicker } from '../../components/time-picker';
import { formatAgo, formatBytes, formatCount } from '../../lib/format';
import { absoluteRange, readRange, refreshInterval, type TimeRange, writeRange } from '../../lib/time-range';
import { type Server, serverQuery } from '../servers/api';
import { ChartPanel } from './chart-panel';
import { PANELS } from './panels';
import { isStatementOrder, StatementsPanel } from './statements-panel';

function ServerHead({ server, now }: { server: Server; now: number }) {
  const facts = [
    server.version && `PostgreSQL ${server.version}`,
    server.in_recovery ? 'standby' : 'primary',
    `${formatCount(server.connections)} of ${formatCount(server.max_connections)} connections`,
    formatBytes(server.size_bytes),
    `last reading ${formatAgo(server.last_seen, now)}`,
  ];
  return (
    <>
      <h1>
        {server.name} <StatusBadge status={server.status} title={server.error} />
      </h1>
      <p className="muted">{facts.filter(Boolean).join(' · ')}</p>
      {server.error && (
        <p className="error" role="alert">
          {server.error}
        </p>
      )}
    </>
  );
}

// Range and order of the page, read from and written to the URL.
function useView() {
  const search = useSearch();
  const [path, navigate] = useLocation();
  const range = useMemo(() => readRange(search), [search]);
  const wanted = new URLSearchParams(search).get('order');
  const order = isStatementOrder(wanted) ? wanted : 'total_exec_time';
  const setRange = useCallback(
    (next: TimeRange) => navigate(`${path}?${writeRange(search, next)}`),
    [navigate, path, search],
  );
  const setOrder = useCallback(
    (next: string) => {
      const parameters = new URLSearchParams(search);
      parameters.set('order', next);
      navigate(`${path}?${parameters.toString()}`, { replace: true });
    },
    [navigate, path, search],
  );
  return { range, order, setRange, setOrder };
}

export function ServerPage({ id, theme }: { id: number; theme: string }) {
  const { data: server, error, dataUpdatedAt } = useQuery(serverQuery(id));
  const { range, order, setRange, setOrder } = useView();
  const interval = refreshInterval(range, Date.now());
  const onBrush = useCallback((from: number, to: number) => setRange(absoluteRange(from, to)), [setRange]);
  const context = useMemo(
    () => ({ serverId: id, range, theme, interval, onBrush }),
    [id, range, theme, interval, onBrush],
  );
  if (error && !server) {
    return (
      <div role="alert">
        <h1>{error.message}</h1>
        <Link href="/">All servers</Link>
      </div>
    );
  }
  return (
    <>
      <div className="page-head">
        <div>{server ? <ServerHead server={server} now={dataUpdatedAt} /> : <h1>…</h1>}</div>
        <TimePicker range={range} now={Date.now()} onChange={setRange} />
      </div>
      <div className="grid">
        {PANELS.map((panel) => (
          <ChartPanel key={panel.title} context={context} {...panel} />
        ))}
      </div>
      <StatementsPanel serverId={id} range={range} order={order} interval={interval} onOrder={setOrder} />
    </>
  );
}
