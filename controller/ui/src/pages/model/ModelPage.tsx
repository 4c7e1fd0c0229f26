import type { ModelView } from '@espalier/proto/api';
import { lazy, Suspense } from 'react';
import { useParams } from 'wouter';
import { useModel } from '../../api/queries';
import { DeleteButton } from '../../components/DeleteButton';
import { Loaded } from '../../components/Loaded';
import { May } from '../../components/May';
import { Page, Section } from '../../components/Page';
import { Quality } from '../../components/Quality';
import { Waiting } from '../../components/Waiting';
import { common } from '../../strings/common';
import { models as s } from '../../strings/models';
import { BudgetForm } from './BudgetForm';
import { FleetTable } from './FleetTable';
import { Info } from './Info';
import { LatencyTables } from './LatencyTables';
import { LoopSwitches } from './LoopSwitches';
import { ModelDecisions } from './ModelDecisions';
import { Optimize } from './Optimize';
import { PickData } from './PickData';
import { PreprocessForm } from './PreprocessForm';
import { PruningGroups } from './PruningGroups';
import { Tradeoffs } from './Tradeoffs';
import { VariantTable } from './VariantTable';

/** A part with pictures and a form of its own: loaded after the page. */
const Samples = lazy(() => import('./Samples'));

/** Cannot be undone, so it names what it hits and asks for the name. */
function RemoveModel({ model }: { readonly model: ModelView }) {
  return (
    <DeleteButton
      label={s.remove}
      name={model.name}
      path={`/models/${model.id}`}
      list="models"
      done={s.removed(model.name)}
    >
      {s.removeLead(common.deviceCount(model.devices))}
    </DeleteButton>
  );
}

/** Which versions, budgets and variants; and the way from a file to a rollout. */
export default function ModelPage() {
  const { id = '' } = useParams<{ id: string }>();
  const query = useModel(id);
  const model = query.data;
  return (
    <Page
      title={model ? `${model.name} ${model.version}` : s.name}
      crumb={{ label: s.title, href: '/models' }}
      actions={
        model && (
          <May>
            <RemoveModel model={model} />
          </May>
        )
      }
    >
      <Loaded query={query} lines={8}>
        {(data) => (
          <>
            <May>
              <div className="columns">
                <PickData model={data} />
                <Section title={s.budgetTitle}>
                  <div className="card stack">
                    <BudgetForm key={data.id} model={data} />
                    <LoopSwitches model={data} />
                  </div>
                </Section>
              </div>
              <Optimize model={data} />
            </May>
            {data.variantRows.length > 0 && <Tradeoffs model={data} />}
            <Section title={s.variantsTitle}>
              <VariantTable model={data} />
            </Section>
            <Section title={s.fleetTitle}>
              <FleetTable model={data} />
            </Section>
            <Quality of="models" id={data.id} />
            <Suspense fallback={<Waiting />}>
              <Samples model={data} />
            </Suspense>
            <ModelDecisions model={data} />
            <LatencyTables model={data} />
            <PruningGroups model={data} />
            <Section title={s.info}>
              <div className="stack">
                <Info model={data} />
                <May>
                  <PreprocessForm key={data.id} model={data} />
                </May>
              </div>
            </Section>
          </>
        )}
      </Loaded>
    </Page>
  );
}
