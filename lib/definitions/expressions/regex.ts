/** RE2 as JSONata's engine of regular expressions: its time grows linearly with the text. */
import { RE2JS } from "re2js";

/** The part of `RegExp` that JSONata uses. */
export class Re2RegExp {
  lastIndex = 0;
  readonly #pattern: RE2JS;

  constructor(pattern: RegExp) {
    this.#pattern = compile(pattern);
  }

  exec(text: string): (string[] & { index: number }) | null {
    const matcher = this.#pattern.matcher(text);
    if (this.lastIndex > text.length || !matcher.find(this.lastIndex)) {
      this.lastIndex = 0;
      return null;
    }
    this.lastIndex = matcher.end();
    const groups = Array.from({ length: matcher.groupCount() + 1 }, (_, index) => matcher.group(index) as string);
    return Object.assign(groups, { index: matcher.start() });
  }
}

function compile({ source, ignoreCase, multiline }: RegExp): RE2JS {
  const flags = (ignoreCase ? RE2JS.CASE_INSENSITIVE : 0) | (multiline ? RE2JS.MULTILINE : 0);
  return RE2JS.compile(source, flags);
}

/** Why RE2 does not take the pattern; undefined if it does. */
export function re2Problem(pattern: RegExp): string | undefined {
  try {
    compile(pattern);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}
