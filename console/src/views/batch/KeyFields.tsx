import { TextField } from "../../parts";
import type { Keys } from "./draft";

interface Props {
  keys: Keys;
  onKeys(keys: Keys): void;
}

/** Keys of the author's own: they go with the job, and are kept nowhere in the page. */
export function KeyFields({ keys, onKeys }: Props) {
  return (
    <details class="batch-details">
      <summary>Keys of your own</summary>
      <p class="batch-quiet">
        Sent with this job only. They are not stored in the page, and cannot be read back.
      </p>
      <div class="batch-fields">
        <TextField
          label="Key for the models"
          hint="In place of the server's."
          type="password"
          value={keys.openai_api_key}
          onInput={(openai_api_key) => onKeys({ ...keys, openai_api_key })}
        />
        <TextField
          label="Key for the plugin under test"
          hint="Sent with its manifest, over https."
          type="password"
          value={keys.openplugin_api_key}
          onInput={(openplugin_api_key) => onKeys({ ...keys, openplugin_api_key })}
        />
      </div>
    </details>
  );
}
