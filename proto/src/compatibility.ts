/** The part of JSON Schema that our own schemas use. */
export interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
}

/**
 * What in `next` would break a program that was built for `last`; empty when nothing would. Old and new programs talk
 * in both directions, so a field may neither vanish nor become required nor optional, nor change its type, and an
 * enumeration may only grow. Alternatives of a union are compared in order; new ones may be added at the end.
 */
export function breakingChanges(last: JsonSchema, next: JsonSchema, at = '$'): string[] {
  const found: string[] = [];
  if (JSON.stringify(last.type) !== JSON.stringify(next.type))
    found.push(`${at}: type ${last.type} became ${next.type}`);
  if (last.const !== undefined && last.const !== next.const) found.push(`${at}: ${last.const} became ${next.const}`);
  for (const value of last.enum ?? []) {
    if (!next.enum?.includes(value)) found.push(`${at}: value ${JSON.stringify(value)} was removed`);
  }
  for (const [name, field] of Object.entries(last.properties ?? {})) {
    const successor = next.properties?.[name];
    if (successor) found.push(...breakingChanges(field, successor, `${at}.${name}`));
    else found.push(`${at}.${name}: was removed`);
  }
  for (const name of next.required ?? [])
    if (!last.required?.includes(name)) found.push(`${at}.${name}: became required`);
  for (const name of last.required ?? [])
    if (!next.required?.includes(name)) found.push(`${at}.${name}: is no longer required`);
  if (last.items)
    found.push(...(next.items ? breakingChanges(last.items, next.items, `${at}[]`) : [`${at}[]: was removed`]));
  for (const union of ['anyOf', 'oneOf'] as const) {
    last[union]?.forEach((option, index) => {
      const successor = next[union]?.[index];
      found.push(
        ...(successor ? breakingChanges(option, successor, `${at}|${index}`) : [`${at}|${index}: was removed`]),
      );
    });
  }
  return found;
}
