import { route } from "../../router";
import "./style.css";
import { Compare } from "./compare";
import { Tests } from "./list";
import { RunPage } from "./run";
import { TestPage } from "./test";

/** Tests: the list, one of them, one of its runs, two compared: #/tests/<id>/<run>, #/tests/compare/<id>/<id>. */
export default function View() {
  const [first, second, third] = route.value.path;
  if (!first) return <Tests />;
  if (first === "compare" && second && third)
    return <Compare key={second + third} one={second} other={third} />;
  if (second) return <RunPage key={second} testId={first} id={second} />;
  return <TestPage key={first} id={first} />;
}
