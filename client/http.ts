/** Calls of docs/http.md: JSON in and out, errors as `HttpError`. */

export class HttpError extends Error {
  constructor(
    /** 0 when there was no answer at all. */
    readonly status: number,
    readonly code: string,
    message: string,
    readonly retryAfterMs?: number,
  ) {
    super(message);
  }

  /** Trying again later can help: no answer, too many requests, or the server is not ready. */
  get temporary(): boolean {
    return this.status === 0 || this.status === 408 || this.status === 429 || this.status >= 500;
  }
}

export interface CallOptions {
  body?: unknown;
  /** Sent as `Authorization: Bearer …`. */
  token?: string;
  signal?: AbortSignal;
}

export async function call<T>(method: string, path: string, { body, token, signal }: CallOptions = {}): Promise<T> {
  const headers: Record<string, string> = {};
  if (method !== "GET") headers["Content-Type"] = "application/json";
  if (token) headers.Authorization = `Bearer ${token}`;
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      headers,
      signal,
      credentials: "same-origin",
      body: method === "GET" ? undefined : JSON.stringify(body ?? {}),
    });
  } catch (cause) {
    if (signal?.aborted) throw cause;
    throw new HttpError(0, "unreachable", "The server did not answer.");
  }
  const text = await response.text();
  let answer: any;
  try {
    answer = text ? JSON.parse(text) : undefined;
  } catch {
    answer = undefined; // a proxy's error page
  }
  if (response.ok) return answer as T;
  const error = answer?.error;
  throw new HttpError(
    response.status,
    error?.code ?? "unavailable",
    error?.message ?? `The server answered ${response.status}.`,
    error?.retry_after_ms,
  );
}
