// Folds a chat's room as the page does. Reads {entries, snapshots} and writes the state that each snapshot comes to
// with the entries after it, in the form of the server's snapshots.

import { readFileSync } from "node:fs";
import { nodes, path } from "../src/conversation/branches";
import { chatFold } from "../src/conversation/fold";
import type { ChatState, Message } from "../src/conversation/types";
import type { Entry } from "../src/rooms";

interface Given {
  entries: Entry[];
  /** The server's snapshot after so many entries. */
  snapshots: { after: number; snapshot: Record<string, unknown> }[];
}

const given = JSON.parse(readFileSync(0, "utf8")) as Given;
const states = given.snapshots.map(({ after, snapshot }) => {
  const later = given.entries.slice(after);
  return shown(later.reduce(chatFold.apply, chatFold.start(snapshot)));
});
process.stdout.write(JSON.stringify(states));

function shown(state: ChatState): Record<string, unknown> {
  return {
    messages: state.messages.map((message) => placed(message, state)),
    hints: state.hints,
    responses: state.responses,
    grades: state.grades,
    ended: state.ended,
    ...(state.typing && { typing: state.typing }),
    ...(state.voice && { voice: state.voice }),
    ...(state.running && { running: state.running }),
  };
}

/** A message with its place among its siblings, as the page shows it on the path through it. */
function placed(message: Message, state: ChatState): Record<string, unknown> {
  const all = nodes({ messages: state.messages, running: null });
  const here = path(all, message.id).find((one) => one.id === message.id);
  return { ...message, sibling_index: here?.index, sibling_count: here?.siblings.length };
}
