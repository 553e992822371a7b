// Makes one file that Node runs: bundle.mjs SOURCE TARGET. The bundler is the one that Vite brings.

import { build } from "esbuild";

const [source, target] = process.argv.slice(2);
await build({
  entryPoints: [source],
  outfile: target,
  bundle: true,
  format: "esm",
  platform: "node",
  logLevel: "warning",
});
