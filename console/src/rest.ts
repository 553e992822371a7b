/** Requests to the server's REST addresses, and hooks that keep their answers. */

import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { guestId, token } from "./identity";
import { arrival } from "./socket";

export type Query = Record<string, string | number | boolean | null | undefined>;
export interface Page<T> {
  items: T[];
  next_cursor: string | null;
}

export class RestError extends Error {
  constructor(
    message: string,
    readonly status: number,
    readonly code: string,
    readonly details: unknown,
    readonly retryable: boolean,
    readonly body: unknown,
  ) {
    super(message);
    this.name = "RestError";
  }
}

export async function get<T>(path: string, query?: Query, signal?: AbortSignal): Promise<T> {
  const answer = await ask(withQuery(path, query), signal ? { signal } : {});
  return (await answer.json()) as T;
}

/** Sends JSON (or a FormData or Blob as it is) and returns the answer, null when it is empty. */
export async function send<T>(
  method: "POST" | "PUT" | "PATCH" | "DELETE",
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<T> {
  const raw = body instanceof FormData || body instanceof Blob;
  const init: RequestInit = {
    method,
    headers: raw ? headers : { "Content-Type": "application/json", ...headers },
  };
  if (body !== undefined) init.body = raw ? body : JSON.stringify(body);
  const answer = await ask(path, init);
  const text = await answer.text();
  return (text === "" ? null : json(text)) as T;
}

/** Yields what an address answers as lines of JSON while they arrive, several at once. */
export async function* getLines<T>(path: string, query?: Query, signal?: AbortSignal): AsyncGenerator<T[]> {
  const answer = await ask(withQuery(path, query), signal ? { signal } : {});
  if (answer.body === null) return;
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  const next = () =>
    reader.read().catch((error: unknown) => Promise.reject(signal?.aborted ? error : away()));
  let rest = "";
  for (let part = await next(); !part.done; part = await next()) {
    const whole = (rest + part.value).split("\n");
    rest = whole.pop() ?? "";
    if (whole.length > 0) yield whole.map((line) => JSON.parse(line) as T);
  }
}

/** Saves what is at an address as a file; the token goes in a header, so that no address holds it. */
export async function download(path: string, filename: string): Promise<void> {
  const answer = await ask(path, {});
  const address = URL.createObjectURL(await answer.blob());
  const link = document.createElement("a");
  link.href = address;
  link.download = filename;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000); // some browsers read it late
}

/** Orders answers by when they were asked for: each request gets what tells whether its answer still counts. */
export class Order {
  private asked = 0;
  private taken = 0;

  /** Begins a request; what it returns is false once the answer to a later one was taken. */
  ask(): () => boolean {
    this.asked += 1;
    const turn = this.asked;
    return () => {
      if (turn < this.taken) return false;
      this.taken = turn;
      return true;
    };
  }
}

export interface Got<T> {
  data: T | null;
  error: Error | null;
  loading: boolean;
  reload(): void;
}

/** Gets an address and again when it changes; keeps the old answer of the same address while it reloads. */
export function useGet<T>(path: string | null, query?: Query): Got<T> {
  const address = path === null ? null : withQuery(path, query);
  const [turn, setTurn] = useState(0);
  const [got, setGot] = useState<{
    address: string | null;
    data: T | null;
    error: Error | null;
    done: number;
  }>({
    address: null,
    data: null,
    error: null,
    done: -1,
  });
  useEffect(() => {
    if (address === null) return;
    const abort = new AbortController();
    get<T>(address, undefined, abort.signal).then(
      (data) => abort.signal.aborted || setGot({ address, data, error: null, done: turn }),
      (error) =>
        abort.signal.aborted ||
        setGot((old) => ({ address, data: old.address === address ? old.data : null, error, done: turn })),
    );
    return () => abort.abort();
  }, [address, turn]);
  const reload = useCallback(() => setTurn((n) => n + 1), []);
  const current = got.address === address && address !== null;
  return {
    data: current ? got.data : null,
    error: current ? got.error : null,
    loading: address !== null && (!current || got.done !== turn),
    reload,
  };
}

export interface Pages<T> {
  items: T[];
  more: (() => void) | null;
  error: Error | null;
  loading: boolean;
  reload(): void;
}

/** Gets a list page by page; `more` is null when all of it is there. */
export function usePages<T>(path: string | null, query?: Query): Pages<T> {
  const first = useGet<Page<T>>(path, query);
  const [rest, setRest] = useState<{
    of: Page<T> | null;
    items: T[];
    cursor: string | null;
    error: Error | null;
  }>({
    of: null,
    items: [],
    cursor: null,
    error: null,
  });
  const asking = useRef<Page<T> | null>(null);
  const [fetching, setFetching] = useState(false);
  const page = first.data;
  const grown = page !== null && rest.of === page;
  const cursor = grown ? rest.cursor : (page?.next_cursor ?? null);
  const items = grown ? [...(page?.items ?? []), ...rest.items] : (page?.items ?? []);

  function more(): void {
    if (path === null || page === null || asking.current === page) return;
    asking.current = page;
    setFetching(true);
    const before = grown ? rest.items : [];
    get<Page<T>>(path, { ...query, cursor })
      .then(
        (next) =>
          setRest({ of: page, items: [...before, ...next.items], cursor: next.next_cursor, error: null }),
        (error) => setRest({ of: page, items: before, cursor, error }),
      )
      .finally(() => {
        if (asking.current === page) asking.current = null;
        setFetching(false);
      });
  }
  return {
    items,
    more: cursor === null ? null : more,
    error: first.error ?? (grown ? rest.error : null),
    loading: first.loading || fetching,
    reload: first.reload,
  };
}

async function ask(address: string, init: RequestInit): Promise<Response> {
  const headers = { Accept: "application/json", ...(await credentials()), ...init.headers };
  let answer: Response;
  try {
    answer = await fetch(address, { ...init, headers });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw away();
  }
  if (!answer.ok) throw failure(answer, json(await answer.text()));
  return answer;
}

async function credentials(): Promise<Record<string, string>> {
  if (token.value !== null) return { Authorization: `Bearer ${token.value}` };
  if (guestId() === null) await arrival(); // else each request would be another guest's
  const guest = guestId();
  return guest === null ? {} : { "X-Guest-Id": guest };
}

function away(): RestError {
  const message = "The server cannot be reached. Try again in a moment.";
  return new RestError(message, 0, "unavailable", null, true, null);
}

interface Told {
  code?: string;
  message?: string;
  retryable?: boolean;
  details?: unknown;
}

function failure(answer: Response, body: unknown): RestError {
  const outer = (typeof body === "object" && body !== null ? body : {}) as Told & {
    error?: Told | string;
    detail?: unknown;
  };
  const told: Told = typeof outer.error === "object" && outer.error !== null ? outer.error : outer;
  const plain = [told.message, outer.error, outer.detail].find((text) => typeof text === "string");
  return new RestError(
    plain ? String(plain) : `The server answered ${answer.status}.`,
    answer.status,
    told.code ?? `http_${answer.status}`,
    told.details ?? outer.detail ?? null,
    told.retryable ?? [429, 502, 503, 504].includes(answer.status),
    body,
  );
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function withQuery(path: string, query: Query = {}): string {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined);
  if (given.length === 0) return path;
  const search = new URLSearchParams(given.map(([name, value]) => [name, String(value)]));
  return `${path}${path.includes("?") ? "&" : "?"}${search}`;
}
