/** Words of the hardware profiles. */
export const profiles = {
  title: 'Profiles',
  lead: 'What each kind of processor likes, and why. A device’s facts decide which profile it has.',
  profile: 'Profile',
  about: 'What it is',
  extends: 'Builds upon',
  devices: 'Devices',
  rules: 'Rules',
  topic: 'About',
  text: 'Rule',
  evidence: 'Evidence',
  definition: 'Definition',
  definitionLead: 'The profile as the builder reads it.',
  noRules: 'This profile adds no rule of its own.',
} as const;
