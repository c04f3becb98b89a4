// Dark or light: the user's choice in localStorage, else the system's. Colours live in styles.css as variables.
import { useEffect, useState } from 'react';

export type Theme = 'dark' | 'light';

const KEY = 'pga-theme';

function preferred(): Theme {
  const stored = localStorage.getItem(KEY);
  if (stored === 'dark' || stored === 'light') return stored;
  return window.matchMedia('(prefers-color-scheme: light)').matches ? 'light' : 'dark';
}

export function useTheme(): [Theme, () => void] {
  const [theme, setTheme] = useState<Theme>(preferred);
  useEffect(() => {
    document.documentElement.dataset.theme = theme;
  }, [theme]);
  const toggle = () => {
    const next = theme === 'dark' ? 'light' : 'dark';
    localStorage.setItem(KEY, next);
    setTheme(next);
  };
  return [theme, toggle];
}

// Okabe and Ito's palette, told apart by colour-blind people too.
export const PALETTE = ['#56b4e9', '#e69f00', '#009e73', '#cc79a7', '#d55e00', '#0072b2', '#b8a900', '#8c8c8c'];

export function colorOf(index: number): string {
  return PALETTE[index % PALETTE.length] ?? '#8c8c8c';
}
