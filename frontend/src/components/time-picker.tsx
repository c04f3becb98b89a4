// Chooses the time range: presets, or two times. The range itself lives in the URL.
import { useState } from 'react';
import { isRelative, PRESETS, resolveRange, type TimeRange } from '../lib/time-range';

interface TimePickerProps {
  range: TimeRange;
  now: number;
  onChange: (range: TimeRange) => void;
}

// For <input type="datetime-local">: local time without a zone.
function toLocalInput(ms: number): string {
  const local = new Date(ms - new Date(ms).getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, 16);
}

function CustomRange({ range, now, onChange, onClose }: TimePickerProps & { onClose: () => void }) {
  const resolved = resolveRange(range, now) ?? { from: now - 3_600_000, to: now };
  const [from, setFrom] = useState(toLocalInput(resolved.from));
  const [to, setTo] = useState(toLocalInput(resolved.to));
  const valid = Date.parse(from) < Date.parse(to);
  return (
    <form
      className="custom-range"
      onSubmit={(event) => {
        event.preventDefault();
        if (!valid) return;
        onChange({ from: new Date(from).toISOString(), to: new Date(to).toISOString() });
        onClose();
      }}
    >
      <label>
        From <input type="datetime-local" value={from} onChange={(event) => setFrom(event.target.value)} />
      </label>
      <label>
        To <input type="datetime-local" value={to} onChange={(event) => setTo(event.target.value)} />
      </label>
      <button type="submit" disabled={!valid}>
        Show
      </button>
    </form>
  );
}

export function TimePicker({ range, now, onChange }: TimePickerProps) {
  const [open, setOpen] = useState(false);
  return (
    <div className="time-picker" role="group" aria-label="Time range">
      {PRESETS.map((preset) => (
        <button
          key={preset.from}
          type="button"
          aria-pressed={isRelative(range) && range.from === preset.from}
          onClick={() => onChange({ from: preset.from, to: 'now' })}
        >
          {preset.label}
        </button>
      ))}
      <button type="button" aria-pressed={!isRelative(range)} aria-expanded={open} onClick={() => setOpen(!open)}>
        {isRelative(range)
          ? 'Custom'
          : `${new Date(range.from).toLocaleString()} – ${new Date(range.to).toLocaleTimeString()}`}
      </button>
      {open && <CustomRange range={range} now={now} onChange={onChange} onClose={() => setOpen(false)} />}
    </div>
  );
}
