import { texts } from "./texts";

/** The shape of a transcript while it is on its way. */
export function Loading({ text = texts.loading }: { text?: string }) {
  return (
    <main class="paper" aria-busy="true">
      <p class="visually-hidden" role="status">
        {text}
      </p>
      <div class="skeleton" aria-hidden="true">
        <i class="title" />
        <i class="line" />
        <i class="line short" />
        {[1, 2, 3, 4].map((row) => (
          <i key={row} class="block" />
        ))}
      </div>
    </main>
  );
}
