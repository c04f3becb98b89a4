// The login form.
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { login, type User } from './api';

export function LoginPage({ onLogin, notice }: { onLogin: (user: User) => void; notice?: string | undefined }) {
  const [name, setName] = useState('');
  const [password, setPassword] = useState('');
  const attempt = useMutation({ mutationFn: login, onSuccess: (answer) => onLogin(answer.user) });
  return (
    <main className="login">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          attempt.mutate({ login: name, password });
        }}
      >
        <h1>
          <img src="/favicon.svg" alt="" width="28" height="28" /> pgAnalytics
        </h1>
        {notice && <p className="warning">{notice}</p>}
        <label>
          Login
          <input
            name="login"
            autoComplete="username"
            required
            value={name}
            onChange={(event) => setName(event.target.value)}
          />
        </label>
        <label>
          Password
          <input
            name="password"
            type="password"
            autoComplete="current-password"
            required
            value={password}
            onChange={(event) => setPassword(event.target.value)}
          />
        </label>
        <button type="submit" className="primary" disabled={attempt.isPending}>
          {attempt.isPending ? 'Logging in…' : 'Log in'}
        </button>
        {attempt.error && (
          <p className="error" role="alert">
            {attempt.error.message}
          </p>
        )}
      </form>
    </main>
  );
}
