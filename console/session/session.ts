/** Who is signed in. */

import { call, HttpError } from "../../client/http";
import type { Department, PersonRole } from "../../client/protocol";

export interface Agent {
  id: string;
  name: string;
  email: string;
  role: PersonRole;
  departments: Department[];
}

export type Session =
  | { readonly page: "loading" }
  | { readonly page: "unreachable" }
  | { readonly page: "setup"; readonly secret: string }
  | { readonly page: "sign-in"; readonly told: "signed-out" | "ended" | "set-up-over" | "set-up-needed" | null }
  | { readonly page: "in"; readonly agent: Agent };

export type Refusal =
  | { readonly kind: "wrong" }
  | { readonly kind: "wait"; readonly until: number }
  | { readonly kind: "link" }
  | { readonly kind: "invalid"; readonly message: string }
  | { readonly kind: "offline" }
  | { readonly kind: "server" };

const SESSIONS = "/api/v1/agent-sessions";
const SETUP = "/api/v1/setup";

export async function findSession(secret: string | null): Promise<Session> {
  try {
    const { needed } = await call<{ needed: boolean }>("GET", SETUP);
    if (needed && secret !== null) return { page: "setup", secret };
    const agent = await signedIn();
    if (agent !== null) return { page: "in", agent };
    return { page: "sign-in", told: needed ? "set-up-needed" : secret === null ? null : "set-up-over" };
  } catch {
    return { page: "unreachable" };
  }
}

async function signedIn(): Promise<Agent | null> {
  try {
    return (await call<{ agent: Agent }>("GET", SESSIONS)).agent;
  } catch (error) {
    if (error instanceof HttpError && error.status === 401) return null;
    throw error;
  }
}

export async function signIn(email: string, password: string): Promise<Agent> {
  return (await call<{ agent: Agent }>("POST", SESSIONS, { body: { email: email.trim(), password } })).agent;
}

export async function setUp(secret: string, name: string, email: string, password: string): Promise<Agent> {
  return (await call<{ agent: Agent }>("POST", SETUP, { body: { secret, name: name.trim(), email: email.trim(), password } })).agent;
}

export async function signOut(): Promise<void> {
  await call("DELETE", SESSIONS);
}

export async function getPass(): Promise<string> {
  return (await call<{ pass: string }>("POST", "/api/v1/passes")).pass;
}

export function refusalOf(error: unknown, now: number): Refusal {
  if (!(error instanceof HttpError)) return { kind: "server" };
  switch (error.status) {
    case 0:
      return { kind: "offline" };
    case 401:
      return { kind: "wrong" };
    case 403:
    case 404:
    case 409:
    case 410:
      return { kind: "link" };
    case 400:
    case 422:
      return { kind: "invalid", message: error.message };
    case 429:
      return { kind: "wait", until: now + (error.retryAfterMs ?? 60_000) };
    default:
      return { kind: "server" };
  }
}
