/**
 * Builds the pages into chatserver/web/static: hashed files under assets/, one html for each page beside it. Several builds in one
 * folder, because shared chunks would make the widget carry what only the console needs:
 * `--mode pages` (console, inbox, shop), `--mode widget` (the panel), `--mode loader` (widget.js, one classic script under a name
 * that sites can rely on), `--mode verify` (one html with everything in it, to be saved and used without a network).
 */

import { createHash } from "node:crypto";
import { existsSync, renameSync, rmdirSync } from "node:fs";
import { resolve } from "node:path";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

const root = import.meta.dirname;

/** Where each page's html is, and what the server calls it. */
const PAGES: Record<string, Record<string, string>> = {
  pages: { console: "console/index.html", inbox: "inbox/index.html", shop: "shop/index.html" },
  widget: { widget_frame: "widget/frame.html" },
  verify: { verify: "verify/index.html" },
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

/** Puts script and style into the html itself, and says in it that nothing else may run and nothing may be asked for. */
function inOneFile(): Plugin {
  const hashOf = (content: string) => `'sha256-${createHash("sha256").update(content).digest("base64")}'`;
  return {
    name: "in-one-file",
    enforce: "post",
    generateBundle(_, bundle) {
      const files = Object.values(bundle);
      const html = files.find(({ fileName }) => fileName.endsWith(".html"));
      const css = files.find(({ fileName }) => fileName.endsWith(".css"));
      const scripts = files.filter((file) => file.type === "chunk");
      if (html?.type !== "asset" || css?.type !== "asset" || scripts.length !== 1) throw new Error("one html, one style, one script");
      const style = String(css.source);
      const script = (scripts[0]?.code ?? "").replaceAll("</script", "<\\/script");
      const policy = `default-src 'none'; script-src ${hashOf(script)}; style-src ${hashOf(style)}; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'`;
      // Functions, because in a text `$&` would mean something.
      html.source = String(html.source)
        .replace(/<script type="module"[^>]* src=[^>]*><\/script>\s*/, "")
        .replace(/<link rel="stylesheet"[^>]*>/, () => `<style>${style}</style>`)
        .replace('<meta charset="utf-8">', (charset) => `${charset}\n<meta http-equiv="Content-Security-Policy" content="${policy}">`)
        .replace("</body>", () => `<script type="module">${script}</script>\n</body>`);
      for (const { fileName } of [css, ...scripts]) delete bundle[fileName];
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
    plugins: [...(mode === "verify" ? [inOneFile()] : []), pagesAtTop(pages)],
    test: { include: ["{client,widget,console,inbox,shop,verify}/**/*.test.ts"] },
  };
});
