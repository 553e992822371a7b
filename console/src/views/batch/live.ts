// Follows one job: its room tells what is new, the REST fills in what was before, and nothing counts twice.

import { type ReadonlySignal, signal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { get } from "../../rest";
import { type Entry, follow, type Place } from "../../rooms";
import { lines } from "./lines";
import { Tally } from "./tally";
import type { Brief, Job, JobRequest, JobWithSummary, Result } from "./types";

/** Results that the page holds; further ones are in the downloads. */
export const MAX_HELD = 20_000;
/** Runs up to which the whole request is read: for the order of cases, and what was expected. */
export const MAX_READ = 50_000;
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
  private stored = 0; // results that there are, as far as is known
  private timer: number | null = null;

  constructor(readonly jobId: string) {}

  /** Begins to follow; returns what ends it. */
  begin(): () => void {
    void this.refresh().then(() => this.readRequest());
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

  /** Reads the job again. */
  async refresh(): Promise<void> {
    await this.guarded(async (stopped) => {
      this.job = await get<JobWithSummary>(`/api/jobs/${this.jobId}`, {}, stopped);
      this.error = null;
      this.wants(this.job.results);
    });
  }

  /** Takes what a change of the job was answered with. */
  takeJob(job: Job): void {
    this.job = { ...job, summary: this.job?.summary ?? null };
    this.draw();
  }

  private async readRequest(): Promise<void> {
    if (!this.job || this.job.total_runs > MAX_READ || this.request) return;
    await this.guarded(async (stopped) => {
      const request = await get<JobRequest>(`/api/jobs/${this.jobId}/request`, {}, stopped);
      this.request = request;
      this.tally.expect({
        cases: request.test_cases.map((one) => one.name),
        permutations: request.permutations.map((one) => one.name),
      });
    });
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
    this.filling = true;
    await this.guarded(async (stopped) => {
      while (this.tally.known < Math.min(this.stored, MAX_HELD)) {
        const before = this.tally.known;
        for await (const page of lines<Result>(this.jobId, { from: before, limit: 500 }, stopped)) {
          for (const result of page) this.add(brief(result));
        }
        if (this.tally.known === before) break; // told of before it can be read; the next entry asks again
      }
    });
    this.filling = false;
    this.draw();
  }

  private async guarded(work: (stopped: AbortSignal) => Promise<void>): Promise<void> {
    try {
      await work(this.stopped.signal);
    } catch (error) {
      if (this.stopped.signal.aborted) return;
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
