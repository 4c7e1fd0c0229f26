/** The name under which the closed loop acts, beside those of people. */
export const WHO = 'closed loop';
