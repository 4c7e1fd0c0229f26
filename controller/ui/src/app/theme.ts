import {
  type CSSVariablesResolver,
  createTheme,
  defaultVariantColorsResolver,
  type MantineColorsTuple,
} from '@mantine/core';

/** An espalier's green: shade 7 on light, shade 3 on dark grounds, both with the contrast of text. */
const green: MantineColorsTuple = [
  '#e8f5ef',
  '#cfe9dd',
  '#8fd8b6',
  '#4cc38a',
  '#2fa877',
  '#1c8a64',
  '#127a58',
  '#0b6e4f',
  '#085a41',
  '#054632',
];

/** The grounds and lines of the dark scheme, from text (0) to what lies deepest (9). */
const dark: MantineColorsTuple = [
  '#e6e9ee',
  '#c5cad3',
  '#a9b1bd',
  '#6b7480',
  '#3a414c',
  '#2e343d',
  '#1c2027',
  '#14171c',
  '#101318',
  '#0b0d11',
];

/** The kit’s sizes and radii set to ours: a dense scale, 36 px rows, system fonts. */
export const theme = createTheme({
  primaryColor: 'green',
  primaryShade: { light: 7, dark: 3 },
  colors: { green, dark },
  variantColorResolver: (input) => {
    const colors = defaultVariantColorsResolver(input);
    // The accent is dark on light grounds and light on dark ones, so what stands on it must turn with it.
    const isAccent = input.variant === 'filled' && (input.color ?? 'green') === 'green';
    return isAccent ? { ...colors, color: 'var(--mantine-primary-color-contrast)' } : colors;
  },
  fontFamily: 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif',
  fontFamilyMonospace: 'ui-monospace, SFMono-Regular, Menlo, Consolas, monospace',
  defaultRadius: 6,
  cursorType: 'pointer',
  respectReducedMotion: true,
  fontSizes: { xs: '12px', sm: '13px', md: '14px', lg: '16px', xl: '20px' },
  spacing: { xs: '8px', sm: '12px', md: '16px', lg: '24px', xl: '32px' },
  headings: {
    fontWeight: '600',
    sizes: { h1: { fontSize: '20px' }, h2: { fontSize: '16px' }, h3: { fontSize: '14px' } },
  },
  components: {
    Button: { defaultProps: { size: 'sm' } },
    Modal: { defaultProps: { transitionProps: { duration: 120 } }, styles: { title: { fontWeight: 600 } } },
    Tooltip: {
      defaultProps: {
        withArrow: true,
        multiline: true,
        maw: 320,
        openDelay: 200,
        events: { hover: true, focus: true, touch: true },
      },
    },
  },
});

/** Our colours in place of the kit's greys; the contrasts are measured in the design notes. */
export const resolver: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    '--mantine-color-body': '#ffffff',
    '--mantine-color-text': '#1b1f24',
    '--mantine-color-dimmed': '#5b6270',
    '--mantine-color-placeholder': '#5b6270',
    '--mantine-color-default-border': '#8a93a0',
    '--mantine-color-error': '#8c1d18',
  },
  dark: {
    '--mantine-primary-color-contrast': '#0b1f17',
    '--mantine-color-body': '#14171c',
    '--mantine-color-text': '#e6e9ee',
    '--mantine-color-dimmed': '#a9b1bd',
    '--mantine-color-placeholder': '#a9b1bd',
    '--mantine-color-default': '#1c2027',
    '--mantine-color-default-border': '#6b7480',
    '--mantine-color-error': '#e8685a',
  },
});
