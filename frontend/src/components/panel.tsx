// A titled box with the four states that every panel has: loading, failed, empty, and its content (dimmed when stale).
import type { ReactNode } from 'react';
import { ApiError } from '../lib/api-client';

interface PanelProps {
  title: string;
  hint?: string;
  loading: boolean;
  error: Error | null;
  empty: boolean;
  emptyText?: string;
  stale?: boolean;
  onRetry: () => void;
  children: ReactNode;
}

function Failure({ error, onRetry }: { error: Error; onRetry: () => void }) {
  return (
    <div className="panel-state" role="alert">
      <p>{error.message}</p>
      {error instanceof ApiError && error.body.hint && <p className="muted">{error.body.hint}</p>}
      {error instanceof ApiError && error.body.request_id && <p className="muted">request {error.body.request_id}</p>}
      <button type="button" onClick={onRetry}>
        Try again
      </button>
    </div>
  );
}

export function Panel({ title, hint, loading, error, empty, emptyText, stale, onRetry, children }: PanelProps) {
  const content = () => {
    if (loading) return <div className="panel-state skeleton" aria-label={`${title} is loading`} />;
    if (error && empty) return <Failure error={error} onRetry={onRetry} />;
    if (empty) return <p className="panel-state muted">{emptyText ?? 'No readings in this range.'}</p>;
    return <div className={stale ? 'stale' : undefined}>{children}</div>;
  };
  return (
    <section className="panel" aria-label={title}>
      <header>
        <h2>{title}</h2>
        {hint && <span className="muted">{hint}</span>}
        {error && !empty && <span className="warning">not up to date: {error.message}</span>}
      </header>
      {content()}
    </section>
  );
}
