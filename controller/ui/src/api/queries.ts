import type {
  ApiToken,
  AuditEntry,
  DatasetRow,
  DecisionView,
  DeviceRow,
  DeviceView,
  EnrolmentToken,
  FieldSampleRow,
  FieldSampleState,
  FieldSampleValues,
  FleetView,
  JobView,
  MeasurementView,
  ModelRow,
  ModelView,
  OutlookView,
  Page,
  ProfileView,
  PruningGroups,
  QualityView,
  RolloutRow,
  RolloutView,
  SampleView,
  SamplingView,
  Session,
  SystemView,
  TableView,
  User,
  VariantView,
} from '@espalier/proto/api';
import { type UseQueryResult, useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { type Query, read } from './client';

/** One resource. `root` is the first part of the key: the name by which the event stream makes it old. */
const useOne = <T>(root: string, path: string, query: Query = {}, enabled = true): UseQueryResult<T> =>
  useQuery({ queryKey: [root, path, query], queryFn: ({ signal }) => read<T>(path, query, signal), enabled });

/** A list that comes page by page: rows so far, the exact total, and the way to more. */
export function usePages<T>(root: string, path: string, query: Query = {}) {
  const pages = useInfiniteQuery({
    queryKey: [root, path, query],
    queryFn: ({ pageParam, signal }) => read<Page<T>>(path, { ...query, cursor: pageParam }, signal),
    initialPageParam: null as string | null,
    getNextPageParam: (last) => last.next,
    placeholderData: (previous) => previous,
  });
  const rows = pages.data?.pages.flatMap((page) => page.items) ?? [];
  return { ...pages, rows, total: pages.data?.pages[0]?.total ?? 0 };
}

/** Who is signed in. Not tried again on failure: 401 is an answer here, and leads to the sign-in page. */
export const useSession = () =>
  useQuery({ queryKey: ['session'], queryFn: ({ signal }) => read<Session>('/session', {}, signal), retry: false });
export const useSystem = () => useOne<SystemView>('system', '/system');
export const useFleet = () => useOne<FleetView>('fleet', '/fleet');
export const useSample = () => useOne<SampleView>('sample', '/sample');

/** Devices that match a filter, in pages that hold more rows than a window shows. */
export const useDevices = (q: string) => usePages<DeviceRow>('devices', '/devices', { q, limit: 200 });
export const useDevice = (id: string) => useOne<DeviceView>('device', `/devices/${id}`);
/** Windows of one device since a moment (ISO), oldest first; null: all that are kept. */
export const useMeasurements = (id: string, since: string | null) =>
  useOne<MeasurementView[]>('measurements', `/devices/${id}/measurements`, { since });

export const useModels = () => useOne<ModelRow[]>('models', '/models');
export const useModel = (id: string, enabled = true) => useOne<ModelView>('model', `/models/${id}`, {}, enabled);
/** What the builds of a model, or the one a device serves, said in the last day; devices tell of it every few minutes. */
export const useQuality = (of: 'models' | 'devices', id: string) =>
  useOne<QualityView[]>('quality', `/${of}/${id}/quality`);
/** What devices may keep of a model's inputs, and what came of it. */
export const useSampling = (modelId: string) => useOne<SamplingView>('sampling', `/models/${modelId}/sampling`);
/** Inputs that devices kept, in one state. */
export const useFieldSamples = (modelId: string, state: FieldSampleState) =>
  usePages<FieldSampleRow>('field-samples', `/models/${modelId}/field-samples`, { state });
export const useFieldValues = (id: string) => useOne<FieldSampleValues>('field-values', `/field-samples/${id}/values`);
export const useGroups = (id: string, enabled: boolean) =>
  useOne<PruningGroups>('groups', `/models/${id}/groups`, {}, enabled);
export const useVariant = (id: string) => useOne<VariantView>('variant', `/variants/${id}`);
export const useDatasets = () => useOne<DatasetRow[]>('datasets', '/datasets');

export const useRollouts = () => usePages<RolloutRow>('rollouts', '/rollouts');
export const useRollout = (id: string) => useOne<RolloutView>('rollout', `/rollouts/${id}`);
export const useJobs = () => usePages<JobView>('jobs', '/jobs');
export const useJob = (id: string) => useOne<JobView>('job', `/jobs/${id}`);
/** What the closed loop decided, newest first; of one model or of all. */
export const useDecisions = (modelId?: string) => usePages<DecisionView>('decisions', '/decisions', { modelId });

/** Latency tables of a model, one a profile; they are measured in minutes, and no event tells of each step. */
export const useTables = (modelId: string) =>
  useQuery({
    queryKey: ['tables', modelId],
    queryFn: ({ signal }) => read<TableView[]>(`/models/${modelId}/tables`, {}, signal),
    refetchInterval: ({ state }) => (state.data?.some((one) => one.state === 'measuring') ? 3000 : false),
  });
/** What the closed loop would do now for a model, or what it waits for, by profile. */
export const useOutlook = (modelId: string) => useOne<OutlookView[]>('decisions', '/decisions/now', { modelId });

export const useProfiles = () => useOne<ProfileView[]>('profiles', '/profiles');
export const useProfile = (id: string) => useOne<ProfileView>('profiles', `/profiles/${id}`);

export const useUsers = (enabled: boolean) => useOne<User[]>('users', '/users', {}, enabled);
export const useTokens = (enabled: boolean) => useOne<ApiToken[]>('tokens', '/tokens', {}, enabled);
export const useEnrolmentTokens = (enabled = true) =>
  useOne<EnrolmentToken[]>('enrolment-tokens', '/enrolment-tokens', {}, enabled);
export const useAudit = () => usePages<AuditEntry>('audit', '/audit');
