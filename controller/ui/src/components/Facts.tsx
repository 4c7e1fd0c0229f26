import { Fragment, type ReactNode } from 'react';
import { common } from '../strings/common';

/** Names and values, side by side. A value that is null reads as a dash. */
export function Facts({ of }: { readonly of: readonly (readonly [string, ReactNode])[] }) {
  return (
    <dl className="facts">
      {of.map(([name, value]) => (
        <Fragment key={name}>
          <dt>{name}</dt>
          <dd>{value ?? common.none}</dd>
        </Fragment>
      ))}
    </dl>
  );
}
