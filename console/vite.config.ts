import { defineConfig } from "vite";

const server = process.env.GREENROOM_URL ?? "http://127.0.0.1:8080";

export default defineConfig({
  // the page may load from its own address only: nothing inline, no data: addresses
  build: {
    outDir: "../build/console", // moved to server/console when whole: a server may be reading there
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
  },
  esbuild: { jsx: "automatic", jsxImportSource: "preact" },
  server: {
    proxy: {
      "/api": server,
      "/socket": server,
      "/test_framework": server,
      "/socket.io": { target: server, ws: true },
    },
  },
});
