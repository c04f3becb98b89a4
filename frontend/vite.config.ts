import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

// In development: `API_URL=https://127.0.0.1:8443 npm run dev` passes API calls on to a running backend.
export default defineConfig({
  plugins: [react()],
  build: { target: 'es2022', assetsInlineLimit: 0, reportCompressedSize: true },
  server: {
    proxy: { '/api': { target: process.env.API_URL ?? 'https://127.0.0.1:8443', secure: false, changeOrigin: true } },
  },
  test: { environment: 'jsdom', setupFiles: ['src/testing/setup.ts'], include: ['src/**/*.test.{ts,tsx}'] },
});
