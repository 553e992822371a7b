import { useState } from "preact/hooks";
import { Badge, Button } from "../../parts";
import { ms } from "../../parts/format";
import { send } from "../../rest";
import { API } from "./types";

interface Tried {
  success: boolean;
  message: string;
  duration_ms: number;
}

/** Tries whether an agent takes a connection. */
export function VerifyAgent({ agentId }: { agentId: number }) {
  const [tried, setTried] = useState<Tried | null>(null);
  const verify = async (): Promise<void> =>
    setTried(await send<Tried>("POST", `${API}/aiagents/verify-websocket/`, { agent_id: agentId }));
  return (
    <>
      <Button onClick={verify}>Try the connection</Button>
      <output>
        {tried && (
          <>
            <Badge tone={tried.success ? "good" : "bad"}>{tried.success ? "reached" : "not reached"}</Badge>{" "}
            {tried.message} ({ms(tried.duration_ms)})
          </>
        )}
      </output>
    </>
  );
}
