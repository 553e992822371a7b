import { route } from "../../router";
import "./style.css";
import { JobPage } from "./JobPage";
import { Jobs } from "./Jobs";
import { NewJob } from "./NewJob";

/** Batch jobs: the list, a new one, and one of them: #/batch, #/batch/new, #/batch/<id>, #/batch/<id>/<index>. */
export default function Batch() {
  const [first, index] = route.value.path;
  if (first === undefined || first === "") return <Jobs />;
  const from = route.value.query.get("from");
  if (first === "new") return <NewJob key={from ?? ""} from={from} />;
  return <JobPage key={first} jobId={first} index={index === undefined ? null : Number(index)} />;
}
