// AsyncAPI's own parser reads a document and reports what it found in it.
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";

const { file } = JSON.parse(process.argv[2]);
const { document, diagnostics } = await new Parser().parse(readFileSync(file, "utf8"));
const errors = diagnostics.filter((found) => found.severity === 0);
const report = {
  errors: errors.map(({ message, path }) => `${path.join(".")}: ${message}`),
  version: document?.version() ?? null,
  messages: document?.allMessages().all().map((message) => message.name()) ?? [],
  operations: document?.allOperations().all().map((operation) => operation.id()) ?? [],
  channels: document?.allChannels().all().map((channel) => channel.address()) ?? [],
};
console.log(JSON.stringify(report));
