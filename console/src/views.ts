/** The table of views: who may open which, and where it is. */

import type { ComponentType } from "preact";
import type { Role } from "./identity";

export interface View {
  name: string;
  title: string;
  roles: readonly Role[]; // an admin may open all
  load: () => Promise<{ default: ComponentType }>;
}

export const VIEWS: readonly View[] = [
  {
    name: "practise",
    title: "Practise",
    roles: ["learner", "author", "guest"],
    load: () => import("./views/practise"),
  },
  { name: "watch", title: "Watch", roles: ["author", "ops"], load: () => import("./views/watch") },
  { name: "tests", title: "Tests", roles: ["author", "ops"], load: () => import("./views/tests") },
  { name: "batch", title: "Batch", roles: ["author", "ops"], load: () => import("./views/batch") },
  {
    name: "evaluators",
    title: "Evaluators",
    roles: ["author", "ops"],
    load: () => import("./views/evaluators"),
  },
  {
    name: "playground",
    title: "Playground",
    roles: ["learner", "author", "ops"],
    load: () => import("./views/playground"),
  },
  { name: "author", title: "Author", roles: ["author"], load: () => import("./views/author") },
  { name: "ops", title: "Operations", roles: ["ops"], load: () => import("./views/ops") },
];
