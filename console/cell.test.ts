// @vitest-environment happy-dom
import { h, render } from "preact";
import { expect, it } from "vitest";
import { Cell, useCell } from "./cell";

it("is watched as soon as the component is there, not after the next picture", async () => {
  const cell = new Cell("before");
  render(h(() => h("p", null, useCell(cell)), null), document.body);
  cell.set("after");
  await Promise.resolve(); // preact renders in a microtask
  expect(document.body.textContent).toBe("after");
});
