import { describe, expect, it } from "vitest";
import { claimDevice } from "./device";
import { memoryStore, type Store } from "./storage";

/** Web Locks as all tabs of a browser share them. */
function makeLocks() {
  const held = new Set<string>();
  return {
    request: async (name: string, _: LockOptions, callback: (lock: Lock | null) => unknown) => {
      if (held.has(name)) return callback(null);
      held.add(name);
      await callback({ name, mode: "exclusive" } as Lock);
      held.delete(name);
    },
  } as unknown as LockManager;
}

const lasting = (): Store => ({ ...memoryStore(), lasting: true });

describe("a device", () => {
  it("is another one in every tab, and comes back when its tab is gone", async () => {
    const [store, locks] = [lasting(), makeLocks()];
    const first = await claimDevice("chat", store, locks);
    const second = await claimDevice("chat", store, locks);
    expect(second.device).not.toBe(first.device);
    first.release();
    await Promise.resolve();
    await Promise.resolve();
    expect((await claimDevice("chat", store, locks)).device).toBe(first.device);
    expect((await claimDevice("chat", store, locks)).device).not.toBe(second.device);
  });

  it("is fresh with every page where there are no Web Locks", async () => {
    const store = lasting();
    const first = await claimDevice("chat", store, null as unknown as undefined);
    const second = await claimDevice("chat", store, null as unknown as undefined);
    expect(second.device).not.toBe(first.device);
    expect(first.store.lasting).toBe(false);
  });

  it("has a name that the server takes", async () => {
    expect((await claimDevice("chat", memoryStore(), makeLocks())).device).toMatch(/^[A-Za-z0-9_-]{16,64}$/);
  });
});
