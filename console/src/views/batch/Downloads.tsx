import { Button } from "../../parts";
import { download } from "../../rest";
import { jobAt } from "./types";

const FILES = [
  { label: "Report (HTML)", path: "report.html", name: "html" },
  { label: "Table (CSV)", path: "report.csv", name: "csv" },
  { label: "JUnit XML", path: "report.junit.xml", name: "junit.xml" },
  { label: "Results (JSON lines)", path: "results", name: "results.jsonl" },
  { label: "Request (JSON)", path: "request", name: "request.json" },
];

/** The files of a job, as far as it is. */
export function Downloads({ jobId }: { jobId: string }) {
  return (
    <section class="batch-downloads" aria-label="Downloads">
      <h2>Downloads</h2>
      <div class="batch-bar">
        {FILES.map((file) => (
          <Button
            key={file.path}
            onClick={() => download(`${jobAt(jobId)}/${file.path}`, `job-${jobId}.${file.name}`)}
          >
            {file.label}
          </Button>
        ))}
      </div>
    </section>
  );
}
