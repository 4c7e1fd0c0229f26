import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

export default defineConfig({
  plugins: [react()],
  logLevel: 'warn',
  // The test runner hoists another React to the root of the workspace; two of them give a blank page.
  resolve: { dedupe: ['react', 'react-dom'] },
  build: {
    manifest: true,
    // The gzip sizes are checked by test/bundle.test.ts against the bars; Vite need not compress everything again.
    reportCompressedSize: false,
    rollupOptions: {
      onwarn(warning, report) {
        if (warning.code !== 'MODULE_LEVEL_DIRECTIVE') report(warning);
      },
    },
  },
  server: { proxy: { '/api': 'http://127.0.0.1:4280' } },
});
