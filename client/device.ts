/**
 * Which device writes. Stored devices (and with them their outboxes) outlive the tab that made them; a Web Lock says which are in
 * use. Tabs that share a socket share a device (`claimSharedDevice`); where they cannot, each takes one that no other tab holds.
 * Without Web Locks (plain HTTP, old browsers) nobody can tell whether a stored device is in use: then every page load is a fresh one.
 */

import { outboxKey } from "./outbox";
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
  { shared = true } = {},
): Promise<DeviceClaim> {
  const fresh = (): DeviceClaim => ({ device: randomId(), store: memoryStore(), release() {} });
  if (!locks || !store.lasting) return fresh();
  const listKey = `${scope}.devices`;
  for (const device of store.get<string[]>(listKey) ?? []) {
    if (!shared && device === store.get<string>(sharedKey(scope))) continue; // it may come back for it
    const release = await hold(locks, `${scope}.device.${device}`).catch(() => undefined);
    if (release) return { device, store, release };
  }
  const device = randomId();
  const release = await hold(locks, `${scope}.device.${device}`).catch(() => undefined);
  if (!release) return fresh();
  store.set(listKey, [...(store.get<string[]>(listKey) ?? []), device]);
  return { device, store, release };
}

const sharedKey = (scope: string): string => `${scope}.device`;

/**
 * The device of the tab that has the socket for all. It is always the same, and taken from a tab that is no longer the one; but first
 * come devices with messages that nobody else will send, left by tabs that had to be on their own.
 */
export async function claimSharedDevice(scope: string, store: Store, locks: Locks = navigator.locks): Promise<DeviceClaim> {
  const key = sharedKey(scope);
  const shared = store.get<string>(key);
  const waiting = (device: string) => Boolean(store.get<{ items?: unknown[] }>(outboxKey(scope, device))?.items?.length);
  const stored = store.get<string[]>(`${scope}.devices`) ?? [];
  if (!shared || !waiting(shared)) {
    for (const device of stored.filter((one) => one !== shared && waiting(one))) {
      const release = await hold(locks, `${scope}.device.${device}`).catch(() => undefined);
      if (!release) continue;
      store.set(key, device);
      return { device, store, release };
    }
  }
  if (shared) {
    const release = await hold(locks, `${scope}.device.${shared}`, { steal: true }).catch(() => undefined);
    return { device: shared, store, release: release ?? (() => {}) };
  }
  const claim = await claimDevice(scope, store, locks);
  store.set(key, claim.device);
  return claim;
}

/** Takes the lock if it is free and holds it until `release` or the end of the page. */
function hold(locks: Locks, name: string, options: LockOptions = { ifAvailable: true }): Promise<(() => void) | undefined> {
  return new Promise((resolve, reject) => {
    locks
      .request(name, options, (lock) => {
        if (!lock) return resolve(undefined);
        return new Promise<void>((release) => resolve(() => release()));
      })
      .catch(reject);
  });
}
