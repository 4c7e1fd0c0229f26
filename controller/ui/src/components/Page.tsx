import { type ReactNode, useEffect } from 'react';
import { Link } from 'wouter';
import { shell } from '../strings/shell';

interface Props {
  readonly title: string;
  readonly crumb?: { readonly label: string; readonly href: string };
  readonly below?: ReactNode;
  readonly actions?: ReactNode;
  readonly children: ReactNode;
}

/** The head of a page and its content. The title is the document's too. */
export function Page({ title, crumb, below, actions, children }: Props) {
  useEffect(() => {
    document.title = `${title} · ${shell.product}`;
  }, [title]);
  return (
    <>
      <div className="page-head">
        <div>
          {crumb && (
            <Link className="crumb" href={crumb.href}>
              {crumb.label}
            </Link>
          )}
          <h1>{title}</h1>
          {below && <div className="muted small">{below}</div>}
        </div>
        {actions && <div className="row">{actions}</div>}
      </div>
      <div className="stack-lg">{children}</div>
    </>
  );
}

interface SectionProps {
  readonly title: string;
  readonly actions?: ReactNode;
  readonly children: ReactNode;
}

/** A named part of a page: a landmark with its heading and, at the right, what can be done with it. */
export function Section({ title, actions, children }: SectionProps) {
  return (
    <section className="section" aria-label={title}>
      <div className="spread" style={{ marginBlockEnd: 8 }}>
        <h2 style={{ margin: 0 }}>{title}</h2>
        {actions}
      </div>
      {children}
    </section>
  );
}
