/** Remembers the latest results of a pure function; when there are more than `limit`, it begins anew. */
export function memo<V>(make: (key: string) => V, limit: number): (key: string) => V {
  const known = new Map<string, V>();
  return (key) => {
    const found = known.get(key);
    if (found !== undefined) return found;
    const value = make(key);
    if (known.size >= limit) known.clear();
    known.set(key, value);
    return value;
  };
}
