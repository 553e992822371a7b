// Follows one job: its room tells what is new, the REST fills in what was before, and nothing counts twice.

import { type ReadonlySignal, signal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { get, getLines, Order } from "../../rest";
import { type Entry, follow, type Place } from "../../rooms";
import { Tally } from "./tally";
import type { Brief, Job, JobRequest, JobWithSummary, Result } from "./types";
import { jobAt } from "./types";

/** Results that the page holds; further ones are in the downloads. */
export const MAX_HELD = 20_000;
/** Runs up to which the whole request is read: for the order of cases, and what was expected. */
const MAX_READ = 50_000;
const DRAW_MS = 200; // between two drawings, however many results come

export class JobLive {
  readonly tally = new Tally();
  job: JobWithSummary | null = null;
  request: JobRequest | null = null;
  place: Place = "joining";
  error: Error | null = null;
  filling = false;
  readonly drawn = signal(0);
  private readonly stopped = new AbortController();
  /** Results that there are, as far as is known; more than are held in a job that is large. */
  stored = 0;
  private readonly order = new Order();
  private asking = false; // for the request
  private timer: number | null = null;

  constructor(readonly jobId: string) {}

  /** Begins to follow; returns what ends it. */
  begin(): () => void {
    void this.refresh();
    const leave = follow(`batch_${this.jobId}`, {
      snapshot: (snapshot) => this.takeSnapshot(snapshot),
      entry: (entry) => this.take(entry),
      place: (place) => {
        const isBack = place === "live" && this.place !== "live";
        this.place = place;
        if (isBack) void this.refresh();
        this.draw();
      },
    });
    return () => {
      leave();
      this.stopped.abort();
      if (this.timer !== null) clearTimeout(this.timer);
    };
  }

  /** Reads the job again, and what could not be read before. */
  async refresh(): Promise<void> {
    const isNewest = this.order.ask();
    await this.guarded(
      async (stopped) => {
        const job = await get<JobWithSummary>(jobAt(this.jobId), {}, stopped);
        if (!isNewest()) return;
        this.job = job;
        this.error = null;
        this.wants(job.results);
        void this.readRequest(job);
      },
      () => isNewest({ failed: true }),
    );
  }

  private async readRequest(job: Job): Promise<void> {
    if (job.total_runs > MAX_READ || this.request || this.asking) return;
    this.asking = true;
    await this.guarded(async (stopped) => {
      const request = await get<JobRequest>(`${jobAt(this.jobId)}/request`, {}, stopped);
      this.request = request;
      this.tally.expect({
        cases: request.test_cases.map((one) => one.name),
        permutations: request.permutations.map((one) => one.name),
      });
    });
    this.asking = false;
  }

  private takeSnapshot(snapshot: Record<string, unknown>): void {
    this.tally.expect(snapshot as { permutations?: string[]; languages?: string[] });
    for (const brief of (snapshot.latest ?? []) as Brief[]) this.add(brief);
    this.wants(Number(snapshot.results ?? 0));
    void this.refresh();
  }

  private take(entry: Entry): void {
    if (entry.name === "batch_result") {
      const brief = entry.data as unknown as Brief;
      this.add(brief);
      this.wants(brief.index + 1);
    } else {
      this.tally.expect(entry.data as { permutations?: string[]; languages?: string[] });
      void this.refresh();
    }
  }

  private add(brief: Brief): void {
    if (brief.index < MAX_HELD && this.tally.add(brief)) this.draw();
  }

  /** Notes how many results there are, and reads those that are missing. */
  private wants(results: number): void {
    this.stored = Math.max(this.stored, results);
    this.draw();
    if (!this.filling) void this.fill();
  }

  private async fill(): Promise<void> {
    await this.guarded(async (stopped) => {
      this.filling = true;
      try {
        await this.readResults(stopped);
      } finally {
        this.filling = false; // at once: what is told of from here on begins anew
      }
    });
  }

  private async readResults(stopped: AbortSignal): Promise<void> {
    while (this.tally.known < Math.min(this.stored, MAX_HELD)) {
      const before = this.tally.known;
      const part = { from: before, limit: 500 };
      for await (const page of getLines<Result>(`${jobAt(this.jobId)}/results`, part, stopped)) {
        for (const result of page) this.add(brief(result));
      }
      if (this.tally.known === before) break; // told of before it can be read; the next entry asks again
    }
  }

  /** Does some work; what goes wrong in it is shown, unless it does not count any more. */
  private async guarded(
    work: (stopped: AbortSignal) => Promise<void>,
    counts: () => boolean = () => true,
  ): Promise<void> {
    try {
      await work(this.stopped.signal);
    } catch (error) {
      if (this.stopped.signal.aborted || !counts()) return;
      this.error = error instanceof Error ? error : new Error(String(error));
    }
    this.draw();
  }

  private draw(): void {
    if (this.timer !== null || this.stopped.signal.aborted) return;
    this.timer = window.setTimeout(() => {
      this.timer = null;
      this.drawn.value += 1;
    }, DRAW_MS);
  }
}

/** Keeps only what the matrix needs: a whole result may have hundreds of kilobytes. */
function brief(result: Result): Brief {
  return {
    index: result.index,
    permutation_name: result.permutation_name,
    test_case_name: result.test_case_name,
    language: result.language,
    verdict: result.verdict,
    match_score: result.match_score,
    response_time_sec: result.response_time_sec,
    total_llm_tokens_used: result.total_llm_tokens_used,
    llm_api_cost: result.llm_api_cost,
  };
}

/** Follows a job while the component is there; draws again at most five times a second. */
export function useJob(jobId: string): { live: JobLive; drawn: ReadonlySignal<number> } {
  const live = useMemo(() => new JobLive(jobId), [jobId]);
  useEffect(() => live.begin(), [live]);
  return { live, drawn: live.drawn };
}
