import { screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { expect, it, vi } from 'vitest';
import { renderPage } from '../../testing/render';
import { answer, server } from '../../testing/server';
import { isStatementOrder, StatementsPanel } from './statements-panel';

const statement = {
  queryid: '-42',
  datname: 'shop',
  usename: 'app',
  toplevel: true,
  query: 'select * from orders where id = $1',
  calls: 1200,
  total_exec_time: 90000,
  mean_exec_time: 75,
  rows: 1200,
  shared_blks_hit: 1,
  shared_blks_read: 256,
  shared_blks_dirtied: 0,
  temp_blks_written: 0,
  wal_bytes: null,
  share: 0.31,
};

it('shows statements with units and hands a chosen order up', async () => {
  server.use(
    answer('get', '/servers/7/statements', {
      statements: [statement],
      total: { calls: 5000, total_exec_time: 290000 },
    }),
  );
  const onOrder = vi.fn();
  renderPage(
    <StatementsPanel
      serverId={7}
      range={{ from: '-1h', to: 'now' }}
      order="total_exec_time"
      interval={false}
      onOrder={onOrder}
    />,
  );
  const row = (await screen.findByText(statement.query)).closest('tr') as HTMLElement;
  for (const text of ['31.0 %', '1.5 min', '1.2 k', '75 ms', '2 MB', '–']) {
    expect(within(row).getAllByText(text).length).toBeGreaterThan(0);
  }
  await userEvent.click(screen.getByRole('button', { name: /^Calls/ }));
  expect(onOrder).toHaveBeenCalledWith('calls');
});

it('opens a long statement by keyboard', async () => {
  server.use(
    answer('get', '/servers/7/statements', { statements: [statement], total: { calls: 1, total_exec_time: 1 } }),
  );
  renderPage(
    <StatementsPanel
      serverId={7}
      range={{ from: '-1h', to: 'now' }}
      order="calls"
      interval={false}
      onOrder={() => undefined}
    />,
  );
  const button = (await screen.findByText(statement.query)).closest('button') as HTMLElement;
  button.focus();
  await userEvent.keyboard('{Enter}');
  expect(button.getAttribute('aria-expanded')).toBe('true');
});

it('takes an order from the URL only when it is a column', () => {
  expect(isStatementOrder('calls')).toBe(true);
  expect(isStatementOrder('drop table')).toBe(false);
  expect(isStatementOrder(null)).toBe(false);
});
