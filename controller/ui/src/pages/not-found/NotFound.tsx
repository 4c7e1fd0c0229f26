import { Link, useLocation } from 'wouter';
import { Empty } from '../../components/Empty';
import { Page } from '../../components/Page';
import { shell as s } from '../../strings/shell';

/** For an address that leads nowhere: says so, and leads home. */
export function NotFound() {
  const [path] = useLocation();
  return (
    <Page title={s.notFound}>
      <Empty title={s.notFound} why={s.notFoundLead(path)} action={<Link href="/">{s.toFleet}</Link>} />
    </Page>
  );
}
