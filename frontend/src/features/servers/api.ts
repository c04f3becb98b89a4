// The monitored servers.
import { api } from '../../lib/api-client';

export interface Server {
  id: number;
  name: string;
  collector_id: string;
  collector_name: string;
  hostname: string;
  version: string | null;
  in_recovery: boolean | null;
  status: string;
  reachable: boolean;
  error: string | null;
  postmaster_start: string | null;
  interval_ms: number | null;
  last_seen: string | null;
  tps: number | null;
  cache_hit: number | null;
  active_sessions: number | null;
  connections: number | null;
  max_connections: number | null;
  size_bytes: number | null;
}

export const serversQuery = {
  queryKey: ['servers'],
  queryFn: ({ signal }: { signal: AbortSignal }) => api.get<{ servers: Server[] }>('/servers', signal),
  refetchInterval: 10_000,
};

export function serverQuery(id: number) {
  return {
    queryKey: ['server', id],
    queryFn: ({ signal }: { signal: AbortSignal }) => api.get<Server>(`/servers/${id}`, signal),
    refetchInterval: 10_000,
  };
}
