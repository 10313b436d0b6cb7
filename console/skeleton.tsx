/** In the place of what is still on its way. */

export function Skeleton({ kind, shape = "", told }: { kind: string; shape?: string; told: string }) {
  return (
    <div class={kind} aria-busy="true">
      <p class="visually-hidden" role="status">
        {told}
      </p>
      <div class={`skeleton ${shape}`} aria-hidden="true">
        <i />
        <i />
        <i />
        <i />
      </div>
    </div>
  );
}
