import type { ModelView } from '@espalier/proto/api';
import { useDecisions, useOutlook } from '../../api/queries';
import { Section } from '../../components/Page';
import { Story } from '../../components/Story';
import { models as s } from '../../strings/models';

/** The closed loop's story of this model, and what it waits for now; absent while it has nothing to say. */
export function ModelDecisions({ model }: { readonly model: ModelView }) {
  const { rows } = useDecisions(model.id);
  const outlook = useOutlook(model.id).data ?? [];
  if (rows.length === 0 && outlook.length === 0) return null;
  return (
    <Section title={s.decisions}>
      <div className="stack">
        {outlook.map(({ profile, kind, reason }) => (
          <span key={profile}>
            <strong>{profile}</strong> <span className="muted">{s.outlookOf(kind, reason)}</span>
          </span>
        ))}
        {rows.length > 0 && <Story decisions={rows} />}
      </div>
    </Section>
  );
}
