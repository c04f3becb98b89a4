// The frame of every page: name, where we are, theme, who is logged in.
import type { ReactNode } from 'react';
import { Link } from 'wouter';
import type { Theme } from '../lib/theme';

interface LayoutProps {
  theme: Theme;
  onToggleTheme: () => void;
  login: string;
  onLogout: () => void;
  children: ReactNode;
}

export function Layout({ theme, onToggleTheme, login, onLogout, children }: LayoutProps) {
  return (
    <>
      <a className="skip" href="#main">
        Skip to content
      </a>
      <header className="top">
        <Link href="/" className="brand">
          <img src="/favicon.svg" alt="" width="22" height="22" /> pgAnalytics
        </Link>
        <span className="spacer" />
        <button
          type="button"
          onClick={onToggleTheme}
          aria-label={`Switch to ${theme === 'dark' ? 'light' : 'dark'} colours`}
        >
          {theme === 'dark' ? '☀' : '☾'}
        </button>
        <span className="muted">{login}</span>
        <button type="button" onClick={onLogout}>
          Log out
        </button>
      </header>
      <main id="main">{children}</main>
    </>
  );
}
