interface Props {
  readonly total: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly inFlight: number;
}

/** Done, failed and in flight as parts of the fixed denominator. Decoration: the numbers stand beside it. */
export function ShareBar({ total, succeeded, failed, inFlight }: Props) {
  const part = (count: number, color: string) => (
    <span style={{ inlineSize: `${total === 0 ? 0 : (100 * count) / total}%`, background: `var(${color})` }} />
  );
  return (
    <div className="bar" aria-hidden="true">
      {part(succeeded, '--good')}
      {part(failed, '--failed')}
      {part(inFlight, '--running')}
    </div>
  );
}
