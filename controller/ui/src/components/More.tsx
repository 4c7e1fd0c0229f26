import { Button } from '@mantine/core';
import { common } from '../strings/common';

interface Props {
  readonly pages: {
    readonly rows: readonly unknown[];
    readonly total: number;
    readonly hasNextPage: boolean;
    readonly isFetchingNextPage: boolean;
    readonly fetchNextPage: () => unknown;
  };
}

/** The way to the next page of a list, with how many are left. */
export function More({ pages }: Props) {
  if (!pages.hasNextPage) return null;
  return (
    <Button variant="default" mt="sm" loading={pages.isFetchingNextPage} onClick={() => void pages.fetchNextPage()}>
      {common.more(pages.total - pages.rows.length)}
    </Button>
  );
}
