import type { Facets } from "../../client/search/results";
import { type FacetKind, hasFacet, withFacet } from "../../client/search/state";
import { texts } from "../texts";

const KINDS: readonly FacetKind[] = ["topic", "agent", "month"];

/** What was found, by topic, agent and month; each narrows the search down, or widens it again. */
export function FacetList({ facets, q, onQ }: { facets: Facets; q: string; onQ: (q: string) => void }) {
  const words = texts.search;
  const shown = KINDS.filter((kind) => facets[kind].length > 1 || facets[kind].some(({ value }) => hasFacet(q, kind, value)));
  if (shown.length === 0) return null;
  return (
    <details class="facets">
      <summary>{words.narrow}</summary>
      {facets.more && <p class="facets-note">{words.amongBest(facets.chats)}</p>}
      {shown.map((kind) => (
        <fieldset key={kind}>
          <legend>{words.facets[kind]}</legend>
          {facets[kind].map(({ value, chats }) => (
            <button key={value} class="facet" aria-pressed={hasFacet(q, kind, value)} onClick={() => onQ(withFacet(q, kind, value))}>
              <bdi>{kind === "month" ? words.month(value) : value}</bdi> <span class="number">{chats}</span>
            </button>
          ))}
        </fieldset>
      ))}
    </details>
  );
}
