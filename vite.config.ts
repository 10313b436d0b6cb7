/**
 * Builds the pages into chatserver/web/static: hashed files under assets/, one html for each page beside it. Three builds in one
 * folder, because shared chunks would make the widget carry what only the console needs:
 * `--mode pages` (console, inbox, shop), `--mode widget` (the panel), `--mode loader` (widget.js, one classic script under a name
 * that sites can rely on).
 */

import { existsSync, renameSync, rmdirSync } from "node:fs";
import { resolve } from "node:path";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

const root = import.meta.dirname;

/** Where each page's html is, and what the server calls it. */
const PAGES: Record<string, Record<string, string>> = {
  pages: { console: "console/index.html", inbox: "inbox/index.html", shop: "shop/index.html" },
  widget: { widget_frame: "widget/frame.html" },
};

/** Vite leaves html files where their sources were; the server looks for them at the top, under the names above. */
function pagesAtTop(pages: Record<string, string>): Plugin {
  let out = "";
  return {
    name: "pages-at-top",
    configResolved(config) {
      out = resolve(root, config.build.outDir);
    },
    closeBundle() {
      for (const [name, source] of Object.entries(pages)) {
        const built = resolve(out, source);
        if (!existsSync(built)) continue;
        renameSync(built, resolve(out, `${name}.html`));
        rmdirSync(resolve(built, ".."));
      }
    },
  };
}

export default defineConfig(({ mode }) => {
  const pages = Object.fromEntries(Object.entries(PAGES[mode] ?? {}).filter(([, source]) => existsSync(resolve(root, source))));
  const loader = { entry: resolve(root, "widget/embed.ts"), formats: ["iife" as const], name: "chatWidget", fileName: () => "widget.js" };
  // Lightning CSS rewrites light-dark() for browsers that lack it; everything else we use is in all of these.
  const browsers = ["chrome105", "firefox110", "safari16.4"];
  return {
    root,
    publicDir: false,
    build: {
      target: browsers,
      cssTarget: browsers,
      outDir: "chatserver/web/static",
      emptyOutDir: mode === "pages",
      assetsInlineLimit: 0,
      modulePreload: false,
      reportCompressedSize: false,
      ...(mode === "loader" ? { lib: loader } : { rolldownOptions: { input: pages } }),
    },
    plugins: [pagesAtTop(pages)],
    test: { include: ["{client,widget,console,inbox,shop}/**/*.test.ts"] },
  };
});
