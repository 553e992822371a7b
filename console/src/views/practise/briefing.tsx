// What a learner is told before and during a conversation.

import { shows } from "../../conversation/quiz";
import type { Document, Media, Persona, Scenario } from "../../conversation/types";

interface Props {
  scenario: Scenario;
  persona: Pick<Persona, "name" | "description" | "color"> | null;
  documents: Document[];
  limit: number | null;
}

export function Briefing({ scenario, persona, documents, limit }: Props) {
  const template = scenario.template;
  return (
    <div class="practise-briefing">
      {scenario.description && <p>{scenario.description}</p>}
      {persona && (
        <p class="practise-persona">
          <Dot color={persona.color} /> <strong>{persona.name}</strong>
          {persona.description && ` – ${persona.description}`}
        </p>
      )}
      {scenario.problem_statement && template.problem_statement_enabled && (
        <section>
          <h3>The situation</h3>
          <p class="practise-prose">{scenario.problem_statement}</p>
        </section>
      )}
      {scenario.objectives.length > 0 && template.objectives_enabled && (
        <section>
          <h3>What to reach</h3>
          <ul>
            {scenario.objectives.map((objective) => (
              <li key={objective}>{objective}</li>
            ))}
          </ul>
        </section>
      )}
      {limit !== null && <p>You have {minutes(limit)}.</p>}
      {template.images_enabled && <Images images={scenario.images} />}
      {documents.map((document) => (
        <Paper key={document.id} document={document} />
      ))}
    </div>
  );
}

export function Dot({ color }: { color: string | null }) {
  return <span class="practise-dot" style={color ? { background: color } : {}} aria-hidden="true" />;
}

function Images({ images }: { images: Media[] }) {
  return (
    <>
      {images.map((image) =>
        shows(image.url) ? (
          <figure key={image.id} class="practise-figure">
            <img src={image.url} alt={image.text || image.name} loading="lazy" referrerpolicy="no-referrer" />
            <figcaption>{image.name}</figcaption>
          </figure>
        ) : (
          <p key={image.id}>
            <a href={image.url} target="_blank" rel="noopener noreferrer">
              {image.name} (opens on another site)
            </a>{" "}
            {image.text}
          </p>
        ),
      )}
    </>
  );
}

function Paper({ document }: { document: Document }) {
  return (
    <details class="practise-paper">
      <summary>{document.name}</summary>
      {document.description && <p>{document.description}</p>}
      {(document.fields ?? []).length > 0 && (
        <dl>
          {(document.fields ?? []).map((field) => (
            <div key={field.name}>
              <dt>{field.name}</dt>
              <dd>{field.value}</dd>
            </div>
          ))}
        </dl>
      )}
      <p class="practise-prose">{document.text}</p>
      <Images images={document.images ?? []} />
    </details>
  );
}

function minutes(limit: number): string {
  if (limit < 120) return `${Math.round(limit)} seconds`;
  const whole = Math.round(limit / 60);
  return `${whole} minutes`;
}
