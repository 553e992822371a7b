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
  return read<T>(await answer.text());
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
    if (whole.length > 0) yield whole.map((line) => read<T>(line));
  }
}

/** Returns what is at an address as it is. */
export async function blobAt(path: string): Promise<Blob> {
  return (await ask(path, {})).blob();
}

/** Saves what is at an address as a file; the token goes in a header, so that no address holds it. */
export async function download(path: string, filename: string): Promise<void> {
  const address = URL.createObjectURL(await blobAt(path));
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

  /** Begins a request; what it returns is false once the answer to a later one was taken. A failure takes nothing. */
  ask(): (has?: { failed: boolean }) => boolean {
    this.asked += 1;
    const turn = this.asked;
    return ({ failed } = { failed: false }) => {
      if (turn < this.taken) return false;
      if (!failed) this.taken = turn;
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

interface Shown<T> {
  address: string | null; // of the list, without a cursor
  turn: number; // how often it had been read anew
  pages: number;
  items: T[];
  cursor: string | null;
}

/** Gets a list page by page, and anew all pages that are there; `more` is null when all of it is there. */
export function usePages<T>(path: string | null, query?: Query): Pages<T> {
  const address = path === null ? null : withQuery(path, query);
  const [turn, setTurn] = useState(0);
  const [wanted, setWanted] = useState({ address, pages: 1 });
  const [shown, setShown] = useState<Shown<T>>({ address: null, turn, pages: 0, items: [], cursor: null });
  const [failed, setFailed] = useState<{ address: string; error: Error } | null>(null);
  const [loading, setLoading] = useState(true);
  const reading = useRef({ now: false, again: false });
  const current = shown.address === address && address !== null;
  const pages = wanted.address === address ? wanted.pages : 1;
  useEffect(() => {
    if (path === null || address === null) return;
    const abort = new AbortController();
    const before = current && shown.turn === turn ? shown : null;
    reading.current = { now: true, again: false };
    setLoading(true);
    readOn<T>(path, { query, before, pages, signal: abort.signal }).then(
      (found) => {
        if (abort.signal.aborted) return;
        setShown({ address, turn, ...found });
        setFailed(null);
        read();
      },
      (error) => {
        if (abort.signal.aborted) return;
        setFailed({ address, error });
        read();
      },
    );
    function read(): void {
      setLoading(false);
      if (reading.current.again) setTurn((n) => n + 1);
      reading.current = { now: false, again: false };
    }
    return () => abort.abort();
  }, [address, wanted, turn]); // "more" after a failure wants the same page once more
  const reload = useCallback(() => {
    if (reading.current.now)
      reading.current.again = true; // one that is under way is not given up
    else setTurn((n) => n + 1);
  }, []);
  const next = current && shown.cursor !== null ? shown.pages + 1 : null;
  return {
    items: current ? shown.items : [],
    more: next === null ? null : () => setWanted({ address, pages: next }),
    error: failed?.address === address ? failed.error : null,
    loading: address !== null && (loading || !current),
    reload,
  };
}

interface Span<T> {
  query: Query | undefined;
  before: Shown<T> | null; // pages that need not be read again
  pages: number;
  signal: AbortSignal;
}

async function readOn<T>(path: string, { query, before, pages, signal }: Span<T>) {
  let read = before?.pages ?? 0;
  let cursor = before?.cursor ?? null;
  const items = before ? [...before.items] : [];
  while (read === 0 || (read < pages && cursor !== null)) {
    const page: Page<T> = await get(path, read === 0 ? query : { ...query, cursor }, signal);
    items.push(...page.items);
    cursor = page.next_cursor;
    read += 1;
  }
  return { items, cursor, pages: read };
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

/** Reads an answer; what is no JSON object or list comes from something between the page and the server. */
function read<T>(text: string): T {
  const found = json(text);
  if (typeof found === "object" && found !== null) return found as T;
  const message = "The answer could not be read: something other than the server has answered.";
  throw new RestError(message, 200, "upstream", null, true, null);
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
