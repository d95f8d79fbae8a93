import { fileURLToPath } from 'node:url';
import { paraglideVitePlugin } from '@inlang/paraglide-js';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';

const pathOf = (relative: string) => fileURLToPath(new URL(`../../${relative}`, import.meta.url));

/** Where `npm run dev` finds the server it forwards API calls to; its certificate is self-made. */
const devServer = 'https://127.0.0.1:8443';

/** Builds the console from web/ into web/dist; texts are compiled into web/paraglide first. */
export default defineConfig({
  root: pathOf('web'),
  plugins: [
    paraglideVitePlugin({
      project: pathOf('web/i18n/project.inlang'),
      outdir: pathOf('web/paraglide'),
      strategy: ['globalVariable', 'baseLocale'],
      emitReadme: false,
      emitGitIgnore: false,
    }),
    svelte({ configFile: pathOf('scripts/config/svelte.config.js') }),
  ],
  build: {
    outDir: pathOf('web/dist'),
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0, // the content security policy allows no inline code, and files cache better
    chunkSizeWarningLimit: 700, // hls.js alone
  },
  server: { proxy: { '/api': { target: devServer, secure: false, ws: true, changeOrigin: false } } },
});
