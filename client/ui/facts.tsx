/** What is known of something, as pairs of a label and a value. */

export type Fact = [label: string, value: string | undefined];

/** Without those that have no value. */
export function FactList({ facts, kind }: { facts: readonly Fact[]; kind: string }) {
  return (
    <dl class={kind}>
      {facts.map(([label, value]) =>
        value === undefined ? null : (
          <div key={label}>
            <dt>{label}</dt>
            <dd>
              <bdi>{value}</bdi>
            </dd>
          </div>
        ),
      )}
    </dl>
  );
}
