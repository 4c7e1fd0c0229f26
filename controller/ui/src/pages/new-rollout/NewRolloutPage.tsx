import { NativeSelect } from '@mantine/core';
import { useModel, useModels } from '../../api/queries';
import { Empty } from '../../components/Empty';
import { Loaded } from '../../components/Loaded';
import { Page } from '../../components/Page';
import { useUrlState } from '../../components/url-state';
import { rollouts as s } from '../../strings/rollouts';
import { PlanForm } from './PlanForm';

/** Clicks five and six: a plan that is filled in already, and Start. Model and builds come in the address. */
export default function NewRolloutPage() {
  const [modelId, setModelId] = useUrlState('model');
  const [variants] = useUrlState('variants');
  const models = useModels();
  const chosen = modelId || (models.data?.[0]?.id ?? '');
  const model = useModel(chosen, chosen !== '');
  return (
    <Page title={s.newTitle} crumb={{ label: s.title, href: '/rollouts' }}>
      <Loaded query={models}>
        {(rows) =>
          rows.length === 0 ? (
            <Empty title={s.noModels} why={s.whatEmpty} />
          ) : (
            <>
              <NativeSelect
                label={s.pickModel}
                maw={420}
                value={chosen}
                data={rows.map((row) => ({ value: row.id, label: `${row.name} ${row.version}` }))}
                onChange={(event) => setModelId(event.currentTarget.value)}
              />
              <Loaded query={model}>
                {(data) => <PlanForm key={data.id} model={data} wanted={variants ? variants.split(',') : []} />}
              </Loaded>
            </>
          )
        }
      </Loaded>
    </Page>
  );
}
