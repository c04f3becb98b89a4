import { screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { expect, it, vi } from 'vitest';
import { renderPage } from '../../testing/render';
import { answer, failure, server } from '../../testing/server';
import { LoginPage } from './login-page';

async function fillIn() {
  await userEvent.type(screen.getByLabelText('Login'), 'ada');
  await userEvent.type(screen.getByLabelText('Password'), 'wrong-or-right{Enter}');
}

it('logs in with the keyboard alone', async () => {
  const user = { id: 'u', login: 'ada', role: 'viewer' };
  server.use(answer('post', '/auth/login', { access_token: 't', expires_in: 900, user }));
  const onLogin = vi.fn();
  renderPage(<LoginPage onLogin={onLogin} />);
  await fillIn();
  await vi.waitFor(() => expect(onLogin).toHaveBeenCalledWith(user));
});

it('says why a login was refused and lets one try again', async () => {
  server.use(failure('post', '/auth/login', 401, 'credentials_invalid', 'login or password is wrong'));
  renderPage(<LoginPage onLogin={() => undefined} />);
  await fillIn();
  expect((await screen.findByRole('alert')).textContent).toBe('login or password is wrong');
  expect(screen.getByRole<HTMLButtonElement>('button', { name: 'Log in' }).disabled).toBe(false);
});
