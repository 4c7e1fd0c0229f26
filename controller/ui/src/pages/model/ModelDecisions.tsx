import { useDecisions } from '../../api/queries';
import { Section } from '../../components/Page';
import { Story } from '../../components/Story';
import { models as s } from '../../strings/models';

/** The closed loop's story of this model; absent while it has none. */
export function ModelDecisions({ modelId }: { readonly modelId: string }) {
  const { rows } = useDecisions(modelId);
  if (rows.length === 0) return null;
  return (
    <Section title={s.decisions}>
      <Story decisions={rows} />
    </Section>
  );
}
