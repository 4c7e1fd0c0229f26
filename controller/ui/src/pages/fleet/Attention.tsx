import type { FleetView } from '@espalier/proto/api';
import { Link } from 'wouter';
import { Section } from '../../components/Page';
import { Tone } from '../../components/Status';
import { fleet as s } from '../../strings/fleet';

/** What is wrong now, worst first: title, reason, what to do, code, and the way there. */
export function Attention({ items }: { readonly items: FleetView['attention'] }) {
  const sorted = [...items].sort((a, b) => a.severity.localeCompare(b.severity));
  return (
    <Section title={s.attention}>
      <ul className="bare stack" style={{ gap: 8 }}>
        {sorted.map((item) => (
          <li key={`${item.code} ${item.link} ${item.title}`} className="note" data-tone={item.severity}>
            <div className="spread">
              <Tone tone={item.severity}>
                <strong style={{ whiteSpace: 'normal' }}>{item.title}</strong>
              </Tone>
              <Link href={item.link} aria-label={`${s.open}: ${item.title}`}>
                {s.open}
              </Link>
            </div>
            <div>{item.reason}</div>
            <div className="small">
              {item.action} <code className="mono muted">{item.code}</code>
            </div>
          </li>
        ))}
      </ul>
    </Section>
  );
}
