import { screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { describe, expect, it } from 'vitest';
import { renderPage } from '../../testing/render';
import { answer, failure, server } from '../../testing/server';
import type { Server } from './api';
import { ServersPage, sortServers } from './servers-page';

function makeServer(over: Partial<Server>): Server {
  return {
    id: 1,
    name: 'main',
    collector_id: 'c',
    collector_name: 'col',
    hostname: 'db-1',
    version: '17.10',
    in_recovery: false,
    status: 'up',
    reachable: true,
    error: null,
    postmaster_start: null,
    interval_ms: 10000,
    last_seen: new Date().toISOString(),
    tps: 123.4,
    cache_hit: 0.9987,
    active_sessions: 3,
    connections: 17,
    max_connections: 100,
    size_bytes: 5 * 1024 ** 3,
    ...over,
  };
}

describe('sortServers', () => {
  it('puts the worst first, then by name', () => {
    const sorted = sortServers([
      makeServer({ name: 'b' }),
      makeServer({ name: 'a' }),
      makeServer({ name: 'z', status: 'late' }),
      makeServer({ name: 'y', status: 'unreachable' }),
    ]);
    expect(sorted.map((one) => one.name)).toEqual(['y', 'z', 'a', 'b']);
  });
});

describe('ServersPage', () => {
  it('shows state and figures, and filters by name', async () => {
    const servers = [
      makeServer({}),
      makeServer({ id: 2, name: 'reports', status: 'unreachable', error: 'connection refused' }),
    ];
    server.use(answer('get', '/servers', { servers }));
    renderPage(<ServersPage />);
    const row = (await screen.findByRole('link', { name: 'main' })).closest('tr') as HTMLElement;
    expect(within(row).getByText('99.87 %')).toBeTruthy();
    expect(within(row).getByText('17 / 100')).toBeTruthy();
    expect(screen.getByText('connection refused')).toBeTruthy();
    await userEvent.type(screen.getByRole('searchbox'), 'REP');
    expect(screen.queryByRole('link', { name: 'main' })).toBeNull();
    expect(screen.getByRole('link', { name: 'reports' }).getAttribute('href')).toBe('/servers/2');
  });

  it('says what to do when there is no server', async () => {
    server.use(answer('get', '/servers', { servers: [] }));
    renderPage(<ServersPage />);
    expect(await screen.findByText(/register a collector/)).toBeTruthy();
  });

  it('shows a failure with its request and a way to try again', async () => {
    server.use(failure('get', '/servers', 503, 'unavailable', 'the store is away'));
    renderPage(<ServersPage />);
    const alert = await screen.findByRole('alert');
    expect(within(alert).getByText('the store is away')).toBeTruthy();
    expect(within(alert).getByText('request r-1')).toBeTruthy();
    server.use(answer('get', '/servers', { servers: [makeServer({})] }));
    await userEvent.click(within(alert).getByRole('button', { name: 'Try again' }));
    expect(await screen.findByRole('link', { name: 'main' })).toBeTruthy();
  });
});
