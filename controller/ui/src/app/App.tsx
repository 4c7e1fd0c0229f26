import { MantineProvider } from '@mantine/core';
import { Notifications } from '@mantine/notifications';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { ApiFailure } from '../api/failure';
import { useSession } from '../api/queries';
import { ErrorNote } from '../components/ErrorNote';
import { Waiting } from '../components/Waiting';
import { SignIn } from '../pages/sign-in/SignIn';
import { PageGuard } from './PageGuard';
import { Pages } from './router';
import { Shell } from './Shell';
import { resolver, theme } from './theme';

/** The server understood and said no: asking again changes nothing. */
const isRefusal = (thrown: unknown): boolean =>
  thrown instanceof ApiFailure && thrown.status >= 400 && thrown.status < 500;

/** What the event stream does not announce is read again when one comes back to the page. */
const client = new QueryClient({
  defaultOptions: { queries: { staleTime: 10_000, retry: (count, thrown) => !isRefusal(thrown) && count < 2 } },
});
client.getQueryCache().subscribe(({ query }) => {
  const { error } = query.state;
  // A session that ended while a page is open: ask who we are, and the sign-in page takes over.
  if (error instanceof ApiFailure && error.status === 401 && query.queryKey[0] !== 'session') {
    void client.invalidateQueries({ queryKey: ['session'] });
  }
});

/** Sign-in in place of every page while nobody is signed in; the address stays, so that it opens afterwards. */
function Gate() {
  const session = useSession();
  if (session.error instanceof ApiFailure && session.error.status === 401) return <SignIn />;
  if (session.data) {
    return (
      <Shell>
        <PageGuard>
          <Pages />
        </PageGuard>
      </Shell>
    );
  }
  return (
    <main style={{ maxWidth: 560, margin: '12vh auto 0', padding: 16 }}>
      {session.error ? <ErrorNote thrown={session.error} onRetry={() => void session.refetch()} /> : <Waiting />}
    </main>
  );
}

export const App = () => (
  <MantineProvider theme={theme} cssVariablesResolver={resolver} defaultColorScheme="auto">
    <QueryClientProvider client={client}>
      <Notifications position="bottom-right" />
      <Gate />
    </QueryClientProvider>
  </MantineProvider>
);
