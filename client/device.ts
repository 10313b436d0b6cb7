/**
 * One device per tab. Stored devices (and with them their outboxes) outlive the tab; a new tab takes the first one that no other
 * tab holds by a Web Lock. Without Web Locks (plain HTTP, old browsers) nobody can tell whether a stored device is in use, so
 * every page load is a fresh device.
 */

import { randomId } from "./random";
import { memoryStore, type Store } from "./storage";

export interface DeviceClaim {
  device: string;
  /** Where this device's outbox belongs: in memory when the device itself will not be found again. */
  store: Store;
  release(): void;
}

type Locks = Pick<LockManager, "request">;

export async function claimDevice(
  scope: string,
  store: Store,
  locks: Locks | undefined = navigator.locks,
): Promise<DeviceClaim> {
  const fresh = (): DeviceClaim => ({ device: randomId(), store: memoryStore(), release() {} });
  if (!locks || !store.lasting) return fresh();
  const listKey = `${scope}.devices`;
  for (const device of store.get<string[]>(listKey) ?? []) {
    const release = await hold(locks, `${scope}.device.${device}`).catch(() => undefined);
    if (release) return { device, store, release };
  }
  const device = randomId();
  const release = await hold(locks, `${scope}.device.${device}`).catch(() => undefined);
  if (!release) return fresh();
  store.set(listKey, [...(store.get<string[]>(listKey) ?? []), device]);
  return { device, store, release };
}

/** Takes the lock if it is free and holds it until `release` or the end of the page. */
function hold(locks: Locks, name: string): Promise<(() => void) | undefined> {
  return new Promise((resolve, reject) => {
    locks
      .request(name, { ifAvailable: true }, (lock) => {
        if (!lock) return resolve(undefined);
        return new Promise<void>((release) => resolve(() => release()));
      })
      .catch(reject);
  });
}
