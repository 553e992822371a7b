import { Button } from "../../parts";
import { download } from "../../rest";
import { API } from "./types";

const FILES = [
  { label: "Report (HTML)", path: "report.html", name: "html" },
  { label: "JUnit XML", path: "report.junit.xml", name: "junit.xml" },
  { label: "Result with transcripts (JSON)", path: "", name: "json" },
];

/** The files of a result, as far as it is. */
export function Reports({ resultId }: { resultId: number }) {
  return (
    <section aria-label="Downloads">
      <h2>Downloads</h2>
      <div class="evaluators-bar">
        {FILES.map((file) => (
          <Button
            key={file.name}
            onClick={() =>
              download(`${API}/results/${resultId}/${file.path}`, `result-${resultId}.${file.name}`)
            }
          >
            {file.label}
          </Button>
        ))}
      </div>
    </section>
  );
}
