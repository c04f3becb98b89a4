// A server's or collector's state: colour and word, never colour alone.
const TONES: Record<string, string> = {
  up: 'good',
  active: 'good',
  late: 'warn',
  inactive: 'bad',
  unreachable: 'bad',
  revoked: 'bad',
};

export function StatusBadge({ status, title }: { status: string; title?: string | null }) {
  return (
    <span className={`badge ${TONES[status] ?? 'warn'}`} title={title ?? undefined}>
      <span aria-hidden="true">●</span> {status}
    </span>
  );
}
