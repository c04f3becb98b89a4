// All monitored servers with their state, worst first.
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { Link } from 'wouter';
import { Panel } from '../../components/panel';
import { StatusBadge } from '../../components/status-badge';
import { formatAgo, formatBytes, formatCount, formatPercent } from '../../lib/format';
import { type Server, serversQuery } from './api';

const SEVERITY = ['unreachable', 'inactive', 'late', 'up'];

export function sortServers(servers: Server[]): Server[] {
  const rank = (server: Server) => SEVERITY.indexOf(server.status);
  return [...servers].sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name));
}

function ServerRow({ server, now }: { server: Server; now: number }) {
  return (
    <tr>
      <th scope="row">
        <Link href={`/servers/${server.id}`}>{server.name}</Link>
        <div className="muted">{server.hostname}</div>
      </th>
      <td>
        <StatusBadge status={server.status} title={server.error} />
        {server.error && <div className="muted">{server.error}</div>}
      </td>
      <td>{server.version ?? '–'}</td>
      <td>{server.in_recovery === null ? '–' : server.in_recovery ? 'standby' : 'primary'}</td>
      <td className="number">{formatCount(server.tps)}</td>
      <td className="number">{formatPercent(server.cache_hit)}</td>
      <td className="number">{formatCount(server.active_sessions)}</td>
      <td className="number">
        {formatCount(server.connections)} / {formatCount(server.max_connections)}
      </td>
      <td className="number">{formatBytes(server.size_bytes)}</td>
      <td>{formatAgo(server.last_seen, now)}</td>
    </tr>
  );
}

export function ServersPage() {
  const { data, error, isPending, refetch, dataUpdatedAt } = useQuery(serversQuery);
  const [filter, setFilter] = useState('');
  const servers = sortServers(data?.servers ?? []).filter((server) =>
    `${server.name} ${server.hostname} ${server.collector_name}`.toLowerCase().includes(filter.toLowerCase()),
  );
  return (
    <>
      <div className="page-head">
        <h1>Servers</h1>
        <input
          type="search"
          placeholder="Filter"
          aria-label="Filter servers"
          value={filter}
          onChange={(event) => setFilter(event.target.value)}
        />
      </div>
      <Panel
        title="Monitored servers"
        loading={isPending}
        error={error}
        empty={servers.length === 0}
        emptyText={
          filter ? 'No server has that in its name.' : 'No server yet: register a collector (pganalytics register).'
        }
        onRetry={() => void refetch()}
      >
        <div className="scroll">
          <table>
            <thead>
              <tr>
                <th scope="col">Server</th>
                <th scope="col">State</th>
                <th scope="col">Version</th>
                <th scope="col">Role</th>
                <th scope="col" className="number">
                  Transactions/s
                </th>
                <th scope="col" className="number">
                  Cache hits
                </th>
                <th scope="col" className="number">
                  Active
                </th>
                <th scope="col" className="number">
                  Connections
                </th>
                <th scope="col" className="number">
                  Size
                </th>
                <th scope="col">Last reading</th>
              </tr>
            </thead>
            <tbody>
              {servers.map((server) => (
                <ServerRow key={server.id} server={server} now={dataUpdatedAt} />
              ))}
            </tbody>
          </table>
        </div>
      </Panel>
    </>
  );
}
