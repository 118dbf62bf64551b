import react from '@vitejs/plugin-react'
import { defineConfig } from 'vitest/config'

// `npm run dev` serves the pages and passes everything of the hub on to a running one.
const hub = process.env.COMMHUB_DEV_HUB ?? 'http://127.0.0.1:7880'

export default defineConfig({
  plugins: [react()],
  build: {
    outDir: '../commhub/static',
    emptyOutDir: true,
    // The page's security policy allows files of its own origin only: nothing may become a data: address.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 900,
    target: 'es2022',
  },
  server: {
    proxy: {
      '/api': { target: hub, secure: false },
      '/events': { target: hub, ws: true, secure: false },
      '/rtc': { target: hub, ws: true, secure: false },
    },
  },
  test: { environment: 'node', include: ['src/**/*.test.ts'] },
})
