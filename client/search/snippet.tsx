import type { SnippetPart } from "./results";

/** What was found, with the words that were asked for marked. */
export function Snippet({ parts }: { parts: SnippetPart[] }) {
  return parts.map((part, index) =>
    part.match ? (
      <mark key={index} class="hit">
        {part.text}
      </mark>
    ) : (
      part.text
    ),
  );
}
