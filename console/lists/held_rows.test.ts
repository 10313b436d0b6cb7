import { describe, expect, it } from "vitest";
import { heldRows } from "./held_rows";

const item = (ticket: number, topic = "") => ({ ticket, topic });
const shown = (rows: ReturnType<typeof heldRows<ReturnType<typeof item>>>) => rows.map((row) => (row.gone ? -row.item.ticket : row.item.ticket));

describe("heldRows", () => {
  it("shows the items as they are while nobody points at the list", () => {
    expect(shown(heldRows(null, [item(2), item(1)]))).toEqual([2, 1]);
  });

  it("keeps the place of a row that left, and says that it is gone", () => {
    const held = heldRows(null, [item(1), item(2), item(3)]);
    expect(shown(heldRows(held, [item(1), item(3)]))).toEqual([1, -2, 3]);
  });

  it("puts a new row at the end, even one that would sort first", () => {
    const held = heldRows(null, [item(5), item(6)]);
    expect(shown(heldRows(held, [item(1), item(5), item(6)]))).toEqual([5, 6, 1]);
  });

  it("lets a row go at once that the reader took", () => {
    const held = heldRows(null, [item(1), item(2), item(3)]);
    expect(shown(heldRows(held, [item(3)], (ticket) => ticket === 1))).toEqual([-2, 3]);
  });

  it("brings a row back where it was", () => {
    const held = heldRows(heldRows(null, [item(1), item(2)]), [item(2)]);
    expect(shown(held)).toEqual([-1, 2]);
    expect(shown(heldRows(held, [item(1), item(2)]))).toEqual([1, 2]);
  });

  it("shows what changed inside a row at once", () => {
    const held = heldRows(null, [item(1, "Returns")]);
    expect(heldRows(held, [item(1, "Delivery")])[0]?.item.topic).toBe("Delivery");
  });
});
