import { Button } from '@mantine/core';
import { useChange } from '../api/mutations';
import { decisions as s } from '../strings/decisions';
import { May } from './May';

/** A person's word on a rollout that the closed loop asks for. */
export function AnswerDecision({ id }: { readonly id: string }) {
  const answer = useChange({ touches: ['decisions'] });
  const send = (word: 'approve' | 'decline') => answer.mutate({ method: 'POST', path: `/decisions/${id}/${word}` });
  return (
    <May>
      <div className="row">
        <Button size="compact-sm" loading={answer.isPending} onClick={() => send('approve')}>
          {s.approve}
        </Button>
        <Button size="compact-sm" variant="default" disabled={answer.isPending} onClick={() => send('decline')}>
          {s.decline}
        </Button>
      </div>
    </May>
  );
}
