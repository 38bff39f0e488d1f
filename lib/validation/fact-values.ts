/** Schemas of the values of facts in an export. */
import { Type } from "typebox";
import { ImportedTime } from "../../schemas/export.schema.ts";

export const closed = { additionalProperties: false };
/** Half of the safe integers: the engine counts on from a number of an export. */
const MAX_COUNT = 2 ** 52;

export const number = Type.Integer({ minimum: 0, maximum: MAX_COUNT });
export const time = ImportedTime;
export const task = Type.Integer({ minimum: 0, maximum: 0xff_ff_ff_ff });
export const text = Type.String({ maxLength: 1_024 });
export const longText = Type.String();
export const only = (value: boolean) => Type.Optional(Type.Literal(value));
export const oneOf = (...values: readonly string[]) => Type.Enum([...values]);
export const anything = Type.Unknown();

export const error = Type.Object(
  {
    type: text,
    name: text,
    message: longText,
    code: Type.Optional(Type.Unsafe<number | string>({ type: ["number", "string"], maxLength: 1_024 })),
    data: Type.Optional(anything),
    causes: Type.Optional(Type.Array(Type.Unsafe<object>({ type: "object" }), { maxItems: 5 })),
    stack: Type.Optional(longText),
    nodeID: Type.Optional(text),
  },
  closed,
);

export const nullable = (schema: object) =>
  Type.Unsafe<unknown>({ ...schema, type: [(schema as { type: string }).type, "null"] });

export const positive = Type.Integer({ minimum: 1, maximum: MAX_COUNT });

export const whenValues = Type.Optional(Type.Unsafe<object>({ type: "object" }));

/** An enumeration with an explicit type, to which null can be added. */
export function oneOfType(values: readonly string[]): object {
  return { type: "string", pattern: `^(${values.join("|")})$` };
}
