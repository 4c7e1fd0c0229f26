/** Words of the closed loop's cards. */
export const decisions = {
  story: 'Decisions in order of time',
  actions: {
    build: 'Decided to build',
    rollout: 'Decided to roll out',
    'nothing-left': 'Nothing left to try',
    rejected: 'Rejected a build',
    promoted: 'Promoted',
    'rolled-back': 'Rolled back',
  },
  recipe: (recipe: string) => `Recipe: ${recipe}`,
  job: 'Build',
  variant: 'Proof',
  rollout: 'Rollout',
} as const;
